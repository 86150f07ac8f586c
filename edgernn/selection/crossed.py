"""The difference of two architectures, whose trainings share test rows and not their seeds.

A test on the rows of one pair of trainings (McNemar's) answers whether these two *files* differ.
Whether the *architectures* do is another question: a second training with another seed would score
differently, too.  Both kinds of luck are in the interval here: that of the seeds, which are
independent for the two, and that of the rows, which are shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.stats import CONFIDENCE, Interval, student_cdf, student_quantile
from edgernn.tasks.split import FEWEST_ORIGINS

#: Scores of each training on each test row, [S seeds, N rows]: right or wrong, or an error.
RowScores = npt.NDArray[np.float64]

#: With one training there is no spread between seeds to see.
FEWEST_SEEDS: Final = 2
#: Of simulated equal ensembles, two pairs call 11 % different, three 5 to 8 %, four 3 to 5 %.
FEWEST_PAIRS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Mean score of one architecture minus that of another, with what could be luck.

    The unit is that of the scores: a share for right and wrong, else that of the errors.
    """

    estimate: float
    interval: Interval  # 95 %
    p_value: float  # two-sided, of no difference
    seed_variance: float  # of the estimate, from the seeds: shrinks with more trainings
    row_variance: float  # of the estimate, from the test rows: shrinks with more rows
    seeds: int  # of the architecture that has fewer; 0: given files, of which there is one each
    rows: int


def crossed_difference(a: RowScores, b: RowScores, *, paired: bool = False) -> Effect:
    """The mean of `a` minus the mean of `b`, each [seeds, rows] over the same rows.

    paired: training s of `a` and training s of `b` have their luck in common, as an ensemble has
        with its members; other trainings have not.  Then the seeds' part comes from the means of
        `a - b`.  Taken as independent, the interval would be too wide.  Pairs need FEWEST_PAIRS
        seeds: of fewer, their spread is too uncertain, and they are taken as independent.

    Variances of a crossed design (rows × seeds): va and vb from the means of seeds, one from the
    differences of rows; the residual, which is in both, is subtracted once.  Degrees of freedom by
    Satterthwaite (Biometrics Bulletin 2, 1946).
    With one training of either, only the luck of the rows is in the interval, and no verdict
    follows from it (edgernn.selection.verdict).
    Raises ValueError for other rows, or fewer than 2 of them.

    >>> crossed_difference(right_gru, right_lstm).interval
    Interval(low=-0.004, high=0.011)
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape[1:] != b.shape[1:] or a.ndim != 2 or a.shape[1] < 2:
        raise ValueError(f"scores of shapes {a.shape} and {b.shape} share no two rows")
    rows = a.shape[1]
    of_rows = a.mean(axis=0) - b.mean(axis=0)  # [N]
    estimate = float(of_rows.mean())
    of_seeds = [a - b] if paired and len(a) == len(b) >= FEWEST_PAIRS else [a, b]  # independent
    if min(len(a), len(b)) < FEWEST_SEEDS:
        of_seeds = []
    seed_variances = [float(x.mean(axis=1).var(ddof=1)) / len(x) for x in of_seeds]
    seeds = sum(seed_variances)
    row = float(of_rows.var(ddof=1)) / rows
    both = sum(_residual(x) / (len(x) * rows) for x in of_seeds)
    variance = max(seeds + row - both, row, seeds)
    if variance == 0.0:  # every training is right on the same rows
        interval = Interval(estimate, estimate)
        p_value = 1.0 if estimate == 0.0 else 0.0
    else:
        freedom = variance**2 / (
            sum(v**2 / (len(x) - 1) for v, x in zip(seed_variances, of_seeds, strict=True))
            + row**2 / (rows - 1)
        )
        half = student_quantile((1 + CONFIDENCE) / 2, freedom) * math.sqrt(variance)
        interval = Interval(estimate - half, estimate + half)
        p_value = 2 * student_cdf(-abs(estimate) / math.sqrt(variance), freedom)
    return Effect(
        estimate=estimate,
        interval=interval,
        p_value=p_value,
        seed_variance=seeds,
        row_variance=row,
        seeds=min(len(a), len(b)),
        rows=rows,
    )


def by_origin(scores: RowScores, origins: Sequence[str]) -> RowScores:
    """[seeds, rows] -> [seeds, origins] with the same means: rows of one origin count as one.

    Rows of a speaker or of a machine are alike, so their luck does not average out.  Each origin
    weighs as its rows do.  Without origins, with one for each row, or with fewer than
    FEWEST_ORIGINS, the rows stay.
    """
    if not counted_origins(origins):
        return scores
    names, numbers = np.unique(np.asarray(origins, str), return_inverse=True)
    mean = scores.mean(axis=1, keepdims=True)
    summed = [np.bincount(numbers.reshape(-1), row) for row in scores - mean]
    return np.asarray(mean + np.array(summed) * (len(names) / len(origins)), np.float64)


def counted_origins(origins: Sequence[str]) -> int:
    """How many origins `by_origin` counts; 0 where it counts rows."""
    number = len(set(origins))
    return number if FEWEST_ORIGINS <= number < len(origins) else 0


def _residual(x: RowScores) -> float:
    """Variance of what neither the row nor the seed explains."""
    rest = x - x.mean(axis=0) - x.mean(axis=1)[:, None] + x.mean()
    freedom = (len(x) - 1) * (x.shape[1] - 1)
    return float(np.vdot(rest, rest) / freedom)
