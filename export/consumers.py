"""Which runtimes besides ONNX Runtime run our .onnx files: measured by `make consumers`.

The record is a file beside this module, so that the documentation can be made without the runtimes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from edgernn.scheme import Scheme

FILE: Final = "consumers.json"

_PREFACE: Final = """\
Each file was run in {versions}
and compared with ONNX Runtime, and ONNX Runtime with Keras, in batches of 1 and 3, with gaps and an
empty row under a mask. `yes` is an answer that agrees.
`portable` says that the file has to be written with `--onnx-profile portable`, and why.

OpenVINO computes in bfloat16 where the CPU can (off by some 0.01), and rounds the inputs of large
int8 layers to 8 bits (some 0.005). It is asked not to: `INFERENCE_PRECISION_HINT="f32"` and
`DYNAMIC_QUANTIZATION_GROUP_SIZE=0`. It refuses .tflite files, whose tensors have no names here.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One file.  reasons: by runtime, "" where it is right, else what is wrong."""

    model: str
    scheme: Scheme
    profile: str
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """versions: of the runtimes that were tried, by name."""

    versions: Mapping[str, str]
    answers: Sequence[Tried]


def as_json(record: Record) -> str:
    """The content of the file; a line for each file that was tried."""
    lines = [
        json.dumps([tried.model, tried.scheme.value, tried.profile, dict(tried.reasons)])
        for tried in record.answers
    ]
    versions = json.dumps(dict(record.versions))
    answers = ",\n".join(lines)
    return f'{{"versions": {versions},\n"answers": [\n{answers}\n]}}\n'


@cache
def recorded() -> Record:
    """The record that is part of this package."""
    found = json.loads(Path(__file__).with_name(FILE).read_text(encoding="utf-8"))
    return Record(
        versions=found["versions"],
        answers=tuple(
            Tried(model=model, scheme=Scheme(scheme), profile=profile, reasons=reasons)
            for model, scheme, profile, reasons in found["answers"]
        ),
    )


def table(record: Record) -> Iterator[str]:
    """Lines of Markdown: what runs where.  Schemes that behave alike share a line."""
    versions = ", ".join(f"{name} ({version})" for name, version in record.versions.items())
    yield from _PREFACE.format(versions=versions).splitlines()
    yield ""
    counts = ", ".join(
        f"{name} {sum(not tried.reasons[name] for tried in record.answers)}"
        for name in record.versions
    )
    yield (
        f"Of {len(record.answers)} files, half of them `portable`, the answers are right in: "
        f"{counts}."
    )
    yield ""
    columns = ["model", "scheme", *record.versions]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    by_file = {(tried.model, tried.scheme, tried.profile): tried for tried in record.answers}
    notes: dict[str, int] = {}
    rows: dict[tuple[str, ...], list[str]] = {}
    for model, scheme in dict.fromkeys((tried.model, tried.scheme) for tried in record.answers):
        default = by_file[model, scheme, "default"].reasons
        portable = by_file[model, scheme, "portable"].reasons
        cells = [_cell(name, default[name], portable[name], notes) for name in record.versions]
        rows.setdefault((model, *cells), []).append(scheme.value)
    all_schemes = {tried.scheme for tried in record.answers}
    for (model, *cells), schemes in rows.items():
        shown = "all" if len(schemes) == len(all_schemes) else ", ".join(schemes)
        yield f"| {model} | {shown} | {' | '.join(cells)} |"
    yield ""
    for note, number in notes.items():
        yield f"{number}. {note}."


def _cell(runtime: str, default: str, portable: str, notes: dict[str, int]) -> str:
    if not default:
        return "yes"
    reason = f"{runtime} {portable or default}"
    number = notes.setdefault(reason, len(notes) + 1)
    return f"{'no' if portable else 'portable'} ({number})"
