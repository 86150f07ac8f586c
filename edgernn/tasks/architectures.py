"""Reference models: standardization inside, recurrent layers, a softmax."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from edgernn.errors import DataError
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.samples import Samples

#: Tokens are bytes or indices into a small table; a single wrong number must not create a huge
#: table.
MOST_TOKENS = 100_000


class Cell(str, Enum):
    """The recurrent layers of a model; GRU_LSTM is an LSTM on top of a GRU."""

    GRU = "gru"
    LSTM = "lstm"
    GRU_LSTM = "gru-lstm"


def build(
    train: Samples, cell: Cell, *, units: int, layers: int, classes: int, every_step: bool = False
) -> Any:
    """An untrained keras.Model for samples like `train`: class probabilities [B, classes].

    float features [B, T, F] are standardized with the mean and deviation of the real training
    steps by a layer of the model, so that an artefact takes the features unchanged.  Tokens
    [B, T] go through an Embedding as wide as the recurrent layers.
    `layers` counts repetitions of the cell (of the pair, for GRU_LSTM).
    With `every_step` there is a result after each step: [B, T, classes].
    """
    keras = load_keras()
    if train.x.dtype.kind == "f":
        if train.x.ndim != 3:
            raise DataError(
                f"{train.name}: x has shape {train.x.shape}",
                remedy="A recurrent model takes [samples, steps, features]",
            )
        inputs = keras.Input(train.x.shape[1:], name="features")
        mean, variance = _statistics(train)
        edge = keras.layers.Normalization(mean=mean, variance=variance, name="standardize")(inputs)
    else:
        tokens = int(train.x.max()) + 1
        if tokens > MOST_TOKENS or train.x.min() < 0:
            raise DataError(
                f"{train.name}: x has tokens {train.x.min()}..{train.x.max()}",
                remedy=f"Tokens must be in 0..{MOST_TOKENS - 1}; features must be floats",
            )
        inputs = keras.Input(train.x.shape[1:], dtype="int32", name="tokens")
        edge = keras.layers.Embedding(max(tokens, classes), units, name="embedding")(inputs)
    kinds = _kinds(cell) * layers
    for number, kind in enumerate(kinds, start=1):
        recurrent = keras.layers.GRU if kind is Cell.GRU else keras.layers.LSTM
        edge = recurrent(
            units,
            return_sequences=every_step or number < len(kinds),
            name=f"{kind.value}_{number}",
        )(edge)
    outputs = keras.layers.Dense(classes, activation="softmax", name="probabilities")(edge)
    return keras.Model(inputs, outputs, name=cell.value.replace("-", "_"))


def _kinds(cell: Cell) -> tuple[Cell, ...]:
    return (Cell.GRU, Cell.LSTM) if cell is Cell.GRU_LSTM else (cell,)


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
