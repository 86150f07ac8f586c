"""One format of an export: its files, written to the workspace and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgernn.artefact import (
    Artefact,
    Port,
    Verification,
    VerificationStatus,
    stored_file,
)
from edgernn.errors import (
    LossTooLarge,
)
from edgernn.export import backend_named
from edgernn.export.backend import Lowered
from edgernn.export.decoder_pair import decoder_parts, joined
from edgernn.export.fine_layers import FineLayers
from edgernn.export.in_scheme import (
    Written,
    with_fine_layers,
)
from edgernn.export.naming import artefact_stem, metadata_of, model_name
from edgernn.export.request import Request
from edgernn.export.source_model import SourceModel
from edgernn.export.suite import Suite, suite_for
from edgernn.export.verify import Check, require_passed, verified
from edgernn.export.workspace import writing_to
from edgernn.formats import Format
from edgernn.graph import Graph, Input
from edgernn.reference import References

#: Called with the phase that begins ("writing onnx", "checking onnx").
Progress = Callable[[str], None]


def written_and_held(
    target: Format,
    written: Written,
    model: SourceModel,
    workspace: Path,
    progress: Progress,
    checks: Checks,
) -> Artefact:
    """The file of a format, with as many more layers in float as it needs to lose no more than the
    request allows: formats round in different ways.
    """
    request = written.request

    def made(wanted: Written) -> Artefact:
        graph = wanted.for_format(target)
        return written_and_checked(
            target, graph, model, wanted.request, workspace, progress, checks
        )

    try:
        return made(written)
    except LossTooLarge as error:
        if request.limit is None:
            raise
        more = [layer for layer in request.limit.costly if layer not in request.keep_float]
        for count in range(1, len(more)):  # with the last one, no layer would be int8
            progress(f"keeping {count} more in float for {target.name}")
            kept = (*request.keep_float, *more[:count])
            other = with_fine_layers(
                written.graph,
                replace(request, keep_float=kept, fine=None, backends=(target.name,)),
            )
            try:
                artefact = made(Written(graph=written.graph, request=other))
            except LossTooLarge:
                continue
            said = {f"layer {layer}": "float32, to lose no more than allowed" for layer in kept}
            return replace(artefact, details={**artefact.details, **said})
        raise LossTooLarge(
            f"{error.what}; no choice of float layers helps", remedy=error.remedy
        ) from error


def _one_graph(
    target: Format,
    graph: Graph,
    model: SourceModel,
    request: Request,
    workspace: Path,
    progress: Progress,
    checks: Checks,
) -> Artefact:
    """Lowered, written to the workspace and checked; the file's bytes are not kept in memory."""
    backend = backend_named(target.name)
    backend.import_library()
    options = request.options.get(target.name, {})
    lowered = backend.lower(graph, metadata=metadata_of(model, request), **options)
    written = lowered.graph or graph
    artefact = _stored(lowered, target, written, model, request, workspace)
    if request.limit is not None:
        progress(f"measuring what {target.name} loses")
        request.limit.require(artefact, workspace)
    if not request.verify:
        return artefact
    progress(f"checking {target.name}")
    verification = verified(artefact, checks.of(written, lowered.exact), workspace)
    if request.require_verify:
        require_passed(artefact.name, verification)
    return replace(artefact, verification=verification)


@dataclass(slots=True, kw_only=True, eq=False)
class Checks:
    """What the files of one export are compared with: calls and references, made once for all."""

    original: Graph
    request: Request
    unlike: tuple[str, ...] = ()  # sentences of `unabsorbed`, where no rows show it
    references: References = field(default_factory=References)
    suites: dict[tuple[Input, ...], Suite] = field(default_factory=dict)

    def of(self, written: Graph, exact: Graph | None) -> Check:
        if written.inputs not in self.suites:
            self.suites[written.inputs] = suite_for(
                written,
                self.original,
                self.request.examples,
                integer=self.request.fewest_bits.has_integer_weights,
            )
        return Check(
            original=self.original,
            written=written,
            suite=self.suites[written.inputs],
            exact=exact,
            references=self.references,
            unlike=self.unlike,
        )


def _stored(
    lowered: Lowered,
    target: Format,
    graph: Graph,
    model: SourceModel,
    request: Request,
    workspace: Path,
) -> Artefact:
    stem = artefact_stem(model, request)
    contents = {f"{stem}{target.suffix}": lowered.content} | {
        f"{stem}{suffix}": content for suffix, content in lowered.extra_files.items()
    }
    with writing_to(workspace.parent):
        for name, content in contents.items():
            (workspace / name).write_bytes(content)
    return Artefact(
        model=model_name(model),
        backend=target.name,
        scheme=request.fewest_bits,
        files=tuple(stored_file(name, content) for name, content in contents.items()),
        inputs=tuple(Port(name=entry.name, spec=entry.spec) for entry in graph.inputs),
        outputs=tuple(Port(name=name, spec=spec) for name, spec in graph.output_specs.items()),
        states=graph.states,
        streaming=request.streaming,
        source=model.source,
        labels=request.labels,
        front_end=request.front_end,
        details={**lowered.details, **_fine_details(request, target)},
        verification=Verification(status=VerificationStatus.NOT_RUN, reason="--no-verify"),
    )


def _fine_details(request: Request, target: Format) -> dict[str, str]:
    return (request.fine or {}).get(target.name, FineLayers()).details


def written_and_checked(
    target: Format,
    graph: Graph,
    model: SourceModel,
    request: Request,
    workspace: Path,
    progress: Progress,
    checks: Checks,
) -> Artefact:
    """The artefact of a graph; of one that writes sequences, an encoder and a decoder as one."""
    if request.decoding is None:
        return _one_graph(target, graph, model, request, workspace, progress, checks)
    encoder, decoder = (
        _one_graph(
            *(target, part.graph, model, part.request, workspace, progress),
            Checks(original=part.original, request=part.request, unlike=checks.unlike),
        )
        for part in decoder_parts(checks.original, graph, request)
    )
    artefact = joined(encoder, decoder, request)
    if request.limit is not None:
        progress(f"measuring what {target.name} loses")
        request.limit.require(artefact, workspace)
    return artefact
