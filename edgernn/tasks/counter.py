"""The number of pulses in a sequence: generated data that drive an LSTM's cell far beyond ±8.

The answer is a sum over 128 steps, and an LSTM stores a sum in its cell state: a trained one
reaches |c| = 89.  Real models have such states, too, and fixed-point formats that ignore them
saturate.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgernn.tasks.download import Notify
from edgernn.tasks.samples import Samples, Splits
from edgernn.tasks.split import SPLIT_SEED, split
from edgernn.tasks.task import Recipe, Rows, Task

STEPS: Final = 128
ROWS: Final = 4_000
CLASS_WIDTH: Final = 16  # 0..15 pulses are the first class


def read(_notify: Notify) -> Splits:
    """x [N, 128, 1] of zeros and ones; 2,200 training rows, 300 of validation, 1,500 of test."""
    return split(generated(ROWS, seed=SPLIT_SEED), test_share=0.375, validation_share=0.075)


def generated(rows: int, *, seed: int) -> Samples:
    """So many rows; other seeds give fresh ones."""
    random = np.random.default_rng(seed)
    # A rate for each row: with one rate for all, nearly every row would have the same count.
    rate = random.uniform(size=(rows, 1))
    pulses = random.random((rows, STEPS)) < rate
    # 128 pulses, which hardly ever happen, count as 127.
    counts = np.minimum(pulses.sum(axis=1), STEPS - 1)
    return Samples(
        name=TASK.name,
        x=pulses[..., None].astype(np.float32),
        y=(counts // CLASS_WIDTH).astype(np.int64),
        # A zero is a step without a pulse here, not padding.
        lengths=np.full(rows, STEPS, dtype=np.int64),
        labels=tuple(f"{low}..{low + CLASS_WIDTH - 1}" for low in range(0, STEPS, CLASS_WIDTH)),
        features=TASK.title,
    )


TASK: Final = Task(
    name="counter",
    title="a long memory: how many pulses in 128 steps, in classes of 16",
    origin="made by edgernn",
    rows=Rows(train=2200, validation=300, test=1500),
    shape=(128, 1),
    classes=8,
    read=read,
    recipe=Recipe(units=32, learning_rate=1e-2, epochs=60, patience=15),
)
