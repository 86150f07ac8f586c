"""Which layers stay in float so that int8 loses no more accuracy than the user allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgernn.artefact import Artefact
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.errors import CalibrationError, LossTooLarge, VerificationError
from edgernn.export.fine_layers import FineLayers
from edgernn.export.quantization.quantize import quantize
from edgernn.export.study.labelled import artefact_predictions, predict
from edgernn.export.study.sensitivity import fewest_float_layers, sensitivity
from edgernn.graph import AnyArray, Decoding, Graph, Ranges
from edgernn.scheme import Scheme
from edgernn.scoring.metric import METRICS, Metric
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import Score, Truth, first_scores, require_labels, truth_of
from edgernn.tasks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileLimit:
    """What a written file may lose on labelled rows; see edgernn.export.request.LossLimit.

    points: of a share such as accuracy, or percent of an error.  of_float: the float model's scores
    of each output.
    """

    samples: Samples
    truth: Truth
    of_float: tuple[Score, ...]
    points: float
    costly: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        return METRICS[str(self.truth.metric)]

    def drop(self, answered: Predictions) -> float:
        """That of the output that loses most.

        Rounded: a drop of exactly the limit is within it, despite rounding errors.
        """
        return self._worst(answered)[0]

    def _worst(self, answered: Predictions) -> tuple[float, Score]:
        costs = [
            (round(100 * METRICS[after.metric].cost(before.value, after.value), 6), after)
            for before, after in zip(self.of_float, first_scores(answered, self.truth), strict=True)
        ]
        return max(costs, key=lambda one: one[0])

    def require(self, artefact: Artefact, folder: Path) -> None:
        """Raises LossTooLarge for a file that loses more; not for one that cannot be run here."""
        answered = artefact_predictions(artefact, folder, self.samples)
        if isinstance(answered, Skipped):
            return
        if isinstance(answered, Failed):
            raise VerificationError(
                f"{artefact.name} cannot be run on the labelled rows: {answered.reason}",
                remedy="--no-verify without --max-drop writes it all the same",
            )
        drop, lost = self._worst(answered)
        metric, where = METRICS[lost.metric], f" of '{lost.output}'" if lost.output else ""
        text = metric.cost_text
        if drop > self.points:
            raise LossTooLarge(
                f"{artefact.name} loses {text(drop / 100)} of {metric.noun}{where} in its own "
                f"runtime (allowed {text(self.points / 100)})",
                remedy=f"Allow {drop:.3g} with --max-drop, or leave this format out with --to",
            )


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
    scheme: Scheme = Scheme.INT8,
) -> tuple[tuple[str, ...], FileLimit]:
    """The smallest set of float layers found that keeps the drop on `samples` within the limit,
    and the limit that each file is held to in its own arithmetic.

    With scheme INT4 they are layers of int8.

    The drop is that of the integer reference by the target's first metric, of the output that loses
    most: in points of a share
    such as accuracy, in percent of an error or a perplexity.  `fine` layers keep 16-bit or float
    activations.  Raises CalibrationError when even float weights everywhere do not help, DataError
    when the samples have no labels.
    """
    require_labels(samples, "a drop of accuracy")
    truth = truth_of(samples)
    of_float = first_scores(predict(graph, samples, labels, file=file, decoding=decoding), truth)
    costs = sensitivity(graph, quantized, examples).layers
    limit = FileLimit(
        samples=samples,
        truth=truth,
        of_float=of_float,
        points=max_drop_points,
        costly=tuple(one.layer for one in sorted(costs, key=lambda one: one.output_snr_db)),
    )

    def drop(candidate: Graph) -> float:
        return limit.drop(predict(candidate, samples, labels, file=file, decoding=decoding))

    kept = fewest_float_layers(
        graph, ranges, costs, drop, max_drop=max_drop_points, fine=fine, scheme=scheme
    )
    if kept is None and scheme is Scheme.INT4:
        raise CalibrationError(
            f"no choice of int8 layers keeps the loss of {limit.metric.noun} within "
            f"{limit.metric.cost_text(max_drop_points / 100)}",
            remedy="Allow more with --max-drop, or choose scheme int8, whose search also keeps "
            "layers in float",
        )
    if kept is None:
        raise CalibrationError(
            f"no choice of float layers keeps the loss of {limit.metric.noun} within "
            f"{limit.metric.cost_text(max_drop_points / 100)}",
            remedy=f"Allow more with --max-drop{_dynamic(graph, drop, max_drop_points)}",
        )
    return kept, limit


def _dynamic(graph: Graph, drop: Callable[[Graph], float], max_drop: float) -> str:
    """The advice to use another scheme, where that keeps the drop within bounds."""
    dropped = drop(quantize(graph, None, Scheme.DYNAMIC))
    return f"; --scheme dynamic drops by {dropped:g}" if dropped <= max_drop else ""
