"""Random models of the kinds that public models failed with, and rows that suit them.

Each seed draws an input (sensors of unlike scale, plain features, tokens), a fixed or a free batch,
masks with empty rows (zeros, a fill value far from all data, an input of its own), cells (one or
two, both ways, unrolled, stateful, nested, shared), mixed precision, dead columns, and one or two
outputs.  The first kernels take back the scale and the offset of the sensors, as training makes
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

STEPS: Final = 12
FILL: Final = -999.0
MOST_FEATURES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HardModel:
    """A Keras model, what it is made of, and rows by position of its inputs."""

    model: Any
    traits: tuple[str, ...]
    fill: float  # what steps without data hold
    rows: tuple[Any, ...]  # one array for each input, [rows, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Making:
    random: np.random.Generator
    keras: Any
    traits: list[str]
    free: bool  # the batch, whatever is drawn

    def one_in(self, count: int, trait: str) -> bool:
        drawn = int(self.random.integers(count)) == 0
        if drawn:
            self.traits.append(trait)
        return drawn


def hard_model(seed: int, rows: int, *, policy: str = "", free: bool = False) -> HardModel:
    """The model of this seed, and `rows` rows for it.

    policy: the dtype policy of its layers, in place of the one that was drawn.  free: a free batch
    without states between calls, in place of a fixed one.
    """
    import keras

    keras.utils.set_random_seed(seed)
    making = _Making(random=np.random.default_rng(seed), keras=keras, traits=[], free=free)
    drawn = "mixed_float16" if making.one_in(6, "mixed precision") else "float32"
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy or drawn)
    try:
        return _made(making, rows)
    finally:
        keras.config.set_dtype_policy(before)


def free_twin(made: HardModel, seed: int, *, policy: str) -> Any:
    """The Keras model of the same weights in another precision, for any number of rows a call.

    Its rows know nothing of each other, as those of calls that begin with states of zeros.
    """
    twin = hard_model(seed, len(made.rows[0]), policy=policy, free=True).model
    for layer, twin_layer in zip(_all(made.model), _all(twin), strict=True):
        for weight, twin_weight in zip(_stored(layer), _stored(twin_layer), strict=True):
            twin_weight.assign(weight.numpy())
    return twin


def _all(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=False))


def _stored(layer: Any) -> list[Any]:
    """What training changes; states between calls are no part of it."""
    return list(layer.trainable_weights)


def _made(making: _Making, rows: int) -> HardModel:
    keras = making.keras
    batch = [None, None, None, 1, 4][int(making.random.integers(5))]
    if batch:
        making.traits.append(f"batch {batch}")
    stateful = batch is not None and making.one_in(3, "stateful")
    if making.free:
        batch = None
    fill, mask = 0.0, None
    if making.one_in(4, "tokens"):
        inputs, x, data = _tokens(making, batch, rows)
    else:
        inputs, x, data, fill, mask = _features(making, batch, rows)
    entries, arrays = [inputs], [data]
    if mask is not None:
        entries.append(mask)
        arrays.append((data != fill).any(axis=-1))
    x = _body(making, x, stateful=stateful, mask=mask)
    if making.one_in(4, "two inputs"):
        side = keras.Input(batch_shape=(batch, 3))
        x = keras.layers.Concatenate()([x, side])
        entries.append(side)
        arrays.append(making.random.normal(size=(rows, 3)).astype(np.float32))
    model = keras.Model(entries if len(entries) > 1 else inputs, _heads(making, x))
    _roughen(making, model)
    return HardModel(model=model, traits=tuple(making.traits), fill=fill, rows=tuple(arrays))


def _tokens(making: _Making, batch: int | None, rows: int) -> tuple[Any, Any, Any]:
    layers = making.keras.layers
    masked = making.one_in(2, "masked")
    inputs = making.keras.Input(batch_shape=(batch, STEPS), dtype="int32")
    drawn = making.keras.initializers.RandomNormal(stddev=0.7)
    x = layers.Embedding(30, 8, mask_zero=masked, embeddings_initializer=drawn)(inputs)
    data = making.random.integers(1, 30, (rows, STEPS)).astype(np.int32)
    return inputs, x, _short(making, data, 0) if masked else data


def _features(making: _Making, batch: int | None, rows: int) -> tuple[Any, Any, Any, float, Any]:
    layers, random = making.keras.layers, making.random
    features = int(random.integers(2, MOST_FEATURES + 1))
    inputs = making.keras.Input(batch_shape=(batch, STEPS, features))
    data = random.normal(size=(rows, STEPS, features)) * 0.7 + random.normal(
        size=(rows, 1, features)
    )
    if making.one_in(2, "unlike scales"):
        making.traits.append("offsets")
        unit = 10.0 ** random.uniform(-2, 3, features)
        data = (data + random.uniform(-50, 50, features)) * unit
    data = data.astype(np.float32)
    x, fill, mask = inputs, 0.0, None
    if making.one_in(3, "masked"):
        if making.one_in(3, "mask input"):
            fill, mask = FILL, making.keras.Input(batch_shape=(batch, STEPS), dtype="bool")
        else:
            fill = FILL if making.one_in(3, "fill value") else 0.0
            x = layers.Masking(mask_value=fill)(x)
        data = _short(making, data, fill)
    return inputs, x, data, fill, mask


def _short(making: _Making, data: Any, value: float) -> Any:
    """Rows of several lengths, one in twelve without any step."""
    for row in range(len(data)):
        steps = 0 if row % 12 == 5 else int(making.random.integers(2, STEPS + 1))
        data[row, steps:] = value
    making.traits.append("empty rows")
    return data


def _body(making: _Making, x: Any, *, stateful: bool, mask: Any) -> Any:
    layers = making.keras.layers
    depth = int(making.random.integers(1, 3))
    for level in range(depth):
        cell = [layers.GRU, layers.LSTM][int(making.random.integers(2))]
        options: dict[str, Any] = {"return_sequences": level + 1 < depth}
        if stateful and not making.free:
            options["stateful"] = True
        if making.one_in(5, "unroll"):
            options["unroll"] = True
        units = int(making.random.integers(4, 25))
        making.traits.append(cell.__name__)
        layer = cell(units, **options)
        if not stateful and "unroll" not in options and making.one_in(4, "both ways"):
            layer = layers.Bidirectional(layer)
        x = layer(x) if mask is None or level else layer(x, mask=mask)
    if making.one_in(5, "nested"):
        inner = making.keras.Input((x.shape[-1],))
        x = making.keras.Model(inner, layers.Dense(12, activation="tanh")(inner))(x)
    if making.one_in(5, "shared"):
        shared = layers.Dense(x.shape[-1], activation="relu")
        x = shared(shared(x))
    return x


def _heads(making: _Making, x: Any) -> list[Any]:
    layers = making.keras.layers
    if making.one_in(2, "hidden"):
        x = layers.Dense(16, activation="relu")(x)
    heads = [
        layers.Dense(4, activation="softmax"),
        layers.Dense(2),
        layers.Dense(1, activation="sigmoid"),
    ]
    chosen = making.random.permutation(3)[: 2 if making.one_in(4, "two outputs") else 1]
    return [heads[number](x) for number in chosen]


def _roughen(making: _Making, model: Any) -> None:
    """Dead columns, a target with an offset, and weights as large as training leaves them."""
    for layer in model._flatten_layers(include_self=False):
        if not isinstance(layer, making.keras.layers.Dense):
            continue
        kernel, bias = layer.get_weights()
        kernel = kernel * 1.5
        if kernel.shape[1] > 2 and making.one_in(4, "dead column"):
            kernel[:, 0] = 10.0 ** float(making.random.uniform(-20, -7)) * np.sign(kernel[:, 0])
        if layer.activation.__name__ == "linear" and making.one_in(3, "offset target"):
            bias = bias + 100
        layer.set_weights([kernel, bias])


def take_back_the_scale(made: HardModel) -> None:
    """Changes the first kernels so that sensors of any unit act as plain features would."""
    import keras

    (x, *_) = made.rows
    if x.dtype.kind != "f" or "unlike scales" not in made.traits:
        return
    valid = x[(x != made.fill).any(axis=-1)]
    mean, unit = valid.mean(axis=0, dtype=np.float64), valid.std(axis=0, dtype=np.float64)
    first = next(
        layer
        for layer in made.model.layers
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)
    )
    both = isinstance(first, keras.layers.Bidirectional)
    halves = [first.forward_layer, first.backward_layer] if both else [first]
    for half in halves:
        kernel, recurrent, bias = half.get_weights()
        changed = kernel / unit[:, None]
        moved = -(changed * mean[:, None]).sum(axis=0)
        bias = bias + (np.stack([moved, np.zeros_like(moved)]) if bias.ndim == 2 else moved)
        half.set_weights([changed, recurrent, bias])
