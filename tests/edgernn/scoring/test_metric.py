"""The rows of the metrics: what each says of the same figures."""

from __future__ import annotations

import pytest

from edgernn.errors import DataError
from edgernn.scoring.answers import Answers
from edgernn.scoring.metric import METRICS, metric_for, metric_named, metrics_for
from edgernn.stats import Interval
from edgernn.tasks.target import Target

ACCURACY, ERROR = METRICS["accuracy"], METRICS["MAE"]
TWO = Answers(rows=3, classes=(0, 1, 1), choices=2)


def test_each_metric_is_found_by_its_name():
    assert all(row.name == name for name, row in METRICS.items())


def test_a_loss_is_positive_where_the_model_became_worse():
    assert ACCURACY.loss(before=0.98, after=0.95) == pytest.approx(0.03)
    assert ERROR.loss(before=0.98, after=0.95) == pytest.approx(-0.03)


def test_limits_are_points_of_a_share_and_percent_of_an_error():
    assert ACCURACY.cost(before=0.98, after=0.95) == pytest.approx(0.03)
    assert ACCURACY.cost_text(0.03) == "3 points"
    assert ERROR.cost(before=200.0, after=202.0) == pytest.approx(0.01)
    assert ERROR.cost_text(0.01) == "1 %"
    assert ERROR.cost(before=0.0, after=0.0) == 0.0
    assert ERROR.cost(before=0.0, after=1.0) == float("inf")


def test_a_limit_is_named_for_what_it_forbids():
    limits = {row.limit for row in METRICS.values()}
    assert limits == {
        *("accuracy_drop", "f1_macro_drop", "f1_drop", "auc_drop", "r2_drop"),
        *("mae_rise", "rmse_rise", "perplexity_rise", "edit_distance_rise"),
    }


def test_clearly_better_is_the_whole_interval():
    assert ACCURACY.is_clearly_better(Interval(0.91, 0.95), than=0.9)
    assert not ACCURACY.is_clearly_better(Interval(0.89, 0.95), than=0.9)
    assert ERROR.is_clearly_better(Interval(0.7, 0.8), than=0.9)
    assert not ERROR.is_clearly_better(Interval(0.7, 0.95), than=0.9)


def test_values_are_written_in_the_unit_of_the_metric():
    interval = Interval(0.1, 0.25)
    found = {
        (row.text(0.2), row.interval_text(interval), row.amount(0.05)) for row in METRICS.values()
    }
    assert found == {
        ("20.0 %", "[10.0, 25.0]", "5.0 points"),
        ("0.200", "[0.100, 0.250]", "0.0500"),
    }


@pytest.mark.parametrize(
    ("answers", "names"),
    [
        (Answers(rows=3, classes=(0, 1, 2), choices=3), ["accuracy", "F1 macro"]),
        (TWO, ["accuracy", "F1 macro", "F1", "AUC"]),
        (Answers(rows=2, classes=(1, 1), choices=2), ["accuracy", "F1 macro"]),
        (Answers(rows=3, target=Target.NUMBERS), ["MAE", "RMSE", "R²"]),
        (Answers(rows=3, target=Target.LABELS), ["F1 macro"]),
        (Answers(rows=3, target=Target.STEPS), ["accuracy", "F1 macro", "perplexity"]),
        (Answers(rows=3, target=Target.TOKEN), ["perplexity", "accuracy"]),
        (Answers(rows=3, target=Target.SEQUENCE), ["edit distance"]),
        (Answers(rows=3, target=None), []),
    ],
    ids=["classes", "two", "one there", "numbers", "labels", "steps", "token", "sequence", "none"],
)
def test_the_metrics_of_a_target_begin_with_the_one_that_people_expect(answers, names):
    assert [row.name for row in metrics_for(answers)] == names
    first = metric_for(answers)
    assert (first.name if first else None) == (names[0] if names else None)


def test_every_target_has_a_first_metric():
    for target in Target:
        assert sum(target in row.is_first_for for row in METRICS.values()) == 1


def test_a_metric_that_does_not_fit_the_target_is_refused():
    assert metric_named("F1 macro", TWO) is metric_named("f1_macro", TWO)
    with pytest.raises(DataError, match=r"mae does not fit data of the target 'class'.*accuracy"):
        metric_named("mae", TWO)
    with pytest.raises(DataError, match=r"there is no metric 'mood'.*accuracy, f1_macro"):
        metric_named("mood", TWO)
    with pytest.raises(DataError, match="does not fit data of no labels"):
        metric_named("mae", Answers(rows=3, target=None))
