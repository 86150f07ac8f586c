"""The schemes of one export, written one after the other, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from edgernn.artefact import Artefact, Refusal, Verification, record
from edgernn.export.in_scheme import unabsorbed
from edgernn.export.pipeline import Failure, export_model, float_graph
from edgernn.export.request import Request
from edgernn.export.small_models import larger_than_float32
from edgernn.export.source_model import SourceModel
from edgernn.export.study.labelled import FloatAnswers
from edgernn.export.study.study import Study, get_ready, studied
from edgernn.front.made import Made
from edgernn.front.outcome import other_name, rules_for_programs, with_outcome
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming


def written(
    model: SourceModel,
    requests: Sequence[Request],
    folder: Path,
    *,
    warnings: Sequence[str],
    answers: FloatAnswers | None,
    against_keras: Verification | None,
    phase: Callable[[str], None],
) -> Made:
    """Writes each request of one model into `folder`; then the costs of int8, and the accuracy of
    all files where `answers` has the float model's answers to labelled rows.

    Files that pass are kept where others fail; the error of the first that failed has them as its
    outcome.  Raises what export_model raises.
    """
    original = float_graph(model.graph)
    said = [*warnings]
    said += dict.fromkeys(
        sentence for request in requests for sentence in unabsorbed(original, request)
    )
    artefacts: list[Artefact] = []
    refusals: list[Refusal] = []
    failures: list[Failure] = []
    unrecorded: list[Refusal] = []
    integer = max(requests, key=lambda one: list(Scheme).index(one.fewest_bits))
    for request in requests:
        before = len(failures)
        made = export_model(
            *(model, folder, request),
            progress=_named(phase, request) if len(requests) > 1 else phase,
            on_refusal=refusals.append,
            on_failure=failures.append,
            beside_last=partial(get_ready, original, integer),
        )
        if made:
            said += other_name(made[0], request)
        else:  # a scheme that failed everywhere; others may pass
            unrecorded += [failure.refusal for failure in failures[before:]]
        said += [rule for artefact in made for rule in rules_for_programs(artefact)]
        artefacts += made
    if artefacts and unrecorded:
        removed = {one.file: one for one in record(folder, (), unrecorded)}
        failures = [
            replace(one, refusal=removed.get(one.refusal.file, one.refusal)) for one in failures
        ]
    refusals += [failure.refusal for failure in failures]
    streaming = requests[0].streaming
    float_form = to_streaming(original) if streaming and artefacts else original
    said += larger_than_float32(float_form, artefacts, requests[0].options)
    study = Study(accuracies=(), costs=None)
    needs_calibration = any(
        one.needs_calibration
        for request in requests
        for one in (request.scheme, *request.per_layer.values())
    )
    if artefacts and (answers is not None or needs_calibration):
        phase("comparing with the float model")
        study = studied(original, integer, artefacts, folder, answers)
    result = Made(
        folder=folder,
        artefacts=tuple(artefacts),
        refusals=tuple(refusals),
        warnings=tuple(said),
        study=study,
        against_keras=against_keras,
    )
    if failures:
        raise with_outcome(failures[0], result)
    return result


def _named(phase: Callable[[str], None], request: Request) -> Callable[[str], None]:
    """Phases that say of which of several schemes they are."""
    return lambda text: phase(f"{request.fewest_bits.value}: {text}")
