"""Reference models: standardization inside, layers by notation, an output for the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Final

import numpy as np

from edgernn.errors import DataError
from edgernn.tasks.goal import season
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.notation import Architecture, Part
from edgernn.tasks.samples import AnyArray, Samples
from edgernn.tasks.sequences import PREVIOUS
from edgernn.tasks.target import Target

#: Tokens are bytes or indices into a small table; a single wrong number must not create a huge
#: table.
MOST_TOKENS = 100_000
#: Steps that a convolution sees: the present one and those before it.
KERNEL: Final = 5
#: The layer that knows mean and variance of the rows that a model was built for.
STANDARDIZE: Final = "standardize"
_NUMBERS: Final = "numbers"  # names of the layers that answer
_CLASSES: Final = "probabilities"


def build(
    train: Samples,
    architecture: Architecture,
    *,
    units: int,
    layers: int,
    dropout: float = 0.0,
    every_step: bool = False,
    seasonal_steps: int = 0,
    decoder_steps: int = 0,
    standardizes: bool = True,
) -> Any:
    """An untrained keras.Model for samples like `train`.

    float features [B, T, F] are standardized with the mean and deviation of the real training
    steps by a layer of the model, so that an artefact takes the features unchanged.  Tokens
    [B, T] go through an Embedding as wide as the recurrent layers.
    `layers` counts repetitions of the whole stack.
    dropout: while it trains, this share of what reaches the answers is set to 0.
    The output: probabilities [B, C] of classes and tokens, [B, K] of labels, [B, T, C] of a class
    for each step; numbers [B, ...] in the shape of y.  With `every_step` there is an answer after
    each step.  Where y has several outputs there is one of each name.
    seasonal_steps: what the network answers is added to what the input says so many steps before
    ("as last week"): see `season`.
    decoder_steps: of an architecture with a decoder, the tokens that it writes at most.  The model
    then has a second input, "previous" [B, decoder_steps]: the token before each, as teachers know
    it.  Its output is [B, decoder_steps, C].
    standardizes: without it the model takes features as `standardized` gives them, and other rows
    than those of `train` change nothing in it.
    """
    keras = load_keras()
    inputs, edge = _entrance(train, units, standardizes)
    numbers = count(1)
    name = architecture.name.replace("-", "_").replace("+", "_and_")
    if architecture.decoder is not None:
        read = _stacked(edge, architecture.members[0] * layers, units, False, numbers)
        previous, said = _written(read, train, architecture.decoder, units, decoder_steps)
        if dropout:
            said = keras.layers.Dropout(dropout, name="dropout_1")(said)
        return keras.Model([inputs, previous], _head(said, train, 0), name=name)
    wanted = train.outputs
    steps = every_step or any(one.target is Target.STEPS for one in wanted)
    stacks = [
        _stacked(edge, member * layers, units, steps, numbers) for member in architecture.members
    ]
    if dropout:
        stacks = [
            keras.layers.Dropout(dropout, name=f"dropout_{place}")(one)
            for place, one in enumerate(stacks, start=1)
        ]
    if len(wanted) == 1:
        return keras.Model(inputs, _answer(stacks, train, inputs, seasonal_steps), name=name)
    outputs = [
        _named(_answer(_ended(stacks, one, steps), one, inputs, 0, f"_of_{place}"), one.output)
        for place, one in enumerate(wanted)
    ]
    return keras.Model(inputs, outputs, name=name)


def number_heads(model: Any, output: int | None = None) -> Iterator[Any]:
    """The Dense layers that answer with numbers; of several outputs, those of one."""
    wanted = _NUMBERS if output is None else f"{_NUMBERS}_of_{output}"
    return (layer for layer in model.layers if layer.name.startswith(wanted))


def _answer(
    stacks: Sequence[Any], train: Samples, inputs: Any, seasonal_steps: int, end: str = ""
) -> Any:
    """The mean of what the members answer, in the shape of y."""
    layers = load_keras().layers
    heads = [_head(one, train, place, end) for place, one in enumerate(stacks)]
    outputs = heads[0] if len(heads) == 1 else layers.Average(name=f"average{end}")(heads)
    if seasonal_steps:
        outputs = layers.Add(name="seasonal")([outputs, inputs[season(train, seasonal_steps)]])
    shape = np.asarray(train.y).shape[1:]
    if train.target is Target.NUMBERS and len(shape) > 1:
        outputs = layers.Reshape(shape, name=f"in_shape{end}")(outputs)
    return outputs


def _ended(stacks: Sequence[Any], train: Samples, steps: bool) -> Sequence[Any]:
    """The stacks [B, T, units] as an output sees them that answers once: the mean of the steps."""
    if not steps or train.target is Target.STEPS:
        return stacks
    pooling = load_keras().layers.GlobalAveragePooling1D
    return [
        pooling(name=f"mean_of_{train.output}_{place}")(one) for place, one in enumerate(stacks)
    ]


def _named(edge: Any, output: str) -> Any:
    """The edge under the name of an output: a model's outputs are called after its layers."""
    return load_keras().layers.Activation("linear", name=output)(edge)


def standardized(x: AnyArray, train: Samples) -> AnyArray:
    """Features as the layer of a model for `train` gives them on; tokens as they are."""
    if train.x.dtype.kind != "f":
        return x
    mean, variance = (np.asarray(one, np.float32) for one in _statistics(train))
    return np.asarray((x.astype(np.float32) - mean) / np.sqrt(variance), np.float32)


def _entrance(train: Samples, units: int, standardizes: bool) -> tuple[Any, Any]:
    """(the input, its standardized features or embedded tokens)"""
    keras = load_keras()
    if train.x.dtype.kind == "f":
        if train.x.ndim != 3:
            raise DataError(
                f"{train.name}: x has shape {train.x.shape}",
                remedy="A recurrent model takes [samples, steps, features]",
            )
        inputs = keras.Input(train.x.shape[1:], name="features")
        if not standardizes:
            return inputs, inputs
        mean, variance = _statistics(train)
        normalization = keras.layers.Normalization(mean=mean, variance=variance, name=STANDARDIZE)
        return inputs, normalization(inputs)
    tokens = int(train.x.max()) + 1
    if tokens > MOST_TOKENS or train.x.min() < 0:
        raise DataError(
            f"{train.name}: x holds tokens {train.x.min()}..{train.x.max()}",
            remedy=f"Tokens must lie in 0..{MOST_TOKENS - 1}; features must be floats",
        )
    if train.target is Target.TOKEN:
        tokens = max(tokens, train.classes)
    inputs = keras.Input(train.x.shape[1:], dtype="int32", name="tokens")
    return inputs, keras.layers.Embedding(tokens, units, name="embedding")(inputs)


def _stacked(edge: Any, parts: tuple[Part, ...], units: int, steps: bool, numbers: Any) -> Any:
    """The layers upon each other: [B, T, units] where there is an answer for each step, else
    [B, units].
    """
    keras = load_keras()
    for place, part in enumerate(parts):
        is_last, number = place + 1 == len(parts), next(numbers)
        name = f"{part.kind}_{number}"
        sequences = steps or not is_last
        match part.kind:
            case "conv":
                edge = keras.layers.Conv1D(
                    units, KERNEL, padding="causal", activation="relu", name=name
                )(edge)
            case "attention":
                edge = _attention(edge, units, name)
            case _:
                kind = keras.layers.GRU if part.kind == "gru" else keras.layers.LSTM
                layer = kind(units, return_sequences=sequences, name=name)
                if part.both_ways:
                    layer = keras.layers.Bidirectional(layer, name=f"bi_{name}")
                edge = layer(edge)
        if part.kind in {"conv", "attention"} and not sequences:
            edge = keras.layers.GlobalAveragePooling1D(name=f"mean_{number}")(edge)
    return edge


def _attention(edge: Any, units: int, name: str) -> Any:
    """One head of self-attention around a residual connection, normalized."""
    layers = load_keras().layers
    query, key, value = (
        layers.Dense(units, name=f"{name}_{role}")(edge) for role in ("query", "key", "value")
    )
    seen = layers.Attention(use_scale=True, name=name)([query, value, key])
    return layers.LayerNormalization(name=f"{name}_norm")(
        layers.Add(name=f"{name}_add")([value, seen])
    )


def _written(
    read: Any, train: Samples, cell: str, units: int, decoder_steps: int
) -> tuple[Any, Any]:
    """(the input of tokens before, the states [B, U, units]) of a decoder after an encoder.

    Each state of the decoder starts as a function of what was read [B, units], so that every pair
    of cells fits.
    """
    layers = load_keras().layers
    previous = load_keras().Input((decoder_steps,), dtype="int32", name=PREVIOUS)
    embedded = layers.Embedding(train.classes, units, name="embedding_previous")(previous)
    states = [layers.Dense(units, activation="tanh", name="state_h")(read)]
    if cell == "lstm":
        states.append(layers.Dense(units, name="state_c")(read))
    kind = layers.GRU if cell == "gru" else layers.LSTM
    decoder = kind(units, return_sequences=True, name=f"decoder_{cell}")
    return previous, decoder(embedded, initial_state=states)


def _head(edge: Any, train: Samples, place: int, end: str = "") -> Any:
    """The answers of one member, at each step that it gives."""
    layers, end = load_keras().layers, f"{end}_{place + 1}" if place else end
    if train.target is Target.NUMBERS:
        values = np.asarray(train.y).reshape(len(train), -1).shape[1]
        return layers.Dense(values, name=f"{_NUMBERS}{end}")(edge)
    activation = "sigmoid" if train.target is Target.LABELS else "softmax"
    return layers.Dense(train.classes, activation=activation, name=f"{_CLASSES}{end}")(edge)


def _statistics(train: Samples) -> tuple[list[float], list[float]]:
    """Mean and variance of each feature over the real steps.

    A constant feature gets the variance 1: Keras would divide by its epsilon instead.
    """
    first, last = (steps[:, None] for steps in train.real_steps())
    step = np.arange(train.x.shape[1])
    real = train.x[(first <= step) & (step <= last)].astype(np.float64)  # [steps in all, F]
    variance = real.var(axis=0)
    huge = np.flatnonzero(variance > np.finfo(np.float32).max)
    if huge.size:
        raise DataError(
            f"{train.name}: feature {huge[0]} of x reaches {np.abs(real[:, huge[0]]).max():.1e}, "
            "and the square of that is beyond float32",
            remedy="Scale the features, to between -1 and 1 for example",
        )
    variance[variance < 1e-12 * (1.0 + real.mean(axis=0) ** 2)] = 1.0
    return real.mean(axis=0).tolist(), variance.tolist()
