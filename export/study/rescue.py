"""Which layers stay in float so that int8 loses no more accuracy than the user allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgernn.errors import CalibrationError
from edgernn.export.quantization.quantize import quantize
from edgernn.export.study.labelled import predict
from edgernn.export.study.sensitivity import fewest_float_layers, sensitivity
from edgernn.graph import AnyArray, Graph, Ranges
from edgernn.scheme import Scheme
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import score, truth_of
from edgernn.tasks.samples import Samples


def layers_to_keep(
    graph: Graph,
    quantized: Graph,
    ranges: Ranges,
    examples: Mapping[str, AnyArray],
    samples: Samples,
    labels: tuple[str, ...] = (),
    *,
    file: str,
    max_drop_points: float,
) -> tuple[str, ...]:
    """The smallest set of float layers found that keeps the drop on `samples` within the limit.

    The drop is that of the integer reference: in percentage points of accuracy or, if y contains
    numbers, in the unit of y.  Raises CalibrationError if even a float model exceeds the limit,
    DataError if the samples have no labels.
    """
    truth = truth_of(samples)

    def value(predictions: Predictions) -> float:
        return score(predictions, truth).value

    of_float = value(predict(graph, samples, labels, file=file))

    def drop(candidate: Graph) -> float:
        # Rounded: a drop of exactly the limit is within it, despite rounding errors.
        answered = predict(candidate, samples, labels, file=file)
        return round(truth.judge.loss(of_float, value(answered)) * truth.judge.scale, 6)

    costs = sensitivity(graph, quantized, examples).layers
    kept = fewest_float_layers(graph, ranges, costs, drop, max_drop=max_drop_points)
    if kept is None:
        raise CalibrationError(
            "no choice of float layers keeps the drop within "
            f"{truth.judge.amount(max_drop_points / truth.judge.scale)}",
            remedy=f"Allow more with --max-drop{_dynamic(graph, drop, max_drop_points)}",
        )
    return kept


def _dynamic(graph: Graph, drop: Callable[[Graph], float], max_drop: float) -> str:
    """The advice to use another scheme, where that keeps the drop within bounds."""
    dropped = drop(quantize(graph, None, Scheme.DYNAMIC))
    return f"; --scheme dynamic drops by {dropped:g}" if dropped <= max_drop else ""
