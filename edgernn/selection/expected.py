"""How long a training takes, roughly, before any has ended: from its sizes and this machine.

Measured on the digits: trainings with 16 to 128 units took 0.7 to 1.5 times as long as this says.
Those that end early take less.  As soon as one has ended, its own seconds count
(edgernn.selection.clock).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np

from edgernn.selection.contender import Job
from edgernn.tasks.notation import CELLS, Part, architecture_named
from edgernn.tasks.samples import Samples

#: So small that no BLAS uses a second thread, as a worker does not.
_ROWS, _INNER, _COLUMNS = 32, 64, 64
_TURNS, _CALLS = 20, 50
#: A training computes with a share of the speed of such products; the rest are functions of gates.
_SHARE_OF_SPEED: Final = 0.5
#: The way back costs about twice as much as the way there.
_WAYS: Final = 3
#: Products of the above that take as long as one step of one layer does beside its products.
_PRODUCTS_PER_STEP: Final = 130
#: To trace, save, export and score, in products of the above.
_PRODUCTS_PER_TRAINING: Final = 700_000
_GATES: Final = {"gru": 3, "lstm": 4}


@cache
def product_s() -> float:
    """Seconds of a small product on this machine, the least of several turns; takes some 10 ms."""
    a, b = np.ones((_ROWS, _INNER), np.float32), np.ones((_INNER, _COLUMNS), np.float32)
    found = math.inf
    for _ in range(_TURNS):
        began = time.perf_counter()
        for _ in range(_CALLS):
            a @ b
        found = min(found, (time.perf_counter() - began) / _CALLS)
    return found


def expected_from(train: Samples) -> Callable[[Job], float]:
    """Gives the seconds of a job on these rows; an ensemble that is averaged only is exported.

    >>> expected_from(splits.train)(job)
    14.2
    """
    rows, steps, features = len(train), train.x.shape[1], int(np.prod(train.x.shape[2:]))

    def expected_s(job: Job) -> float:
        around = _PRODUCTS_PER_TRAINING * product_s()
        if job.members:
            return around * len(job.members)
        recipe = job.recipe
        batches = recipe.epochs * math.ceil(job.share * rows / recipe.batch_size)
        layers = [
            layer
            for member in architecture_named(job.contender.architecture).members
            for layer in _layers(member * recipe.layers, features, job.contender.units)
        ]
        product = product_s() / (_ROWS * _INNER * _COLUMNS * _SHARE_OF_SPEED)
        of_rows = _WAYS * recipe.batch_size * sum(layers) * product
        of_steps = len(layers) * _PRODUCTS_PER_STEP * product_s()
        return float(around + batches * steps * (of_rows + of_steps))

    return expected_s


def _layers(parts: tuple[Part, ...], features: int, units: int) -> list[int]:
    """Multiplications of a step, of each direction of each layer."""
    found = []
    for part in parts:
        ways = 2 if part.both_ways else 1
        inner = features + units if part.kind in CELLS else features
        found += [_GATES.get(part.kind, 3) * units * inner] * ways
        features = units * ways
    return found
