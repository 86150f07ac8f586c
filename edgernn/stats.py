"""Figures with their uncertainty.  "Not significant" is an answer.

Times are summarised by median and MAD, since their distribution has a long tail to one side.  The
unit of resampling is the process: calls within one share its luck (memory layout, frequency).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

CONFIDENCE: Final = 0.95
SIGNIFICANCE: Final = 1 - CONFIDENCE
RESAMPLES: Final = 10_000  # of processes
ROW_RESAMPLES: Final = 2_000  # of rows: the ends of an interval move by a fiftieth of its width
#: With five pairs of processes the interval of a ratio covers the truth in 94 % of simulated
#: comparisons (noise 3 % a process, drift 5 % a round), with three in 75 %: too few for a verdict.
FEWEST_PROCESSES: Final = 5

_NORMAL_QUANTILE: Final = 1.959964  # of (1 + CONFIDENCE) / 2

Values = Sequence[float] | npt.NDArray[Any]


class Interval(NamedTuple):
    """Where the true value lies with 95 % confidence."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times larger the first of two figures is than the second.

    p_value: of a paired t-test of the logarithms, adjusted where several ratios are tested (holm);
        None where nothing was tested.
    stable: whether both figures are to be trusted; a verdict needs that.
    """

    estimate: float
    interval: Interval
    enough_processes: bool
    p_value: float | None = None
    stable: bool = True

    @property
    def can_be_judged(self) -> bool:
        """Whether there are enough processes, undisturbed ones."""
        return self.enough_processes and self.stable

    @property
    def significant(self) -> bool:
        """Whether the data rule out that the two are equal: by the interval and by the test."""
        excluded = not self.interval.low <= 1.0 <= self.interval.high
        unlikely = self.p_value is None or self.p_value < SIGNIFICANCE
        return self.can_be_judged and excluded and unlikely


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first of two figures minus the second, and whether that could be luck."""

    estimate: float
    interval: Interval | None  # None: the test gives a p-value and no interval
    p_value: float | None

    @property
    def significant(self) -> bool:
        if self.p_value is not None:
            return self.p_value < SIGNIFICANCE
        return self.interval is not None and not self.interval.low <= 0.0 <= self.interval.high


def median(values: Values) -> float:
    return float(np.median(np.asarray(values)))


def mad(values: Values) -> float:
    """Median absolute deviation from the median, not scaled to a normal distribution's sigma."""
    x = np.asarray(values)
    return float(np.median(np.abs(x - np.median(x))))


def percentile(values: Values, percent: float) -> float:
    """Linear between the two nearest ranks (numpy's default, type 7 of Hyndman and Fan)."""
    return float(np.percentile(np.asarray(values), percent))


def ratio_of_medians(a: Sequence[Values], b: Sequence[Values], *, seed: int = 0) -> Ratio:
    """The median of `a` over the median of `b`, each a list of processes with their values.

    The figure of a process is its median, that of several processes the median of theirs.  The
    interval is a percentile bootstrap over processes; process i of `a` was run next to process i
    of `b`, so pairs are drawn together and a drift of the machine cancels out.
    """
    medians_a = np.array([median(values) for values in a])
    medians_b = np.array([median(values) for values in b])
    pairs = min(len(medians_a), len(medians_b))
    if pairs == 0:
        raise ValueError("a ratio needs at least one process of each")
    drawn = np.random.default_rng(seed).integers(0, pairs, (RESAMPLES, pairs))
    ratios = np.median(medians_a[drawn], axis=1) / np.median(medians_b[drawn], axis=1)
    return Ratio(
        estimate=median(medians_a) / median(medians_b),
        interval=_percentile_interval(ratios),
        enough_processes=pairs >= FEWEST_PROCESSES,
        p_value=paired_log_test(medians_a[:pairs], medians_b[:pairs]),
    )


def bootstrap(
    rows: int,
    counted: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    *,
    resamples: int = ROW_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a figure over rows that are drawn with replacement.

    `counted` gets how often each row was drawn, [R, rows], and returns R values (edgernn.measures).
    A resample without a value (NaN) is left out.
    """
    random = np.random.default_rng(seed)
    at_once = max(1, 2_000_000 // rows)  # to spare memory
    values = []
    for done in range(0, resamples, at_once):
        count = min(at_once, resamples - done)
        drawn = random.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        values.append(counted(weights.astype(np.float64)))
    found = np.concatenate(values)
    known = found[np.isfinite(found)]
    return _percentile_interval(known) if len(known) else Interval(math.nan, math.nan)


def paired_log_test(a: Values, b: Values) -> float:
    """Two-sided p-value of a paired t-test on log a - log b: [N], [N] positive figures.

    The bootstrap alone is too sure of few pairs: with five, it calls one in sixteen equal pairs
    different, whenever all five lie on one side.
    """
    logs = np.log(np.asarray(a, np.float64)) - np.log(np.asarray(b, np.float64))
    mean, n = float(logs.mean()), len(logs)
    if n < 2:
        return 1.0
    error = float(logs.std(ddof=1)) / math.sqrt(n)
    if error <= 1e-12 * abs(mean) or error == 0.0:  # no noise at all: made-up or constant figures
        return 0.0 if mean != 0.0 else 1.0
    return 2.0 * student_cdf(-abs(mean / error), n - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for testing all of them (Holm, Scandinavian J. of Statistics 6, 1979).

    >>> holm([0.01, 0.04])
    [0.02, 0.04]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def mean_interval(values: Values, *, seed: int = 0) -> Interval:
    """Percentile bootstrap of the mean of figures, one for each row."""
    x = np.asarray(values, np.float64)
    return bootstrap(len(x), lambda drawn: drawn @ x / len(x), seed=seed)


def paired_difference(a: Values, b: Values, *, seed: int = 0) -> Difference:
    """mean(a) - mean(b) of figures of the same rows, by bootstrap over the rows."""
    x = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return Difference(estimate=float(x.mean()), interval=mean_interval(x, seed=seed), p_value=None)


def clopper_pearson(successes: int, trials: int) -> Interval:
    """The exact binomial interval of a proportion (Clopper and Pearson, Biometrika 26, 1934)."""
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes of {trials} trials")
    tail = SIGNIFICANCE / 2
    k, n = successes, trials
    low = 0.0 if k == 0 else _solve(lambda p: regularized_beta(p, k, n - k + 1) - tail)
    high = 1.0 if k == n else _solve(lambda p: regularized_beta(p, k + 1, n - k) - (1 - tail))
    return Interval(low, high)


def poisson_interval(count: int) -> Interval:
    """The exact interval of what is counted, where each is independent of the others (Garwood,
    Biometrika 28, 1936).

    >>> poisson_interval(0)  # nothing was seen: up to 3.7 may be expected
    Interval(low=0.0, high=3.688879454113936)
    """
    if count < 0:
        raise ValueError(f"{count} is no count")
    tail = SIGNIFICANCE / 2
    wide = count + 10 * math.sqrt(count + 1) + 10  # no interval of 95 % goes beyond
    low = 0.0
    if count:
        low = wide * _solve(lambda part: 1 - _poisson_cdf(count - 1, wide * part) - tail)
    high = wide * _solve(lambda part: tail - _poisson_cdf(count, wide * part))
    return Interval(low, high)


def _poisson_cdf(count: int, mean: float) -> float:
    """The probability of at most `count` where `mean` are expected."""
    if mean == 0:
        return 1.0
    logs = (i * math.log(mean) - mean - math.lgamma(i + 1) for i in range(count + 1))
    return min(1.0, math.fsum(map(math.exp, logs)))


def mcnemar(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]) -> Difference:
    """The difference of two accuracies on the same samples, by McNemar's exact test.

    Only samples on which exactly one of the two is right say anything: under equality each is as
    likely to be either's, so their count is binomial with p = 1/2 (two-sided p-value).
    The interval is Wald's with a row added to either kind (Bonett and Price, J. Educational and
    Behavioral Statistics 37, 2012).
    """
    only_a = int(np.count_nonzero(right_a & ~right_b))
    only_b = int(np.count_nonzero(right_b & ~right_a))
    return Difference(
        estimate=float(right_a.mean() - right_b.mean()),
        interval=_paired_interval(only_a, only_b, len(right_a)),
        p_value=sign_test(only_a, only_b),
    )


def _paired_interval(only_a: int, only_b: int, rows: int) -> Interval:
    a, b = (only_a + 1) / (rows + 2), (only_b + 1) / (rows + 2)
    half = _NORMAL_QUANTILE * math.sqrt((a + b - (a - b) ** 2) / (rows + 2))
    return Interval(max(a - b - half, -1.0), min(a - b + half, 1.0))


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value of so many wins and losses, were both equally likely."""
    n, fewer = wins + losses, min(wins, losses)
    if wins == losses:
        return 1.0
    return min(1.0, 2 * regularized_beta(0.5, n - fewer, fewer + 1))


def regularized_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), the distribution function of the beta distribution; also of the binomial:

    P(X >= k) = I_p(k, n - k + 1).  By the continued fraction (DLMF 8.17.22), which converges fast
    left of the mean; right of it, I_x(a, b) = 1 - I_(1-x)(b, a).
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - regularized_beta(1.0 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _continued_fraction(x, a, b))


def student_cdf(t: float, freedom: float) -> float:
    """P(T <= t) of Student's distribution; `freedom` need not be a whole number."""
    tail = regularized_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
    return tail if t < 0 else 1.0 - tail


def student_quantile(p: float, freedom: float) -> float:
    """The t with P(T <= t) = p of Student's distribution, for p in (0, 1)."""
    if not 0.0 < p < 1.0:
        raise ValueError(f"a quantile of {p}")
    if p < 0.5:
        return -student_quantile(1.0 - p, freedom)
    # t² = freedom · (1 − u) / u, where u is the quantile of the beta distribution
    u = _solve(lambda x: regularized_beta(x, freedom / 2, 0.5) - 2 * (1.0 - p))
    return math.sqrt(freedom * (1.0 - u) / u)


def _continued_fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + …)), evaluated from the far end; d_m as in DLMF 8.17.23."""
    terms = 60 + int(4 * math.sqrt(max(a, b)))
    value = 1.0
    for term in range(terms, 0, -1):
        m = term // 2
        if term % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        value = 1.0 + d / value
    return value


def _solve(rising: Callable[[float], float]) -> float:
    """The root of a rising function on [0, 1], by bisection down to neighbouring floats."""
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        if rising(middle) > 0:
            high = middle
        else:
            low = middle
    return middle


def _percentile_interval(resampled: npt.NDArray[np.float64]) -> Interval:
    low, high = np.percentile(resampled, [100 * SIGNIFICANCE / 2, 100 * (1 - SIGNIFICANCE / 2)])
    return Interval(float(low), float(high))
