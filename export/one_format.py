"""One format of an export: its files, written to the workspace and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgernn.artefact import (
    Artefact,
    Port,
    Verification,
    VerificationStatus,
    stored_file,
)
from edgernn.errors import EdgernnError, LossTooLarge, MissingRuntime, VerificationError
from edgernn.export import backend_named
from edgernn.export.backend import Lowered
from edgernn.export.decoder_pair import decoder_parts, joined
from edgernn.export.eight_bits import SAID, fewest_in_int8, four_bit_layers, with_int8
from edgernn.export.fine_layers import FineLayers
from edgernn.export.finer import ladder
from edgernn.export.in_scheme import Written, quantized
from edgernn.export.naming import artefact_stem, metadata_of, model_name
from edgernn.export.request import Request
from edgernn.export.sound_input import text_recipe
from edgernn.export.source_model import SourceModel
from edgernn.export.suite import Suite, suite_for
from edgernn.export.verify import Check, verified
from edgernn.export.workspace import writing_to
from edgernn.formats import Format
from edgernn.graph import Graph, Input
from edgernn.reference import References, integer
from edgernn.scheme import Scheme

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
    """The file of a format, with as many layers finer, or in float32, as it needs to lose no more
    than the request allows: formats round in different ways.
    """

    def made(request: Request) -> Artefact:
        wanted = (
            written if request is written.request else replace(written, request=request, made={})
        )
        return written_and_checked(target, wanted, model, workspace, progress, checks)

    request = written.request
    try:
        return made(request)
    except LossTooLarge as error:
        if request.limit is None:
            raise
        if request.scheme is Scheme.INT4:
            return _with_int8_layers(written, error, request.limit.noise, made, progress)
        progress(f"looking for layers that {target.name} needs finer")
        finer = ladder(written, target.name, request.limit.noise)

        def is_enough(count: int, kept: tuple[str, ...]) -> bool:
            wanted = finer.request(count, kept)
            progress(f"{count} layers finer and {len(kept)} in float32 for {target.name}")
            try:
                made(replace(wanted, verify=False))
            except LossTooLarge:
                return False
            return True

        found = finer.search(is_enough)
        if found is None:
            raise LossTooLarge(
                f"{error.what}; no choice of finer or float layers helps", remedy=error.remedy
            ) from error
        artefact = made(finer.request(*found))
        return replace(artefact, details={**artefact.details, **finer.details(*found)})


def _with_int8_layers(
    written: Written,
    error: LossTooLarge,
    noise: Mapping[str, float],
    made: Callable[[Request], Artefact],
    progress: Progress,
) -> Artefact:
    """The int4 file with the fewest layers of int8 that lose no more than the request allows.

    Raises LossTooLarge where all would have to be.
    """
    request = written.request
    layers = four_bit_layers(quantized(written.graph, request))

    def is_enough(kept: tuple[str, ...]) -> bool:
        progress(f"{len(kept)} layers in int8")
        try:
            made(replace(with_int8(written.graph, request, kept), verify=False))
        except LossTooLarge:
            return False
        return True

    kept = fewest_in_int8(layers, noise, is_enough)
    if kept is None:
        raise LossTooLarge(
            f"{error.what}; no choice of layers in int8 helps",
            remedy=error.remedy,
        ) from error
    artefact = made(with_int8(written.graph, request, kept))
    said = {f"layer {name}": SAID for name in kept}
    return replace(artefact, details={**artefact.details, **said})


def _one_graph(
    target: Format,
    graph: Graph,
    model: SourceModel,
    request: Request,
    workspace: Path,
    progress: Progress,
    checks: Checks,
    of_sequences: Graph | None = None,
) -> Artefact:
    """Lowered, written to the workspace and checked; the file's bytes are not kept in memory."""
    backend = backend_named(target.name)
    backend.import_library()
    options = request.options.get(target.name, {})
    lowered = backend.lower(graph, metadata=metadata_of(model, request), **options)
    written = lowered.graph or graph
    artefact = _stored(lowered, target, written, model, request, workspace)
    if of_sequences is not None:
        _require_limit(artefact, of_sequences, request, workspace, progress)
    if not request.verify:
        return artefact
    progress(f"checking {target.name}")
    verification = verified(artefact, checks.of(written, lowered.exact), workspace)
    if request.require_verify:
        _require_passed(artefact.name, verification)
    return replace(artefact, verification=verification)


def _require_passed(name: str, verification: Verification) -> None:
    """Raises MissingRuntime for a file that could not be run, VerificationError for one that the
    inputs at hand do not decide about.
    """
    if verification.status is VerificationStatus.SKIPPED:
        raise MissingRuntime(
            f"{name} cannot be checked: {verification.reason}",
            remedy="Install what is missing, or leave out --require-verify (require_verify)",
        )
    if verification.status is VerificationStatus.UNDECIDED:
        raise VerificationError(f"{name} cannot be checked: {verification.reason}")


@dataclass(slots=True, kw_only=True, eq=False)
class Checks:
    """What the files of one export are compared with: calls and references, made once for all."""

    original: Graph
    request: Request
    unlike: tuple[str, ...] = ()  # sentences of `unabsorbed`, where no rows show it
    references: References = field(default_factory=References)
    suites: dict[tuple[Input, ...], Suite] = field(default_factory=dict)
    ahead: Callable[[], object] = lambda: None  # see `Check`

    def of(self, written: Graph, exact: Graph | None) -> Check:
        return Check(
            original=self.original,
            written=written,
            suite=self._suite(written),
            exact=exact,
            references=self.references,
            unlike=self.unlike,
            ahead=self.ahead,
        )

    def get_ready(self, target: Format, written: Written) -> None:
        """What the file of `target` will need: its graph, and the integers that it must compute."""
        with suppress(EdgernnError):  # its turn comes, and it is raised then
            graph = written.for_format(target)
            arithmetic = backend_named(target.name).arithmetic
            computes = arithmetic and arithmetic(**written.request.options.get(target.name, {}))
            if computes and computes.is_exact and graph.quantization and written.request.verify:
                self.references.of(graph, self._suite(graph).inputs, run=integer.run)

    def _suite(self, written: Graph) -> Suite:
        if written.inputs not in self.suites:
            self.suites[written.inputs] = suite_for(
                written,
                self.original,
                self.request.examples,
                integer=self.request.fewest_bits.has_integer_weights,
            )
        return self.suites[written.inputs]


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
        text=text_recipe(model.graph),
        details={**lowered.details, **_fine_details(request, target)},
        verification=Verification(status=VerificationStatus.NOT_RUN, reason="--no-verify"),
    )


def _fine_details(request: Request, target: Format) -> dict[str, str]:
    return (request.fine or {}).get(target.name, FineLayers()).details


def _require_limit(
    artefact: Artefact,
    of_sequences: Graph,
    request: Request,
    workspace: Path,
    progress: Progress,
) -> None:
    if request.limit is not None:
        progress(f"measuring what {artefact.backend} loses")
        request.limit.require(artefact, workspace, of_sequences)


def written_and_checked(
    target: Format,
    wanted: Written,
    model: SourceModel,
    workspace: Path,
    progress: Progress,
    checks: Checks,
) -> Artefact:
    """The file of a format; of a model that writes sequences, an encoder and a decoder as one."""
    request, graph = wanted.request, wanted.for_format(target)
    of_sequences = wanted.of_sequences(target)
    if request.decoding is None:
        return _one_graph(
            *(target, graph, model, request, workspace, progress, checks, of_sequences)
        )
    encoder, decoder = (
        _one_graph(
            *(target, part.graph, model, part.request, workspace, progress),
            Checks(original=part.original, request=part.request, unlike=checks.unlike),
        )
        for part in decoder_parts(checks.original, graph, request)
    )
    artefact = joined(encoder, decoder, request)
    _require_limit(artefact, of_sequences, request, workspace, progress)
    return artefact
