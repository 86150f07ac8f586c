"""What each back end accepts, found by asking it: `python -m edgernn.export.support`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from edgernn import streaming
from edgernn.errors import UnsupportedLayer
from edgernn.export import backend_named, consumers
from edgernn.export.backend import Lowered
from edgernn.export.feature import Feature
from edgernn.export.features import features
from edgernn.export.keras.operations import OPERATIONS
from edgernn.export.keras.translations import CLASSES
from edgernn.export.onnx_file.folding import FOLDED
from edgernn.export.onnx_file.operators import OPERATORS
from edgernn.export.torch_file.cells import CELLS
from edgernn.export.torch_file.operators import OPERATORS as ATEN
from edgernn.formats import FORMATS
from edgernn.graph import Graph

STREAMING: Final = "step by step"

_PREFACE: Final = """\
# What is supported

Classes of `keras.layers` that the reader knows (of Keras 2 and 3, from files and objects):
{classes}; models inside models.

Operations between layers (`x[:, -1]`, `1 - x`, functions of `keras.ops` and the same functions of
TensorFlow): {operations}.

Operators of ONNX that the reader of .onnx files knows (opset 7 and newer): {operators_onnx};
of sizes and constants only: {folded_onnx}.

Operators of ATen that the reader of .pt2 files knows, also for modules in memory: {operators_aten};
loops over {cells}.
Options that have no equivalent are refused by name.

Each line of the tables was tried: the smallest graph with this layer and option was given to each
back end. "step by step" shows whether `--streaming` can turn it into a model that takes one time
step per call. A number refers to the reason below the table.

Made by `python -m edgernn.export.support`; a test compares this file with the program.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One cell of the table; `reason` is empty for yes."""

    column: str
    reason: str


def answers(feature: Feature) -> list[Answer]:
    """Whether every back end, and streaming, accepts one feature."""
    asked: dict[str, Callable[[], object]] = {
        name: partial(_lower, name, feature.graph) for name in FORMATS
    }
    asked[STREAMING] = partial(streaming.to_streaming, feature.graph)
    return [Answer(column=column, reason=_refusal(ask)) for column, ask in asked.items()]


def _lower(backend: str, graph: Graph) -> Lowered:
    return backend_named(backend).lower(streaming.expose_states(graph), metadata={})


def _refusal(ask: Callable[[], object]) -> str:
    try:
        ask()
    except UnsupportedLayer as error:
        return f"{error.reason}. {error.remedy}"
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def markdown() -> str:
    """docs/support.md, whole."""
    preface = _PREFACE.format(
        classes=_listed(CLASSES),
        operations=_listed(OPERATIONS),
        operators_onnx=_listed(OPERATORS),
        folded_onnx=_listed(FOLDED - OPERATORS.keys()),
        operators_aten=_listed(set(ATEN) - {"loop"}),
        cells=_listed(CELLS),
    )
    lines = [preface]
    for section, rows in groupby(features(), key=lambda feature: feature.section):
        lines += [f"## {section}", "", *_table(list(rows)), ""]
    lines += ["## Runtimes of .onnx files", "", *consumers.table(consumers.recorded())]
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: Sequence[Feature]) -> Iterator[str]:
    """Layers that get the same answers for an option share a line."""
    columns = ["layer", "option", *FORMATS, STREAMING]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    reasons: dict[str, int] = {}
    layers: dict[tuple[str, ...], list[str]] = {}
    for feature in rows:
        cells = [_cell(answer, reasons) for answer in answers(feature)]
        layers.setdefault((feature.option, *cells), []).append(feature.layer)
    for (option, *cells), names in layers.items():
        yield f"| {', '.join(dict.fromkeys(names))} | {option} | {' | '.join(cells)} |"
    yield ""
    for reason, number in reasons.items():
        yield f"{number}. {reason}."


def _cell(answer: Answer, reasons: dict[str, int]) -> str:
    if not answer.reason:
        return "yes"
    number = reasons.setdefault(f"{answer.column}: {answer.reason}", len(reasons) + 1)
    return f"no ({number})"


if __name__ == "__main__":
    sys.stdout.write(markdown())
