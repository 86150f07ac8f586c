"""Which layers stay in float so that int8 loses no more accuracy than the user allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgernn.errors import CalibrationError
from edgernn.export.fine_layers import FineLayers
from edgernn.export.quantization.quantize import quantize
from edgernn.export.study.labelled import predict
from edgernn.export.study.sensitivity import fewest_float_layers, sensitivity
from edgernn.graph import AnyArray, Decoding, Graph, Ranges
from edgernn.scheme import Scheme
from edgernn.scoring.metric import METRICS
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import require_labels, score, truth_of
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
    fine: FineLayers,
    decoding: Decoding | None = None,
) -> tuple[str, ...]:
    """The smallest set of float layers found that keeps the drop on `samples` within the limit.

    The drop is that of the integer reference by the target's first metric: in points of a share
    such as accuracy, in percent of an error or a perplexity.  `fine` layers keep 16-bit or float
    activations.  Raises CalibrationError when even
    float weights everywhere do not help, DataError when the samples have no labels.
    """
    require_labels(samples, "a drop of accuracy")
    truth = truth_of(samples)
    metric = METRICS[str(truth.metric)]

    def value(predictions: Predictions) -> float:
        return score(predictions, truth).value

    of_float = value(predict(graph, samples, labels, file=file, decoding=decoding))

    def drop(candidate: Graph) -> float:
        # Rounded: a drop of exactly the limit is within it, despite rounding errors.
        answered = predict(candidate, samples, labels, file=file, decoding=decoding)
        return round(100 * metric.cost(of_float, value(answered)), 6)

    costs = sensitivity(graph, quantized, examples).layers
    kept = fewest_float_layers(graph, ranges, costs, drop, max_drop=max_drop_points, fine=fine)
    if kept is None:
        raise CalibrationError(
            f"no choice of float layers keeps the loss of {metric.noun} within "
            f"{metric.cost_text(max_drop_points / 100)}",
            remedy=f"Allow more with --max-drop{_dynamic(graph, drop, max_drop_points)}",
        )
    return kept


def _dynamic(graph: Graph, drop: Callable[[Graph], float], max_drop: float) -> str:
    """The advice to use another scheme, where that keeps the drop within bounds."""
    dropped = drop(quantize(graph, None, Scheme.DYNAMIC))
    return f"; --scheme dynamic drops by {dropped:g}" if dropped <= max_drop else ""
