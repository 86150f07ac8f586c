"""What each written file may lose on labelled rows, as the user allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, isfinite
from pathlib import Path

from edgernn.artefact import Artefact
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.errors import LossTooLarge, VerificationError
from edgernn.export.float_runs import FloatRuns
from edgernn.export.quantization.quantize import quantize
from edgernn.export.study.labelled import artefact_predictions, predict
from edgernn.export.study.sensitivity import sensitivity
from edgernn.graph import AnyArray, Decoding, Graph
from edgernn.scheme import Scheme
from edgernn.scoring.metric import METRICS
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import Score, Truth, first_scores, require_labels, truth_of
from edgernn.tasks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileLimit:
    """What a written file may lose on labelled rows; see edgernn.export.request.LossLimit.

    points: of a share such as accuracy, or percent of an error.  of_float: the float model's scores
    of each output.
    """

    graph: Graph  # in float
    samples: Samples
    truth: Truth
    of_float: tuple[Score, ...]
    points: float
    noise: Mapping[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    file: str = ""
    decoding: Decoding | None = None

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

    def require(self, artefact: Artefact, folder: Path, graph: Graph) -> None:
        """Raises LossTooLarge for a file that loses more; where it cannot be run here, by the
        reference on its `graph` (of whole sequences).
        """
        answered, where = artefact_predictions(artefact, folder, self.samples), "in its own runtime"
        if isinstance(answered, Failed):
            raise VerificationError(
                f"{artefact.name} cannot be run on the labelled rows: {answered.reason}",
                remedy="--no-verify without --max-drop writes it all the same",
            )
        if isinstance(answered, Skipped):
            answered, where = self._by_reference(graph), "by the reference"
        drop, lost = self._worst(answered)
        metric, output = METRICS[lost.metric], f" of '{lost.output}'" if lost.output else ""
        text = metric.cost_text
        if not drop <= self.points:  # NaN is not within a limit
            raise LossTooLarge(
                f"{artefact.name} loses {text(drop / 100)} of {metric.noun}{output} {where} "
                f"(allowed {text(self.points / 100)})",
                remedy=f"{_allowed(drop)} this format out with --to{self._dynamic()}",
            )

    def _by_reference(self, graph: Graph) -> Predictions:
        return predict(graph, self.samples, self.labels, file=self.file, decoding=self.decoding)

    def _dynamic(self) -> str:
        """The advice to use another scheme, where that keeps the drop within bounds."""
        dropped = self.drop(self._by_reference(quantize(self.graph, None, Scheme.DYNAMIC)))
        return f"; --scheme dynamic drops by {dropped:g}" if dropped <= self.points else ""


def _allowed(drop: float) -> str:
    """Advice that helps: a limit rounded up, and none where the loss has no end."""
    if not isfinite(drop):
        return "Leave"
    return f"Allow {ceil(round(100 * drop, 6)) / 100:.12g} with --max-drop, or leave"


def file_limit(
    graph: Graph,
    quantized: Graph,
    examples: Mapping[str, AnyArray],
    samples: Samples,
    labels: tuple[str, ...] = (),
    *,
    file: str,
    max_drop_points: float,
    decoding: Decoding | None = None,
    runs: FloatRuns | None = None,
) -> FileLimit:
    """The limit on the drop from the float `graph`, for files of the `quantized` one.

    The drop is by the target's first metric, of the output that loses most: in points of a share
    such as accuracy, in percent of an error or a perplexity.  Raises DataError when the samples
    have no labels.
    """
    require_labels(samples, "a drop of accuracy")
    truth = truth_of(samples)
    of_float = first_scores(predict(graph, samples, labels, file=file, decoding=decoding), truth)
    costs = sensitivity(graph, quantized, examples, runs=runs).layers
    return FileLimit(
        graph=graph,
        samples=samples,
        truth=truth,
        of_float=of_float,
        points=max_drop_points,
        noise={one.layer: 10 ** (-one.output_snr_db / 10) for one in costs},
        labels=labels,
        file=file,
        decoding=decoding,
    )
