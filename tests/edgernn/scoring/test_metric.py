"""The rows of the metrics: what each says of the same figures."""

from __future__ import annotations

import pytest

from edgernn.scoring.metric import METRICS
from edgernn.stats import Interval

ACCURACY, ERROR = METRICS["accuracy"], METRICS["mean absolute error"]


def test_each_metric_is_found_by_its_name():
    assert all(row.name == name for name, row in METRICS.items())


def test_a_loss_is_positive_where_the_model_became_worse():
    assert ACCURACY.loss(before=0.98, after=0.95) == pytest.approx(0.03)
    assert ERROR.loss(before=0.98, after=0.95) == pytest.approx(-0.03)


def test_clearly_better_is_the_whole_interval():
    assert ACCURACY.is_clearly_better(Interval(0.91, 0.95), than=0.9)
    assert not ACCURACY.is_clearly_better(Interval(0.89, 0.95), than=0.9)
    assert ERROR.is_clearly_better(Interval(0.7, 0.8), than=0.9)
    assert not ERROR.is_clearly_better(Interval(0.7, 0.95), than=0.9)


def test_values_are_written_in_the_unit_of_the_metric():
    interval = Interval(0.1, 0.25)
    found = [
        (row.text(0.2), row.interval_text(interval), row.amount(0.05)) for row in METRICS.values()
    ]
    assert found == [
        ("20.0 %", "[10.0, 25.0]", "5.0 points"),
        ("0.200", "[0.100, 0.250]", "0.0500"),
    ]
