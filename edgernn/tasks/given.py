"""Data in the forms that a user can give: a spec, a path, arrays, or Samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np

from edgernn.errors import DataError
from edgernn.recipe import FrontEndRecipe, SoundRecipe
from edgernn.tasks.class_texts import texts_numbered
from edgernn.tasks.data import load
from edgernn.tasks.download import Notify, silent
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.recordings import rows_of_sounds
from edgernn.tasks.samples import (
    AnyArray,
    InputArray,
    IntArray,
    OtherOutput,
    Samples,
    with_outputs,
)
from edgernn.tasks.target import Target, normal_form, target_named
from edgernn.tasks.texts import tokens_of

#: A spec ("digits:test"), a path, Samples, x, (x, y), (x, y, lengths), or {"x": x, "y": y}.
#: x, y and lengths are arrays, or whatever numpy.asarray makes into one (a DataFrame, a list).
Given: TypeAlias = Any

_PARTS: Final = ("x", "y", "lengths")
_FORMS: Final = "Give x, (x, y) or (x, y, lengths), the name of a file, or a spec (digits:test)"
_LARGEST: Final = np.iinfo(np.int32).max


def as_samples(
    given: Given,
    *,
    name: str = "the data",
    target: str | None = None,
    reading: Reading = AS_IT_IS,
    front_end: FrontEndRecipe | None = None,
    notify: Notify = silent,
) -> Samples:
    """The samples in whatever form they are given.

    x: float [N, T, F] or [N, F], or whole numbers [N, T] for tokens.  lengths: [N], the steps of
    each row before its padding.  `name` stands for arrays in messages and reports.
    y: classes as whole numbers or texts [N] or [N, 1] or one-hot [N, C]; several labels as zeros
    and ones [N, K]; a class for each step [N, T] (-1: none); numbers to predict as floats [N, ...].
    Of a model with several outputs, y is a dict of such arrays by the outputs' names, or a
    DataFrame of texts and numbers; tables show the first one first.
    target: "class", "labels", "steps", "numbers", "token" (the next one: perplexity) or "sequence"
    where y can be read in several ways; columns ("load,price") of a .csv.
    reading: how tables and folders are read (edgernn.tasks.reading), as a training recorded it.
    front_end: how recordings become rows (None is the recipe of trainings), or texts tokens: x is
    then also [N, samples] of sound (int16, or floats in -1..1), or [N] texts.
    Raises DataError, with the shapes of both, where the parts do not belong together.

    >>> as_samples((x_test, y_test)).x.shape
    (200, 40, 13)
    """
    if isinstance(given, Samples):
        return given
    if isinstance(given, str | os.PathLike):
        return load(
            str(given), reading=reading.with_target(target), front_end=front_end, notify=notify
        )
    parts = _parts(given, name)
    x = _input(_array(parts["x"], "x", name, is_input=True), name, front_end)
    lengths = parts.get("lengths")
    if lengths is not None:
        _require_rows("lengths", lengths, x.shape, name)
    wanted = None if target is None else target_named(target, name)
    samples = Samples(
        name=name,
        x=x,
        lengths=None if lengths is None else _integers(lengths, "lengths", name),
    )
    if parts.get("y") is None:
        return samples
    by_output = _by_output(parts["y"])
    if by_output is None:
        labels, y, named, kind = _answers(parts["y"], x.shape, name, wanted)
        return replace(samples, y=y, labels=labels, named=named, kind=kind)
    return _of_outputs(samples, by_output, wanted)


def given_arrays(given: Mapping[str, Any], *, name: str = "the data") -> dict[str, AnyArray]:
    """Arrays by input name, for a model of several inputs.  Raises DataError."""
    return {key: _array(value, key, name, is_input=True) for key, value in given.items()}


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


def _array(value: Any, part: str, name: str, *, is_input: bool = False) -> AnyArray:
    """Numbers, or texts: those of an input as objects."""
    try:
        # numpy would make texts of numbers beside them, and all texts as long as the longest.
        array = np.array(value, object) if _is_list_of_text(value) else np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise DataError(
            f"{name}: {part} is not an array ({error})",
            remedy="All rows must have one shape: fill shorter ones up, and give their lengths",
        ) from error
    if array.dtype.kind == "O" and array.size:
        others = [one for one in array.ravel() if not isinstance(one, str | bytes)]
        if not others:  # of a list or a DataFrame
            return array if is_input else _characters(array, part, name)
        if len(others) < array.size:
            raise DataError(
                f"{name}: {part} has {others[0]!r} among its texts",
                remedy="Fill the gap with a text, or leave the row out",
            )
    if array.dtype.kind not in "fiubSU":
        raise DataError(f"{name}: {part} has the type {array.dtype}", remedy=_FORMS)
    return array


def _characters(texts: AnyArray, part: str, name: str) -> AnyArray:
    """[...] of objects as an array of characters."""
    try:
        return texts.astype(str)
    except UnicodeDecodeError as error:  # bytes
        raise DataError(
            f"{name}: {part} has bytes that are not ASCII", remedy="Decode them"
        ) from error


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(one, str | bytes) for one in value)


def _input(x: AnyArray, name: str, front_end: FrontEndRecipe | None) -> InputArray:
    if isinstance(front_end, SoundRecipe):
        x = with_rows(x, front_end, name)
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # values that overflow become inf, which Samples refuses
            return x.astype(np.float32)
    if x.dtype.kind in "SUO":
        return tokens_of(x, front_end, name)
    if x.ndim == 2 and x.dtype.kind != "b":
        return _bounded(x, "x", name).astype(np.int32)
    return x.astype(np.float32)


def with_rows(x: AnyArray, recipe: SoundRecipe, name: str) -> AnyArray:
    """Sounds [N, samples] or [N, samples, 1] as their rows [N, T, width]; rows as they are.

    x: int16, or floats in -1..1.  Raises DataError for other sounds.
    """
    is_sound = x.ndim == 2 or (x.ndim == 3 and x.shape[2] == 1 < recipe.width)
    if not is_sound or x.dtype.kind not in "fiu":
        return x
    sounds = x.reshape(len(x), -1)
    return rows_of_sounds(
        sounds.astype(np.float32) if x.dtype.kind == "f" else sounds, recipe, name
    )


def _by_output(y: Any) -> Mapping[str, Any] | None:
    """A dict of outputs; also several columns of a DataFrame of which some are texts.

    As of a table: each column of texts is an output, all columns of numbers are one.
    """
    if isinstance(y, Mapping):
        return y
    columns = {str(name): np.asarray(y[name]) for name in getattr(y, "columns", ())}
    numbers = [name for name, values in columns.items() if values.dtype.kind in "fiub"]
    if len(columns) < 2 or len(numbers) == len(columns):
        return None
    together = "_".join(numbers)
    if len(numbers) > 1 and together in columns:
        raise DataError(
            f"y has the numbers {', '.join(numbers)} (one output) and a column '{together}'",
            remedy="Give that column another name",
        )
    found: dict[str, Any] = {}
    for name, values in columns.items():
        if name not in numbers:
            found[name] = values
        elif together not in found:
            found[together] = np.stack([columns[one] for one in numbers], axis=1)
    return found


def _of_outputs(samples: Samples, given: Mapping[str, Any], wanted: Target | None) -> Samples:
    """The samples with a y for each output."""
    if not given:
        raise DataError(f"{samples.name}: y is a dict without arrays", remedy=_FORMS)
    if wanted is not None and len(given) > 1:
        raise DataError(
            f"{samples.name}: y has several outputs, and the target '{wanted.value}' is one kind",
            remedy="Leave the kind out: it is taken from each array (floats are numbers)",
        )
    others = []
    for output, values in given.items():
        name = f"{samples.name}, output '{output}'"
        labels, y, named, kind = _answers(values, samples.x.shape, name, wanted)
        others.append(OtherOutput(output=str(output), y=y, labels=labels, named=named, kind=kind))
    return with_outputs(samples, others)


def _answers(
    given: Any, x_shape: tuple[int, ...], name: str, target: Target | None
) -> tuple[tuple[str, ...], AnyArray, bool, Target]:
    """(labels, y, whether y came as texts, the kind of target)"""
    y = _array(given, "y", name)
    _require_rows("y", y, x_shape, name)
    labels: tuple[str, ...] = ()
    named = y.dtype.kind in "SU"
    if named:
        labels, y = texts_numbered(y)
    elif y.dtype.kind in "iub":
        _bounded(y, "y", name)
    y, kind = normal_form(y, x_shape=x_shape, data=name, target=target)
    return labels, y, named, kind


def _require_rows(part: str, values: Any, x_shape: tuple[int, ...], name: str) -> None:
    shape = np.shape(values)
    if shape[:1] != x_shape[:1]:
        raise DataError(
            f"{name}: x has shape {x_shape} and {part} has shape {shape}",
            remedy=f"{part} must have one entry for each of the {x_shape[0]} rows of x",
        )


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
