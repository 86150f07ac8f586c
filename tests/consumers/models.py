"""The models whose files are tried: one of each kind that a runtime may treat in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: Rows of a call.  One kernel of ONNX Runtime was wrong with a batch of 3 and right with others.
BATCHES: Final = (1, 3)
_STEPS, _FEATURES, _UNITS, _WORDS = 7, 6, 12, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model by the name that the table shows; `build` makes it with Keras."""

    name: str
    build: Callable[[Any], Any]
    is_masked: bool = False

    def inputs(self, batch: int) -> dict[str, npt.NDArray[Any]]:
        """Arguments of one call, by input.

        Rows of a masked model differ in length, have gaps, and one of three is empty.
        """
        rng = np.random.default_rng(batch)
        keras_model = built(self)
        return {
            entry.name: _argument(entry, batch, rng, is_masked=self.is_masked)
            for entry in keras_model.inputs
        }


def _argument(
    entry: Any, batch: int, rng: np.random.Generator, *, is_masked: bool
) -> npt.NDArray[Any]:
    shape = (batch, *(size or _STEPS for size in entry.shape[1:]))
    if entry.dtype == "int32":
        values: npt.NDArray[Any] = rng.integers(1, _WORDS, shape).astype(np.int32)
    else:
        values = rng.normal(size=shape).astype(np.float32)
    if is_masked:
        values[:, 2] = 0
        values[-1, _STEPS - 2 :] = 0
        values[0, 0] = 0
        if batch > 2:
            values[1] = 0
    return values


@lru_cache(maxsize=1)
def built(model: Model) -> Any:
    """The Keras model, with the same weights each time."""
    import keras

    keras.utils.set_random_seed(7)
    return model.build(keras)


def models() -> Iterator[Model]:
    """In the order of the table."""
    yield Model(name="GRU", build=_cell("GRU"))
    yield Model(name="GRU(reset_after=False)", build=_cell("GRU", reset_after=False))
    yield Model(name="LSTM", build=_cell("LSTM"))
    yield Model(name="SimpleRNN", build=_cell("SimpleRNN"))
    for kind in ("GRU", "LSTM"):
        yield Model(name=f"Bidirectional({kind})", build=_both_ways(kind))
    for kind in ("GRU", "LSTM"):
        yield Model(name=f"Masking, {kind}", build=_masked(kind), is_masked=True)
    for kind in ("GRU", "LSTM"):
        yield Model(
            name=f"Embedding(mask_zero), Bidirectional({kind})",
            build=_masked_both_ways(kind),
            is_masked=True,
        )
    for kind in ("GRU", "LSTM"):
        yield Model(name=f"two {kind}s", build=_stacked(kind))
    yield Model(name="Conv1D, BatchNormalization, GRU", build=_conv_front)
    yield Model(name="Embedding, LSTM", build=_embedding)
    yield Model(name="GRU of 320 units", build=_cell("GRU", units=320))
    yield Model(name="LSTM of 160 units, Dense of 1,000", build=_wide)
    yield Model(name="GRU(go_backwards)", build=_cell("GRU", go_backwards=True))
    yield Model(name="GRU with states", build=_states)
    yield Model(name="Masking, LSTM with states", build=_masked_states, is_masked=True)


def _entry(keras: Any) -> Any:
    return keras.Input((None, _FEATURES), name="x")


def _cell(kind: str, units: int = _UNITS, **options: Any) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        entry = _entry(keras)
        hidden = getattr(keras.layers, kind)(units, **options, **_bias(keras))(entry)
        return keras.Model(entry, keras.layers.Dense(4)(hidden))

    return build


def _bias(keras: Any) -> dict[str, Any]:
    """Biases that are not zero, as a trained layer has them."""
    return {"bias_initializer": keras.initializers.RandomNormal(stddev=0.2, seed=3)}


def _both_ways(kind: str) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        entry = _entry(keras)
        inner = getattr(keras.layers, kind)(_UNITS, return_sequences=True, **_bias(keras))
        both = keras.layers.Bidirectional(inner)(entry)
        last = keras.layers.Bidirectional(getattr(keras.layers, kind)(_UNITS, **_bias(keras)))(both)
        return keras.Model(entry, [keras.layers.Dense(3)(both), keras.layers.Dense(4)(last)])

    return build


def _masked(kind: str) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        entry = _entry(keras)
        masked = keras.layers.Masking()(entry)
        inner = getattr(keras.layers, kind)(_UNITS, return_sequences=True, **_bias(keras))
        return keras.Model(entry, keras.layers.Dense(4)(inner(masked)))

    return build


def _masked_both_ways(kind: str) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        entry = keras.Input((None,), dtype="int32", name="tokens")
        rows = keras.layers.Embedding(_WORDS, _FEATURES, mask_zero=True)(entry)
        inner = getattr(keras.layers, kind)(_UNITS, **_bias(keras))
        return keras.Model(entry, keras.layers.Dense(4)(keras.layers.Bidirectional(inner)(rows)))

    return build


def _stacked(kind: str) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        entry = _entry(keras)
        layer = getattr(keras.layers, kind)
        first = layer(_UNITS, return_sequences=True, **_bias(keras))(entry)
        return keras.Model(entry, keras.layers.Dense(4)(layer(_UNITS, **_bias(keras))(first)))

    return build


def _conv_front(keras: Any) -> Any:
    entry = _entry(keras)
    front = keras.layers.Conv1D(8, 3, padding="same", activation="relu")(entry)
    front = keras.layers.MaxPooling1D(2)(keras.layers.BatchNormalization()(front))
    hidden = keras.layers.GRU(_UNITS, **_bias(keras))(front)
    return keras.Model(entry, keras.layers.Dense(4, activation="softmax")(hidden))


def _embedding(keras: Any) -> Any:
    entry = keras.Input((None,), dtype="int32", name="tokens")
    hidden = keras.layers.LSTM(_UNITS)(keras.layers.Embedding(_WORDS, _FEATURES)(entry))
    return keras.Model(entry, keras.layers.Dense(4, activation="softmax")(hidden))


def _wide(keras: Any) -> Any:
    entry = _entry(keras)
    return keras.Model(entry, keras.layers.Dense(1000)(keras.layers.LSTM(160)(entry)))


def _states(keras: Any) -> Any:
    """A decoder's step: the state comes in and goes out."""
    entry, start = _entry(keras), keras.Input((_UNITS,), name="state")
    layer = keras.layers.GRU(_UNITS, return_sequences=True, return_state=True, **_bias(keras))
    sequence, state = layer(entry, initial_state=start)
    return keras.Model([entry, start], [keras.layers.Dense(4)(sequence), state])


def _masked_states(keras: Any) -> Any:
    """An encoder: its final states go elsewhere."""
    entry = _entry(keras)
    layer = keras.layers.LSTM(_UNITS, return_state=True, **_bias(keras))
    _, h, c = layer(keras.layers.Masking()(entry))
    return keras.Model(entry, [keras.layers.Dense(3)(h), keras.layers.Dense(3)(c)])
