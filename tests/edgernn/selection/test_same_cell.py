"""A GRU against a GRU: what real trainings, not simulated ones, make of two equal contenders."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgernn.scheme import Scheme
from edgernn.selection.contender import Contender, Job
from edgernn.selection.crossed import crossed_difference
from edgernn.selection.training import row_scores
from edgernn.selection.verdict import Outcome, verdicts
from edgernn.selection.work import Forms, trained
from edgernn.tasks.given import as_samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe

COMPARISONS = 20
SEEDS = 3
ROWS = 600
FORM = "native int8"


def data(number):
    """Which of two features is the larger one where a third peaks: a linear model learns little."""
    random = np.random.default_rng(number)
    x = random.normal(size=(ROWS, 6, 3)).astype(np.float32)
    peak = x[:, :, 2].argmax(axis=1)
    at = x[np.arange(ROWS), peak]
    return x, (at[:, 0] + random.normal(0, 0.3, ROWS) > at[:, 1]).astype(np.int64)


def contender(number, kept):
    """Trainings of the two sides: the same cell and recipe, other seeds."""
    splits = split(as_samples(data(number)))
    jobs = [
        Job(
            contender=Contender(architecture="gru", units=8),
            recipe=Recipe(units=8, epochs=8, batch_size=16, learning_rate=1e-2),
            repetition=repetition,
            data_sha256=str(number),
        )
        for repetition in range(2 * SEEDS)
    ]
    forms = Forms(formats=("native",), schemes=(Scheme.INT8,))
    runs = [trained(job, splits, forms, kept) for job in jobs]
    return runs[::2], runs[1::2]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_gru_is_called_better_than_a_gru_in_3_of_20_comparisons_at_most(tmp_path):
    pytest.importorskip("tensorflow")
    counted: Counter[Outcome] = Counter()
    for number in range(COMPARISONS):
        a, b = (row_scores(runs, FORM) for runs in contender(number, tmp_path))
        (verdict,) = verdicts([crossed_difference(a, b)], worth=0.005, higher_is_better=True)
        counted[verdict.outcome] += 1
    assert counted[Outcome.BETTER] <= 3, counted
    assert counted[Outcome.WORSE] <= 3
    assert sum(counted.values()) == COMPARISONS
