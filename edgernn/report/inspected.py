"""What `edgernn inspect` shows of a Keras model, an artefact or a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from edgernn.artefact import Artefact, Refusal, Source, VerificationStatus
from edgernn.export.contents import Contents
from edgernn.graph import Graph, Layer, Shape, parameter_count
from edgernn.printable import shown
from edgernn.report.aligned import aligned

_MOST_OF_A_VALUE: Final = 1500


def model_text(graph: Graph, source: Source) -> str:
    """A table of the layers of a model, in the order in which they run."""
    rows = [("layer", "kind", "output", "parameters")]
    rows += [
        (layer.name, type(layer).__name__, _shape(graph, layer), f"{parameter_count(layer):,}")
        for layer in graph.layers
    ]
    inputs = ", ".join(f"{shown(e.name)} {shape_text(e.spec.shape)}" for e in graph.inputs)
    outputs = ", ".join(
        f"{shown(name)} {shape_text(spec.shape)}" for name, spec in graph.output_specs.items()
    )
    title = (
        f"{source.file}: {source.origin}, {source.bytes:,} bytes, {graph.parameters:,} parameters"
    )
    return "\n".join(
        [
            title,
            f"inputs   {inputs}",
            f"outputs  {outputs}",
            "",
            *aligned(rows),
        ]
    )


def model_as_json(graph: Graph, source: Source) -> dict[str, Any]:
    """The same facts for machines."""
    return {
        "source": asdict(source),
        "inputs": {entry.name: list(entry.spec.shape) for entry in graph.inputs},
        "outputs": {name: list(spec.shape) for name, spec in graph.output_specs.items()},
        "parameters": graph.parameters,
        "layers": [
            {
                "name": layer.name,
                "kind": type(layer).__name__,
                "output": list(graph.specs[layer.writes[0]].shape),
                "parameters": parameter_count(layer),
            }
            for layer in graph.layers
        ],
    }


def contents_text(name: str, contents: Contents) -> str:
    """Inputs, outputs, operators, weights and metadata of an artefact."""
    lines = [f"{name}: {contents.format}, {contents.bytes:,} bytes"]
    for title, side in (("inputs", contents.inputs), ("outputs", contents.outputs)):
        lines.append(f"{title:9}" + ", ".join(f"{shown(t.name)} {t.dtype} {t.shape}" for t in side))
    lines.append("operators " + _counted(contents.operators))
    lines.append(
        "weights  "
        + ", ".join(f"{kind} {size:,} bytes" for kind, size in contents.weight_bytes.items())
    )
    lines += [f"{shown(key)}: {_cut(shown(value))}" for key, value in contents.metadata.items()]
    return "\n".join(lines)


def folder_text(
    folder: str, artefacts: Sequence[Artefact], refusals: Sequence[Refusal] = ()
) -> str:
    """The artefacts of a folder, a line each, and what could not be made."""
    rows = [("file", "format", "scheme", "bytes", "source", "check")]
    rows += [
        (
            artefact.name,
            artefact.backend,
            artefact.scheme.value,
            f"{artefact.bytes:,}",
            artefact.source.file,
            _check(artefact),
        )
        for artefact in artefacts
    ]
    left_out = [
        f"{shown(refusal.file)} is missing: {shown(refusal.reason)}" for refusal in refusals
    ]
    return "\n".join([f"{folder}: {_number(len(artefacts))}", *aligned(rows), *left_out])


def _check(artefact: Artefact) -> str:
    check = artefact.verification
    if check.status is not VerificationStatus.PASSED:
        return f"{check.status.value}: {check.reason}" if check.reason else check.status.value
    if check.mean_error is not None:
        return f"passed, mean error {100 * check.mean_error:.2g} % of the spread"
    return "passed" if check.max_error is None else f"passed, largest error {check.max_error:.0e}"


def _number(count: int) -> str:
    return "1 artefact" if count == 1 else f"{count} artefacts"


def shape_text(shape: Shape) -> str:
    """[?, 40, 13]: a free dimension is a question mark."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _shape(graph: Graph, layer: Layer) -> str:
    return shape_text(graph.specs[layer.writes[0]].shape)


def _counted(operators: Mapping[str, int]) -> str:
    ordered = sorted(operators.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(shown(name) + (f" x{count}" if count != 1 else "") for name, count in ordered)


def _cut(value: str) -> str:
    """A value without its end where that is long: a vocabulary has thousands of words."""
    if len(value) <= _MOST_OF_A_VALUE:
        return value
    return f"{value[:_MOST_OF_A_VALUE]} … ({len(value):,} characters)"
