"""How figures are written."""

from __future__ import annotations

import pytest

from edgernn import units
from edgernn.stats import Interval, Ratio


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (0.000123, "0.000123"),
        (0.0831, "0.0831"),
        (0.1, "0.100"),
        (0.99999, "1.00"),
        (1.0, "1.00"),
        (9.999, "10.0"),
        (12.44, "12.4"),
        (99.96, "100"),
        (123.4, "123"),
        (1204.4, "1,204"),
        (-0.5, "-0.500"),
    ],
)
def test_three_significant_digits(value, text):
    assert units.significant(value) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (71_234, "71.2 KB"),
        (999_949, "999.9 KB"),
        (999_950, "1.0 MB"),
        (42_123_456, "42.1 MB"),
    ],
)
def test_file_sizes_are_decimal(size_bytes, text):
    assert units.file_size(size_bytes) == text


def test_shares_and_counts():
    assert units.percent(0.9867) == "98.7 %"
    assert units.percent(0.25, 0) == "25 %"
    assert units.percent_interval(Interval(0.971, 0.9979)) == "[97.1, 99.8]"
    assert units.count(66_570) == "66,570"
    assert units.seconds(41.26) == "41.3 s"
    assert [units.minutes(one) for one in (41.3, 89.0, 540.0)] == ["41 s", "89 s", "9 min"]
    assert units.milliseconds(10.0) == "10.0 ms"
    assert {units.percent(None), units.count(None), units.percent_interval(None)} == {"–"}


def test_a_ratio_carries_its_interval_which_may_be_skewed():
    ratio = Ratio(estimate=1.2, interval=Interval(1.15, 1.26), enough_processes=True)
    assert units.times(ratio) == "1.20 × [1.15, 1.26]"


def test_an_interval_is_rounded_outwards():
    narrow = Ratio(estimate=1.2, interval=Interval(1.199, 1.201), enough_processes=True)
    assert units.times(narrow) == "1.20 × [1.19, 1.21]"


def test_an_interval_of_other_figures_has_three_digits():
    assert units.interval_text(Interval(0.1234, 12.0)) == "[0.123, 12.0]"
    assert units.interval_text(None) == "–"


def test_names_are_listed_as_a_person_would():
    assert [units.listed(["a"]), units.listed(["a", "b"]), units.listed(["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]
