"""Accuracy of the float model and of its artefacts on the same labelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn import reference
from edgernn.artefact import Artefact
from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Failed, Port, Skipped
from edgernn.errors import DataError
from edgernn.export.decoder_pair import decoded, without_tokens
from edgernn.graph import TOKENS, Decoding, Graph
from edgernn.reference import integer
from edgernn.reference.arguments import with_zero_states
from edgernn.scoring.class_names import data_numbers
from edgernn.scoring.fitting import Refit, cases_of, fitted, refit_of
from edgernn.scoring.metric import METRICS
from edgernn.scoring.predictions import Predictions, agreement, by_output
from edgernn.scoring.reading import predictions_of
from edgernn.scoring.truth import (
    Score,
    Truth,
    first_differences,
    first_scores,
    require_labels,
    truth_of,
)
from edgernn.stats import Difference
from edgernn.tasks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The accuracy of one form of the model, and its difference from the float model.

    Of a model whose outputs are all scored: that of one of them.
    """

    name: str  # the artefact's file, or FLOAT_MODEL
    score: Score | None  # None: its runtime is not installed; see `reason`
    drop: Difference | None = None  # float minus this, on the same rows
    agreement: float | None = None  # share of rows with the float model's answer
    reason: str = ""
    refit: Refit | None = None  # of the rows, for an input of fixed length
    output: str = ""  # whose answers these are; "": the first or only one

    @property
    def loss(self) -> float:
        """The drop with the sign that makes it a loss, whichever way the metric points."""
        if self.drop is None or self.score is None:
            return 0.0
        return METRICS[self.score.metric].loss(self.drop.estimate, 0.0)

    @property
    def cost(self) -> float:
        """The loss as limits are given: a difference of shares, or a share of the float model's."""
        if self.drop is None or self.score is None:
            return 0.0
        before = self.score.value + self.drop.estimate
        return METRICS[self.score.metric].cost(before, self.score.value)

    @property
    def lost(self) -> bool:
        """Whether this is worse than the float model, beyond chance and by what is worth a word.

        Sums in another order move every forecast a little, and all in one direction: a loss of a
        millionth is beyond chance, too.
        """
        return self.drop is not None and self.drop.significant and self.cost >= SMALLEST_LOSS


FLOAT_MODEL = "float model"

#: Half of the last digit that tables show: 0.05 points, or 0.05 %.
SMALLEST_LOSS: Final = 5e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FloatAnswers:
    """The float model's answers for labelled samples, with which artefacts are compared."""

    samples: Samples
    truth: Truth
    predictions: Predictions
    refit: Refit | None
    labels: tuple[str, ...] = ()
    file: str = ""
    decoding: Decoding | None = None


def float_answers(
    graph: Graph,
    samples: Samples,
    labels: tuple[str, ...] = (),
    *,
    file: str,
    decoding: Decoding | None = None,
) -> FloatAnswers:
    """By the reference executor.  `labels` are the names of the classes of the model in `file`.
    With a `decoding` the answers are the tokens that the model writes by itself.

    Raises DataError if the samples have no labels or do not fit the model, or if it has several
    inputs.
    """
    require_labels(samples, "accuracy")
    truth = truth_of(samples)
    predictions = predict(graph, samples, labels, file=file, decoding=decoding)
    seen = graph if decoding is None else without_tokens(graph, decoding)
    refit = refit_of(samples, _only_input(seen), streaming=False, file=file)
    return FloatAnswers(
        samples=samples,
        truth=truth,
        predictions=predictions,
        refit=refit,
        labels=labels,
        file=file,
        decoding=decoding,
    )


def accuracies(
    answers: FloatAnswers, artefacts: Sequence[Artefact], folder: Path
) -> tuple[Accuracy, ...]:
    """The float model first, then each artefact in its runtime; so for each output."""
    of_float = first_scores(answers.predictions, answers.truth)
    rows = [
        tuple(
            Accuracy(
                name=FLOAT_MODEL,
                score=one,
                refit=None if place else answers.refit,
                output=one.output,
            )
            for place, one in enumerate(of_float)
        )
    ]
    rows += [_of_artefact(artefact, folder, answers) for artefact in artefacts]
    return tuple(row for output in zip(*rows, strict=True) for row in output)


def accuracy_of(graph: Graph, answers: FloatAnswers, *, name: str) -> Accuracy:
    """That of a graph which nobody has exported, by the reference executor, on the same rows."""
    predictions = predict(
        *(graph, answers.samples, answers.labels), file=answers.file, decoding=answers.decoding
    )
    return _beside(answers, predictions, name)[0]


def _beside(answers: FloatAnswers, said: Predictions, name: str) -> tuple[Accuracy, ...]:
    """One of each output."""
    exact, truth = answers.predictions, answers.truth
    return tuple(
        Accuracy(
            name=name,
            score=reached,
            drop=drop,
            agreement=agreement(*pair),
            output=reached.output,
        )
        for reached, drop, pair in zip(
            first_scores(said, truth),
            first_differences(exact, said, truth),
            by_output(exact, said),
            strict=True,
        )
    )


def predict(
    graph: Graph,
    samples: Samples,
    labels: tuple[str, ...] = (),
    *,
    file: str,
    decoding: Decoding | None = None,
) -> Predictions:
    """The reference executor's answer for each row; of the integer executor for an int8 graph.

    `labels` are the names of the classes of the model, which the user knows as `file`.
    """
    port = _only_input(graph if decoding is None else without_tokens(graph, decoding))
    numbers = data_numbers(labels, samples, file=file)
    samples = fitted(samples, port, streaming=False, file=file)
    runs = reference.run if graph.quantization is None else integer.run
    if decoding is not None:
        tokens = decoded(graph, samples.x, decoding, runs)
        return predictions_of([{TOKENS: tokens}], samples, TOKENS, numbers)
    calls = [
        with_zero_states(graph, {port.name: samples.x[row : row + 1]})
        for row in range(len(samples))
    ]
    outputs = reference.run_calls(graph, calls, run=runs)
    states = {state.output for state in graph.states}
    name, *further = (output.name for output in graph.outputs if output.name not in states)
    return predictions_of(outputs, samples, name, numbers, further=further)


def _of_artefact(artefact: Artefact, folder: Path, answers: FloatAnswers) -> tuple[Accuracy, ...]:
    predictions = artefact_predictions(artefact, folder, answers.samples)
    if isinstance(predictions, Skipped | Failed):
        names = (answers.truth.output, *(other.output for other in answers.truth.others))
        reason = str(predictions)
        return tuple(
            Accuracy(name=artefact.name, score=None, reason=reason, output=output)
            for output in names
        )
    return _beside(answers, predictions, artefact.name)


def artefact_predictions(
    artefact: Artefact, folder: Path, samples: Samples
) -> Predictions | Skipped | Failed:
    """The answer of an artefact in `folder` to each row, on its runtime on this machine.

    Raises DataError where the samples do not fit the model.
    """
    entry = artefact.inputs[0]
    port = Port(name=entry.name, shape=entry.spec.shape, dtype=entry.spec.dtype.value)
    samples = fitted(samples, port, streaming=artefact.streaming, file=artefact.name)
    with open_device("cpu") as device:
        ran = run_cases(
            device,
            folder / artefact.name,
            artefact.backend,
            cases_of(samples, port, streaming=artefact.streaming),
            extra_files=[folder / file.name for file in artefact.files[1:]],
            states=artefact.states,
            streaming=artefact.streaming,
            decoder=artefact.decoder,
        )
    if isinstance(ran, Skipped | Failed):
        return ran
    numbers = data_numbers(artefact.labels, samples, file=artefact.name)
    return predictions_of(ran.cases, samples, artefact.answer_names[0], numbers)


def _only_input(graph: Graph) -> Port:
    states = {state.input for state in graph.states}
    inputs = [entry for entry in graph.inputs if entry.name not in states]
    if len(inputs) != 1:
        raise DataError(
            f"'{graph.name}' has {len(inputs)} inputs; accuracy needs a model with one",
            remedy="Leave out --data",
        )
    spec = inputs[0].spec
    return Port(name=inputs[0].name, shape=spec.shape, dtype=spec.dtype.value)
