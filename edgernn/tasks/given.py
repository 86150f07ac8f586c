"""Data in the forms that a user can give: a spec, a path, arrays, or Samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from edgernn.errors import DataError
from edgernn.tasks.class_texts import numbered
from edgernn.tasks.data import load, load_path
from edgernn.tasks.download import Notify, silent
from edgernn.tasks.samples import AnyArray, FloatArray, InputArray, IntArray, Samples

#: A spec ("digits:test"), a path, Samples, x, (x, y), (x, y, lengths), or {"x": x, "y": y}.
#: x, y and lengths are arrays, or whatever numpy.asarray makes into one (a DataFrame, a list).
Given: TypeAlias = Any

_PARTS: Final = ("x", "y", "lengths")
_FORMS: Final = "Give x, (x, y) or (x, y, lengths), the name of a file, or a spec (digits:test)"
_LARGEST: Final = np.iinfo(np.int32).max


def as_samples(given: Given, *, name: str = "the data", notify: Notify = silent) -> Samples:
    """The samples, from any of these forms.

    x: float [N, T, F] or [N, F], or whole numbers [N, T] for tokens.  y: [N] whole numbers or
    texts for classes, or floats [N] or [N, K] for numbers to predict.  lengths: [N], the steps of
    each row before its padding.  `name` stands for arrays in messages and reports.
    Raises DataError, with the shapes of both, if the parts do not belong together.

    >>> as_samples((x_test, y_test)).x.shape
    (200, 40, 13)
    """
    if isinstance(given, Samples):
        return given
    if isinstance(given, str):
        return load(given, notify=notify)
    if isinstance(given, os.PathLike):
        return load_path(Path(given))
    parts = _parts(given, name)
    x = _input(_array(parts["x"], "x", name), name)
    labels, y, named = _answers(parts.get("y"), name)
    lengths = parts.get("lengths")
    for part, values in (("y", y), ("lengths", lengths)):
        shape = np.shape(values) if values is not None else None
        if shape is not None and shape[:1] != x.shape[:1]:
            raise DataError(
                f"{name}: x has shape {x.shape} and {part} has shape {shape}",
                remedy=f"{part} must have one entry for each of the {len(x)} rows of x",
            )
    return Samples(
        name=name,
        x=x,
        y=y,
        labels=labels,
        named=named,
        lengths=None if lengths is None else _integers(lengths, "lengths", name),
    )


def given_arrays(given: Mapping[str, Any], *, name: str = "the data") -> dict[str, AnyArray]:
    """Arrays by input name, for a model of several inputs.  Raises DataError."""
    return {key: _array(value, key, name) for key, value in given.items()}


def _parts(given: Given, name: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        if "x" not in given or not set(given) <= set(_PARTS):
            raise DataError(
                f"{name}: the arrays are {', '.join(map(str, given))}",
                remedy=f"Known are {', '.join(_PARTS)}; x is needed",
            )
        return dict(given)
    if not isinstance(given, tuple):
        return {"x": given}
    if not 1 <= len(given) <= len(_PARTS):
        raise DataError(f"{name} is a tuple of {len(given)} entries", remedy=_FORMS)
    pairs = zip(_PARTS, given, strict=False)
    return {part: value for part, value in pairs if part == "x" or value is not None}


def _array(value: Any, part: str, name: str) -> AnyArray:
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise DataError(
            f"{name}: {part} is not an array ({error})",
            remedy="All rows must have one shape: fill shorter ones up, and give their lengths",
        ) from error
    if array.dtype.kind not in "fiubSU":
        raise DataError(f"{name}: {part} has the type {array.dtype}", remedy=_FORMS)
    return array


def _input(x: AnyArray, name: str) -> InputArray:
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # values that overflow become inf, which Samples refuses
            return x.astype(np.float32)
    if x.dtype.kind in "SU":
        raise DataError(f"{name}: x has the type {x.dtype}, which is text", remedy=_FORMS)
    if x.ndim == 2 and x.dtype.kind != "b":
        return _bounded(x, "x", name).astype(np.int32)
    return x.astype(np.float32)


def _answers(given: Any, name: str) -> tuple[tuple[str, ...], IntArray | FloatArray | None, bool]:
    """(labels, y, whether y came as texts)"""
    if given is None:
        return (), None, False
    y = _array(given, "y", name)
    if y.dtype.kind in "SU" and y.ndim == 1:
        labels, numbers = numbered([str(text).strip() for text in y.astype(str)])
        return labels, numbers, True
    if y.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return (), y.astype(np.float32), False
    if y.ndim == 2 and y.shape[1] == 1:  # a column, as a DataFrame gives it
        y = y[:, 0]
    return (), _integers(y, "y", name), False


def _integers(given: Any, part: str, name: str) -> IntArray:
    values = _array(given, part, name)
    if values.dtype.kind not in "iub":
        raise DataError(
            f"{name}: {part} has the type {values.dtype}",
            remedy=f"{part} must have one whole number for each row of x",
        )
    return _bounded(values, part, name).astype(np.int64)


def _bounded(values: AnyArray, part: str, name: str) -> AnyArray:
    if values.dtype.kind != "b" and values.size:
        largest = max(int(values.max()), -int(values.min()))
        if largest > _LARGEST:
            raise DataError(f"{name}: {part} has numbers beyond 32 bits")
    return values
