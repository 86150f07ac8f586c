"""Statistics to the digit.  Reference values: scipy 1.17, and tables where a source is named."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgernn import stats


def test_median_and_mad_ignore_one_wild_value():
    values = [1.0, 1.1, 0.9, 1.0, 50.0]
    assert stats.median(values) == 1.0
    assert stats.mad(values) == pytest.approx(0.1)


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 2.5), (95, 3.85), (100, 4)])
def test_percentiles_interpolate_between_ranks(percent, expected):
    assert stats.percentile([4, 1, 3, 2], percent) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # from binomtest of scipy, method "exact"
        (297, 300, 0.9710554887443072, 0.9979329927649079),
        (96, 100, 0.9007428432873397, 0.9889955060138118),
        (5, 10, 0.1870860284474045, 0.8129139715525955),
        # the bounds at the ends are closed forms: 1 - (alpha/2) ** (1/n)
        (0, 10, 0.0, 1 - 0.025 ** (1 / 10)),
        (10, 10, 0.025 ** (1 / 10), 1.0),
        (1, 1, 0.025, 1.0),
    ],
)
def test_the_exact_binomial_interval(successes, trials, low, high):
    interval = stats.clopper_pearson(successes, trials)
    assert interval.low == pytest.approx(low, abs=1e-12)
    assert interval.high == pytest.approx(high, abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0, 0)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="successes of"):
        stats.clopper_pearson(successes, trials)


@given(st.integers(1, 400), st.data())
def test_the_interval_contains_the_proportion_and_mirrors(trials, data):
    successes = data.draw(st.integers(0, trials))
    interval = stats.clopper_pearson(successes, trials)
    mirrored = stats.clopper_pearson(trials - successes, trials)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 50, 1234])
def test_the_interval_of_counts_is_that_of_chi_squared(count):
    """Against scipy, by another formula."""
    chi2 = pytest.importorskip("scipy.stats").chi2
    interval = stats.poisson_interval(count)
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    assert interval.low == pytest.approx(low, rel=1e-9, abs=1e-12)
    assert interval.high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2, rel=1e-9)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="-1 is no count"):
        stats.poisson_interval(-1)


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.001, 0.999))
def test_the_beta_distribution_is_the_binomial_tail(n, k, p):
    k = min(k, n - 1)
    at_most_k = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))
    assert stats.regularized_beta(1 - p, n - k, k + 1) == pytest.approx(at_most_k, abs=1e-10)


@pytest.mark.parametrize(
    ("x", "a", "b", "expected"),
    [
        # from scipy, its betainc
        (0.5, 2.0, 3.0, 0.6875),
        (0.0011688643971115406, 8.0, 9127.0, 0.8348116801256088),
        (0.8534244628290766, 5436.0, 935.0, 0.5131627134764605),
        (0.0, 2.0, 3.0, 0.0),
        (1.0, 2.0, 3.0, 1.0),
    ],
)
def test_the_incomplete_beta_function(x, a, b, expected):
    assert stats.regularized_beta(x, a, b) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("wins", "losses", "p_value"),
    [
        # binomial tails by hand: 2 * sum C(n, i) / 2**n
        (0, 6, 2 / 64),
        (1, 8, 2 * (1 + 9) / 512),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
        (5, 5, 1.0),
        (0, 0, 1.0),
        (300, 250, 0.036578745549102676),  # scipy.stats.binomtest(300, 550).pvalue
    ],
)
def test_the_sign_test(wins, losses, p_value):
    assert stats.sign_test(wins, losses) == pytest.approx(p_value, rel=1e-9)
    assert stats.sign_test(losses, wins) == pytest.approx(p_value, rel=1e-9)


def test_mcnemar_counts_only_rows_on_which_one_of_two_is_right():
    both, only_a, only_b, none = 90, 8, 1, 1
    right_a = np.array([True] * (both + only_a) + [False] * (only_b + none))
    right_b = np.array([True] * both + [False] * only_a + [True] * only_b + [False] * none)
    difference = stats.mcnemar(right_a, right_b)
    assert difference.estimate == pytest.approx(0.07)
    assert difference.p_value == pytest.approx(2 * (1 + 9) / 512)
    assert difference.significant
    # By hand: 9/102 and 2/102, difference .0686, standard error .0317.
    assert difference.interval == pytest.approx((0.0065, 0.1307), abs=5e-4)
    same = stats.mcnemar(right_a, right_a)
    assert not same.significant
    assert same.interval is not None
    assert same.interval.low < 0 < same.interval.high


def test_a_clear_ratio_is_significant_and_its_inverse_too():
    slow = [[2.0, 2.1], [2.2, 2.0], [2.1, 2.0], [1.9, 2.0], [2.0, 2.05]]
    fast = [[1.0, 1.1], [1.1, 1.0], [1.05, 1.0], [0.95, 1.0], [1.0, 1.02]]
    ratio = stats.ratio_of_medians(slow, fast)
    assert ratio.estimate == pytest.approx(2.05 / 1.025)
    assert ratio.interval.low <= ratio.estimate <= ratio.interval.high
    assert ratio.significant
    assert stats.ratio_of_medians(fast, slow).significant


def test_two_equal_artefacts_are_not_significantly_different():
    a = [[1.00], [1.04], [0.97], [1.02], [0.99]]
    b = [[1.01], [1.00], [1.03], [0.98], [1.00]]
    ratio = stats.ratio_of_medians(a, b)
    assert ratio.interval.low < 1 < ratio.interval.high
    assert not ratio.significant


def test_a_drift_that_hits_both_cancels_out():
    drift = [1.0, 1.2, 1.5, 1.9, 2.4]
    ratio = stats.ratio_of_medians([[1.1 * d] for d in drift], [[d] for d in drift])
    assert ratio.estimate == pytest.approx(1.1)
    assert ratio.interval == pytest.approx((1.1, 1.1))
    assert ratio.significant


def test_too_few_processes_allow_no_verdict():
    ratio = stats.ratio_of_medians([[2.0]] * 4, [[1.0]] * 4)
    assert ratio.estimate == 2.0
    assert not ratio.enough_processes
    assert not ratio.significant


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [  # from scipy.stats.ttest_rel of the logarithms
        ([1.02, 1.05, 0.99, 1.04, 1.01], [1.0, 1.0, 0.98, 1.0, 1.02], 0.10671378386264821),
        ([2.0, 2.1, 2.2, 1.9, 2.05, 2.1], [1.0, 1.1, 1.05, 0.95, 1.0, 1.0], 7.243059756349901e-8),
        ([1.0, 1.0, 1.1, 1.05], [1.02, 0.97, 1.0, 1.01], 0.2222344759498024),
    ],
)
def test_the_p_value_of_a_ratio_is_that_of_a_paired_t_test_of_logarithms(a, b, expected):
    assert stats.paired_log_test(a, b) == pytest.approx(expected, rel=1e-9)
    assert stats.ratio_of_medians([[x] for x in a], [[x] for x in b]).p_value == pytest.approx(
        expected, rel=1e-9
    )


def test_holm_multiplies_the_smallest_p_value_by_their_number():
    # as R's p.adjust(c(.01, .04, .03, .005), "holm")
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_equal_series_are_called_different_in_at_most_one_case_of_twenty():
    random = np.random.default_rng(11)
    called = sum(
        stats.ratio_of_medians(
            [[x] for x in random.normal(1, 0.03, 5)], [[x] for x in random.normal(1, 0.03, 5)]
        ).significant
        for _ in range(400)
    )
    assert called <= 30  # the mean is 20 at most; the bootstrap alone gives 40


def test_a_ratio_of_unstable_figures_is_never_significant():
    ratio = stats.ratio_of_medians([[2.0 + k / 100] for k in range(5)], [[1.0]] * 5)
    assert ratio.significant
    assert not replace(ratio, stable=False).significant
    assert not replace(ratio, p_value=0.06).significant


def test_a_ratio_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one process"):
        stats.ratio_of_medians([], [])


def test_the_interval_of_a_ratio_is_as_wide_as_it_says():
    """Its coverage is what FEWEST_PROCESSES rests on: 94 % in a larger simulation."""
    random = np.random.default_rng(3)
    covered = 0
    trials = 100
    for _ in range(trials):
        drift = random.normal(0, 0.05, 5)
        a, b = (list(np.exp(drift + random.normal(0, 0.03, 5))[:, None]) for _ in range(2))
        interval = stats.ratio_of_medians(a, b).interval
        covered += interval.low <= 1.0 <= interval.high
    assert 0.88 <= covered / trials <= 0.99


def test_the_mean_of_equal_errors_is_certain():
    assert stats.mean_interval([2.0] * 30) == (2.0, 2.0)


def test_the_bootstrap_of_a_mean_agrees_with_the_normal_approximation():
    x = np.random.default_rng(0).normal(5.0, 2.0, 1000)
    interval = stats.mean_interval(x)
    half_width = 1.96 * x.std() / math.sqrt(len(x))
    assert interval.half_width == pytest.approx(half_width, rel=0.05)
    assert (interval.low + interval.high) / 2 == pytest.approx(x.mean(), abs=0.02)


def test_paired_errors_are_compared_row_by_row():
    random = np.random.default_rng(1)
    hard = random.gamma(2.0, 5.0, 200)  # rows differ far more than models do
    difference = stats.paired_difference(hard + 0.1, hard)
    assert difference.estimate == pytest.approx(0.1)
    assert difference.significant
    assert not stats.paired_difference(hard, hard).significant


def test_the_same_seed_gives_the_same_interval():
    values = list(np.random.default_rng(2).normal(size=50))
    assert stats.mean_interval(values) == stats.mean_interval(values)


@pytest.mark.parametrize(
    ("p", "freedom", "expected"),
    [  # from scipy.stats.t.ppf
        (0.975, 4, 2.7764451051977934),
        (0.975, 2.5, 3.5746548420036817),
        (0.975, 1, 12.706204736174694),
        (0.95, 37.3, 1.6867452971434367),
        (0.2, 3, -0.9784723123633038),
        (0.999, 8, 4.5007909337237235),
    ],
)
def test_quantiles_of_students_distribution(p, freedom, expected):
    assert stats.student_quantile(p, freedom) == pytest.approx(expected, rel=1e-9)
    assert stats.student_cdf(expected, freedom) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0])
def test_a_quantile_lies_between_0_and_1(p):
    with pytest.raises(ValueError, match="a quantile of"):
        stats.student_quantile(p, 3)
