"""The main job: a model in, checked artefacts and their manifest out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

from edgernn import streaming
from edgernn.artefact import (
    Artefact,
    Refusal,
    Verification,
    read_manifest,
    record,
)
from edgernn.errors import (
    MissingRuntime,
    UnsupportedLayer,
    UnsupportedScheme,
    VerificationError,
)
from edgernn.export.alternatives import with_passing_alternative
from edgernn.export.in_scheme import (
    Written,
    float_graph,
    quantized,
    scaled,
    settled,
    unabsorbed,
    with_fine_layers,
)
from edgernn.export.naming import artefact_stem, keep_given_file, model_name
from edgernn.export.one_format import Checks, Progress, written_and_checked, written_and_held
from edgernn.export.request import Request
from edgernn.export.sound_input import sound_input
from edgernn.export.source_check import check_reading
from edgernn.export.source_model import SourceModel
from edgernn.export.workspace import workspace
from edgernn.formats import FORMATS, Format, format_named
from edgernn.graph import Graph
from edgernn.scheme import Scheme
from edgernn.tasks.training_log import TrainingLog, log_path, read_log, write_log

__all__ = [
    "Failure",
    "Progress",
    "export_model",
    "float_graph",
    "quantized",
    "raise_failure",
    "scaled",
    "training_log_of",
    "unabsorbed",
    "with_fine_layers",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A file that failed its check: the manifest's entry, and the error to raise."""

    refusal: Refusal
    error: VerificationError | MissingRuntime


def raise_failure(failure: Failure) -> None:
    """Raises the error of a file that failed its check."""
    raise failure.error


def export_model(
    model: SourceModel,
    out: Path,
    request: Request,
    *,
    progress: Progress = lambda _phase: None,
    on_refusal: Callable[[Refusal], None] = lambda _refusal: None,
    on_failure: Callable[[Failure], None] = raise_failure,
    beside_last: Callable[[], object] = lambda: None,
) -> tuple[Artefact, ...]:
    """Writes `model` into the folder `out`, once for each back end, and records `model.json`.

    Nothing changes in `out` before every artefact is made and checked; then all files that agree
    with the reference appear together.  One that does not is left out: `model.json` gets the
    reason, and `on_failure` is called when the others are written.  Where none agrees, `out` stays
    as it was.  A format that the request does not name is left out where it cannot express the
    model or lacks the scheme; `model.json` and `on_refusal` get the reason.
    A model from a file that a runtime can run is compared with that first.
    beside_last: called in a thread while the last file runs.
    Raises UnsupportedLayer or UnsupportedScheme (for a format that the request names, or where no
    format can express the model), OutputError, and by `on_failure` VerificationError, or
    MissingRuntime where the request requires a check that cannot be run.
    """
    keep_given_file(model, out, request)
    if request.verify and (model.file is not None or model.runs is not None):
        progress(f"checking {model.source.file}")
        check_reading(model)
    original = float_graph(model.graph)
    if request.front_end is not None:
        sound_input(original, request.front_end)  # before anything is written
    request = with_fine_layers(original, settled(original, request))
    unlike = () if request.examples is not None else unabsorbed(original, request)
    written = Written(graph=original, request=request)
    if request.streaming:
        original = streaming.to_streaming(original)
    with workspace(out) as hidden:
        read_manifest(out)  # one that is damaged stops us before the work, not after it
        checks = Checks(original=original, request=request, unlike=unlike)
        artefacts: list[Artefact] = []
        refusals: dict[str, UnsupportedLayer | UnsupportedScheme] = {}
        failures: dict[str, VerificationError | MissingRuntime] = {}
        targets = [format_named(name) for name in request.backends or FORMATS]
        for target, following in zip_longest(targets, targets[1:]):
            checks.ahead = beside_last
            if following is not None:
                checks.ahead = partial(_get_ready, following, written, checks)
            progress(f"writing {target.name}")
            try:
                _require_schemes(target, request)
                artefact = written_and_held(target, written, model, hidden, progress, checks)
            except (UnsupportedLayer, UnsupportedScheme) as error:
                if request.backends:
                    raise
                refusals[target.name] = error
            except MissingRuntime as error:
                failures[target.name] = error
            except VerificationError as error:
                if unlike:  # no scheme can be compared on made-up inputs
                    failures[target.name] = error
                    continue
                progress(f"looking for a scheme that {target.name} passes")
                failures[target.name] = with_passing_alternative(
                    error,
                    target,
                    request,
                    partial(
                        _verified_as,
                        target=target,
                        original=original,
                        model=model,
                        workspace=hidden,
                    ),
                )
            else:
                artefacts.append(artefact)
        if not artefacts and not failures:
            raise next(iter(refusals.values()))
        refused = tuple(
            Refusal(
                file=artefact_stem(model, request) + format_named(name).suffix,
                backend=name,
                reason=str(error),
                failed=name in failures,
            )
            for name, error in {**refusals, **failures}.items()
        )
        if artefacts:
            refused = _handed_over(artefacts, refused, model, request, hidden, out)
    for refusal in refused:
        if not refusal.failed:
            on_refusal(refusal)
    for refusal in refused:
        if refusal.failed:
            on_failure(Failure(refusal=refusal, error=failures[refusal.backend]))
    return tuple(artefacts)


def _get_ready(target: Format, written: Written, checks: Checks) -> None:
    """What the next format needs, if it is written as the request says.

    A graph of steps is made anew for each format, and parts of a decoder are other graphs.
    """
    request = written.request
    if not request.streaming and request.decoding is None:
        checks.get_ready(target, written)


def _verified_as(
    request: Request, target: Format, original: Graph, model: SourceModel, workspace: Path
) -> Verification:
    """The check of another request of the same model and format, in a folder of its own."""
    request = with_fine_layers(float_graph(model.graph), replace(request, fine=None))
    written = Written(graph=float_graph(model.graph), request=request)
    with tempfile.TemporaryDirectory(dir=workspace) as folder:
        checks = Checks(original=original, request=request)
        made = written_and_checked(
            target, written, model, Path(folder), lambda _phase: None, checks
        )
    return made.verification


def _require_schemes(target: Format, request: Request) -> None:
    """Raises UnsupportedScheme where `target` lacks the model's scheme, or that of a layer."""
    kept = (Scheme.FLOAT32,) if request.keep_float else ()
    for scheme in dict.fromkeys((request.scheme, *request.per_layer.values(), *kept)):
        require_scheme(target, scheme)


def require_scheme(target: Format, scheme: Scheme) -> None:
    """Raises UnsupportedScheme where `target` lacks it."""
    if scheme not in target.schemes:
        raise UnsupportedScheme(
            format=target.name,
            scheme=scheme.value,
            known=[known.value for known in Scheme if known in target.schemes],
            reason=target.reason,
        )


def _handed_over(
    artefacts: Sequence[Artefact],
    refused: Sequence[Refusal],
    model: SourceModel,
    request: Request,
    workspace: Path,
    out: Path,
) -> tuple[Refusal, ...]:
    """All files and the manifest, or none of them.  Gives the refusals as they are recorded."""
    names = [file.name for artefact in artefacts for file in artefact.files]
    if request.training is not None:
        names.append(log_path(Path(f"{model_name(model)}.keras")).name)
        write_log(workspace / names[-1], request.training)
    return record(out, artefacts, refused, files={out / name: workspace / name for name in names})


def training_log_of(model: Path, sha256: str) -> TrainingLog | None:
    """The log that `edgernn train` left beside `model`, unless it belongs to another file."""
    path = log_path(model)
    if not path.exists():
        return None
    log = read_log(path)
    return log if log.model_sha256 == sha256 else None
