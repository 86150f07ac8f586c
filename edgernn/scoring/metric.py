"""The metrics: one row contains everything that belongs to a metric.

A new metric is a row of METRICS, with its arithmetic in edgernn/measures.py; tables, sentences,
plots, budgets and cautions read the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn import measures
from edgernn.errors import DataError
from edgernn.graph.tensor import AnyArray
from edgernn.measures import Counted
from edgernn.scoring.answers import Answers
from edgernn.scoring.packed import Packed
from edgernn.scoring.predictions import Predictions
from edgernn.stats import Difference, Interval, bootstrap, clopper_pearson, mcnemar
from edgernn.tasks.target import Target
from edgernn.units import interval_text, percent, percent_interval, points, significant


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One way to judge answers.

    Values are in the metric's own unit: shares (0 to 1) for accuracy, the unit of y for errors.
    """

    name: str  # in tables and files
    key: str  # in names of figures: accuracy_drop, mae_rise
    noun: str  # in a sentence: "its accuracy is lower"
    higher_is_better: bool
    unit: str  # of plots, after `scale`
    scale: float  # from a value to its plot and to points: 100 for shares
    least: float  # that a value can be, and the largest one
    largest: float
    interval_note: str  # what the interval is, for the reader of a plot
    widest: float  # half width of an interval that deserves no caution
    is_share: bool  # a change is said in points; otherwise in percent of the value before
    judges: Callable[[Answers], bool]
    is_first_for: tuple[Target, ...]  # whose score it is unless another metric is asked for
    counted: Callable[[Predictions, Answers], Counted]
    text: Callable[[float | None], str]  # a value: 98.6 %
    interval_text: Callable[[Interval | None], str]  # [97.7, 99.2]
    amount: Callable[[float], str]  # of a difference: 0.4 points
    is_exact: Callable[[Answers], bool] = lambda _: False  # right or wrong, row by row
    reads: Callable[[Predictions], bool] = lambda _: True  # whether they hold what it counts

    def score(self, predictions: Predictions, answers: Answers) -> tuple[float, Interval]:
        """The value with its 95 % interval: exact for a share of rows, else by bootstrap."""
        if self.is_exact(answers):
            right = int(np.count_nonzero(_right(predictions, answers)))
            return right / answers.rows, clopper_pearson(right, answers.rows)
        counted = self.counted(predictions, answers)
        return measures.value(counted, answers.rows), bootstrap(answers.rows, counted)

    def difference(self, a: Predictions, b: Predictions, answers: Answers) -> Difference:
        """The value of `a` minus that of `b` on the same rows."""
        if self.is_exact(answers):
            return mcnemar(_right(a, answers), _right(b, answers))
        first, second = self.counted(a, answers), self.counted(b, answers)

        def counted(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return first(weights) - second(weights)

        estimate = measures.value(counted, answers.rows)
        interval = bootstrap(answers.rows, counted)
        return Difference(estimate=estimate, interval=interval, p_value=None)

    def loss(self, before: float, after: float) -> float:
        """How much worse `after` is than `before`, in the metric's unit; negative if better.

        >>> METRICS["accuracy"].loss(before=0.98, after=0.95)
        0.03
        """
        return before - after if self.higher_is_better else after - before

    def cost(self, before: float, after: float) -> float:
        """The loss as limits are given: a difference of shares, or a share of the value before.

        >>> METRICS["MAE"].cost(before=20.0, after=20.2)
        0.01
        """
        loss = self.loss(before, after)
        if self.is_share or loss == 0:
            return loss
        return loss / abs(before) if before else inf

    @property
    def limit(self) -> str:
        """The name of the limit of `cost` in a budget: accuracy_drop, mae_rise."""
        return f"{self.key}_{'drop' if self.higher_is_better else 'rise'}"

    def cost_text(self, cost: float) -> str:
        """0.5 points, or 1 %"""
        return f"{100 * cost:.3g} {'points' if self.is_share else '%'}"

    def is_clearly_better(self, interval: Interval, than: float) -> bool:
        """Whether the whole interval is on the better side of a value."""
        return interval.low > than if self.higher_is_better else interval.high < than

    def is_clearly_worse(self, interval: Interval, than: float) -> bool:
        """Whether the whole interval is on the worse side of a value."""
        return interval.high < than if self.higher_is_better else interval.low > than


def metric_for(answers: Answers) -> Metric | None:
    """The first metric of the target; None without labels."""
    target = answers.target
    return next((row for row in METRICS.values() if target in row.is_first_for), None)


def metrics_for(answers: Answers) -> tuple[Metric, ...]:
    """All metrics that judge such answers, the target's first one first."""
    first = metric_for(answers)
    found = [row for row in METRICS.values() if row.judges(answers)]
    return tuple(sorted(found, key=lambda row: row is not first))


def metric_named(name: str, answers: Answers) -> Metric:
    """By its name or key.  Raises DataError where it is none, or does not judge such answers."""
    wanted = name.strip().lower().replace(" ", "_")
    row = next((m for m in METRICS.values() if wanted in (m.key, m.name.lower())), None)
    if row is None:
        known = ", ".join(one.key for one in METRICS.values())
        raise DataError(f"there is no metric '{name}'", remedy=f"The metrics are {known}")
    if not row.judges(answers):
        fitting = ", ".join(one.key for one in metrics_for(answers)) or "none without labels"
        target = "no labels" if answers.target is None else f"the target '{answers.target.value}'"
        raise DataError(
            f"the metric {row.key} does not fit data of {target}",
            remedy=f"Those that fit are: {fitting}",
        )
    return row


def _for(*targets: Target) -> Callable[[Answers], bool]:
    return lambda answers: answers.target in targets


def _classes(predictions: Predictions, answers: Answers) -> tuple[AnyArray, AnyArray]:
    return np.array(answers.classes), np.array(predictions.classes)


def _right(predictions: Predictions, answers: Answers) -> npt.NDArray[np.bool_]:
    truth, chosen = _classes(predictions, answers)
    right: npt.NDArray[np.bool_] = truth == chosen
    return right


def _accuracy(predictions: Predictions, answers: Answers) -> Counted:
    return measures.accuracy(*_classes(predictions, answers), answers.row_sizes)


def _f1_macro(predictions: Predictions, answers: Answers) -> Counted:
    truth, chosen = _classes(predictions, answers)
    if answers.target is Target.LABELS:
        shape = (answers.rows, -1)
        return measures.f1_macro_of_labels(truth.reshape(shape), chosen.reshape(shape))
    return measures.f1_macro(truth, chosen, answers.row_sizes)


def _numbers(predictions: Predictions, answers: Answers) -> tuple[AnyArray, AnyArray]:
    return _known(answers.numbers), _known(predictions.numbers)


def _known(packed: Packed | None) -> AnyArray:
    if packed is None:
        raise ValueError("these answers lack the numbers that the metric counts")
    return packed.array


def _edit_distance(predictions: Predictions, answers: Answers) -> Counted:
    return measures.edit_distance_rate(
        measures.split_rows(answers.classes, answers.sizes),
        measures.split_rows(predictions.classes, predictions.sizes),
    )


def _share(
    name: str,
    key: str,
    noun: str,
    counted: Callable[[Predictions, Answers], Counted],
    judges: Callable[[Answers], bool],
    *first: Target,
    unit: str,
    higher: bool = True,
    is_exact: Callable[[Answers], bool] = lambda _: False,
) -> Metric:
    """A metric of 0 to 1, written in percent."""
    note = "exact 95 % interval of the share of right rows; of steps, bootstrap over the rows"
    return Metric(
        name=name,
        key=key,
        noun=noun,
        higher_is_better=higher,
        unit=unit,
        scale=100.0,
        least=0.0,
        largest=1.0 if higher else inf,
        interval_note=note if key == "accuracy" else "95 % interval by bootstrap over the rows",
        widest=0.02 if key == "accuracy" else inf,
        is_share=True,
        judges=judges,
        is_first_for=first,
        counted=counted,
        text=percent,
        interval_text=percent_interval,
        amount=points,
        is_exact=is_exact,
    )


def _figure(
    name: str,
    key: str,
    noun: str,
    counted: Callable[[Predictions, Answers], Counted],
    judges: Callable[[Answers], bool],
    *first: Target,
    higher: bool = False,
    least: float = 0.0,
    largest: float = inf,
    reads: Callable[[Predictions], bool] = lambda _: True,
) -> Metric:
    """A metric that is written as a number; errors change by a share of themselves."""
    return Metric(
        name=name,
        key=key,
        noun=noun,
        higher_is_better=higher,
        unit=name,
        scale=1.0,
        least=least,
        largest=largest,
        interval_note="95 % interval by bootstrap over the rows",
        widest=inf,
        is_share=higher,
        judges=judges,
        is_first_for=first,
        counted=counted,
        text=significant,
        interval_text=interval_text,
        amount=significant,
        reads=reads,
    )


_T = Target
_ROWS: Final = (
    _share(
        *("accuracy", "accuracy", "accuracy", _accuracy),
        _for(_T.CLASS, _T.STEPS, _T.TOKEN),
        *(_T.CLASS, _T.STEPS),
        unit="% right",
        is_exact=_for(_T.CLASS, _T.TOKEN),
    ),
    _share(
        *("F1 macro", "f1_macro", "macro F1", _f1_macro),
        _for(_T.CLASS, _T.STEPS, _T.LABELS),
        _T.LABELS,
        unit="F1 (macro), %",
    ),
    _share(
        *("F1", "f1", "F1 of the second class"),
        lambda predictions, answers: measures.f1_positive(*_classes(predictions, answers)),
        lambda answers: answers.is_two_class,
        unit="F1, %",
    ),
    _figure(
        *("AUC", "auc", "area under the ROC curve"),
        lambda predictions, answers: measures.area_under_curve(
            np.array(answers.classes), _known(predictions.scores)
        ),
        lambda answers: answers.is_two_class,
        higher=True,
        largest=1.0,
        reads=lambda predictions: predictions.scores is not None,
    ),
    _figure(
        *("MAE", "mae", "mean absolute error"),
        lambda found, answers: measures.mean_absolute_error(*_numbers(found, answers)),
        _for(_T.NUMBERS),
        _T.NUMBERS,
    ),
    _figure(
        *("RMSE", "rmse", "root mean squared error"),
        lambda found, answers: measures.root_mean_squared_error(*_numbers(found, answers)),
        _for(_T.NUMBERS),
    ),
    _figure(
        *("R²", "r2", "R²"),
        lambda found, answers: measures.coefficient_of_determination(*_numbers(found, answers)),
        _for(_T.NUMBERS),
        higher=True,
        least=-inf,
        largest=1.0,
    ),
    _figure(
        *("perplexity", "perplexity", "perplexity"),
        lambda found, answers: measures.perplexity(_known(found.likelihoods), answers.row_sizes),
        _for(_T.TOKEN, _T.STEPS),
        _T.TOKEN,
    ),
    _share(
        *("edit distance", "edit_distance", "edit distance", _edit_distance),
        _for(_T.SEQUENCE),
        _T.SEQUENCE,
        unit="edits, % of tokens",
        higher=False,
    ),
)

#: By name.
METRICS: Final[dict[str, Metric]] = {row.name: row for row in _ROWS}
