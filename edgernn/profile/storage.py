"""A report as versioned JSON, and back.

The values decide the format: fields by their names, enums by value, a union by the key "kind".
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

from edgernn.errors import DataError
from edgernn.profile.report import Report
from edgernn.regular_file import DAMAGE, MODEL_BYTES, read_json
from edgernn.scoring.truth import scores

# History of the format:
#   1  first version
#   2  targets of every kind: their answers in `truth`, likelihoods and numbers in `predictions`
#   3  several outputs: the answers of the others in `others` of `truth` and of `predictions`
VERSION: Final = 3
FORMAT: Final = "edgernn-report"


def as_json(report: Report, *, derived: Mapping[str, Any] | None = None) -> str:
    """The report's JSON.  `derived` (summaries, sentences) is for readers; it is not read back."""
    document = {"format": FORMAT, "version": VERSION, **encoded(report), **(derived or {})}
    return json.dumps(document, allow_nan=False) + "\n"


def read_report(path: Path) -> Report:
    """Raises FileNotFoundError, or DataError if it is not a report that this version reads."""
    try:
        document = read_json(path, at_most=MODEL_BYTES)
        known = document["format"] == FORMAT and int(document["version"]) <= VERSION
        if not known:
            raise DataError(
                f"{path} has format {document['format']} {document['version']}; "
                f"this edgernn reads {FORMAT} up to {VERSION}",
                remedy="Update edgernn, or give another --json file",
            )
        report = cast("Report", decoded(Report, document))
        _require_rows(report)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except DAMAGE as error:
        raise DataError(
            f"{path} is not a report of edgernn ({type(error).__name__}: {error})",
            remedy="Give another --json file",
        ) from error

    return report


def _require_rows(report: Report) -> None:
    """Scores all predictions: raises an error of DAMAGE where they do not fit the right answers."""
    if report.truth is None or report.truth.judge is None:
        return
    for cell in report.cells:
        if cell.predictions is not None:
            scores(cell.predictions, report.truth)


def encoded(value: Any) -> Any:
    """Encodes a value for JSON.  Raises TypeError for a type that no report contains."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encoded(getattr(value, field.name)) for field in fields(value)} | (
            {"kind": type(value).__name__} if type(value).__name__ in _UNION_MEMBERS else {}
        )
    match value:
        case Enum():
            return value.value
        case tuple() | list():
            return [encoded(item) for item in value]
        case Mapping():
            return {key: encoded(item) for key, item in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"a report does not contain {type(value).__name__}")


#: Dataclasses that are alternatives of a field.
_UNION_MEMBERS: Final = frozenset({"Failed", "Skipped"})


def decoded(kind: Any, value: Any) -> Any:
    """The value of type `kind` (a type hint) that `encoded` turned into `value`."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decoded_union(get_args(kind), value)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return cast("Any", kind)(
            **{
                field.name: decoded(hints[field.name], value[field.name])
                for field in fields(kind)
                if field.name in value
            }
        )
    if origin is tuple:
        item_kinds = get_args(kind)
        if item_kinds[-1] is Ellipsis:
            return tuple(decoded(item_kinds[0], item) for item in value)
        return tuple(decoded(one, item) for one, item in zip(item_kinds, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {key: decoded(get_args(kind)[1], item) for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind is float:
        return float(value)  # 1.0 may come back as 1
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, found {value!r}")
    return value


def _decoded_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    choices = [kind for kind in kinds if kind is not type(None)]
    if len(choices) > 1 and isinstance(value, dict):
        choices = [kind for kind in choices if kind.__name__ == value["kind"]]
    return decoded(choices[0], value)
