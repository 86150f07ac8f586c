"""What a model is to answer: the kinds of target, and y in whatever form people have it."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError

AnyArray: TypeAlias = npt.NDArray[Any]

#: In y: this step has no answer to compare with (padding, or nobody labelled it).
NO_ANSWER: Final = -1


class Target(str, Enum):
    """The kind of the answers, and how Samples hold them."""

    CLASS = "class"  # y [N], integers: one of several classes
    LABELS = "labels"  # y [N, K] of zeros and ones: any of K labels
    STEPS = "steps"  # y [N, T], integers: the class of each step, -1 where there is none
    NUMBERS = "numbers"  # y [N, ...], floats
    TOKEN = "token"  # noqa: S105 - y [N], integers: the token that follows; judged by perplexity
    SEQUENCE = "sequence"  # y [N, U], integers: tokens, -1 after the last


def target_named(name: str | Target, data: str) -> Target:
    """Raises DataError for a kind that does not exist."""
    try:
        return Target(name)
    except ValueError as error:
        raise DataError(
            f"{data}: there is no kind of target '{name}'",
            remedy=f"The kinds are {', '.join(kind.value for kind in Target)}",
        ) from error


def normal_form(
    y: AnyArray, *, x_shape: tuple[int, ...], data: str, target: Target | None = None
) -> tuple[AnyArray, Target]:
    """y as Samples hold it, and its kind, which is `target` or else taken from shape and type.

    y holds numbers (texts are numbered before).  Integers [N] or [N, 1] and one-hot rows are
    classes; zeros and ones [N, K] are labels; integers [N, T] or one-hot steps [N, T, C] are a
    class for each step (rows of zeros: none); floats that are only 0 and 1 are taken for integers,
    all others for numbers.
    Raises DataError where y is none of these, or cannot be of the kind `target`.

    >>> normal_form(np.eye(3)[[2, 0]], x_shape=(2, 40, 13), data="d")
    (array([2, 0]), <Target.CLASS: 'class'>)
    """
    if y.dtype.kind == "f":
        _require_finite(y, data)
    kind = target or _kind(y, x_shape, data)
    if kind is Target.NUMBERS:
        with np.errstate(over="ignore"):  # what overflows becomes inf, which Samples refuses
            return y.astype(np.float32), kind
    whole = _whole(y, kind, data)
    match kind:
        case Target.CLASS | Target.TOKEN:
            whole = _one_class(whole, kind, data)
        case Target.STEPS:
            whole = _steps(whole, x_shape, data)
        case Target.LABELS | Target.SEQUENCE:
            if whole.ndim != 2:
                raise _misfit(y, kind, data)
            if kind is Target.LABELS and not _is_binary(whole):
                raise DataError(
                    f"{data}: y holds {whole[(whole != 0) & (whole != 1)][0]}, and labels are "
                    "0 or 1",
                    remedy="Give a column of zeros and ones for each label",
                )
    return whole, kind


def _kind(y: AnyArray, x_shape: tuple[int, ...], data: str) -> Target:
    binary, steps = _is_binary(y), len(x_shape) > 1 and y.shape[1:2] == x_shape[1:2]
    if y.dtype.kind == "f" and not (binary and len(np.unique(y)) == 2):
        return Target.NUMBERS
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        return Target.CLASS
    if y.ndim == 2 and steps:
        return Target.STEPS
    if y.ndim == 2 and binary:
        return Target.CLASS if (y.sum(axis=1) == 1).all() else Target.LABELS
    if y.ndim == 3 and steps and (y.shape[2] == 1 or binary):
        return Target.STEPS
    if y.dtype.kind == "f":
        return Target.NUMBERS
    raise DataError(
        f"{data}: y has shape {list(y.shape)} and type {y.dtype}, x has shape {list(x_shape)}",
        remedy="Give one integer a row (a class), zeros and ones [rows, labels], one integer a "
        "step [rows, steps], or floats (numbers); sequences need target='sequence'",
    )


def _whole(y: AnyArray, kind: Target, data: str) -> AnyArray:
    if y.dtype.kind == "f" and (y != np.round(y)).any():
        raise DataError(
            f"{data}: y holds {y[y != np.round(y)][0]:g}, which is no {kind.value}",
            remedy="Give whole numbers, or target='numbers'",
        )
    if y.size and max(float(y.max()), -float(y.min())) > np.iinfo(np.int32).max:
        raise DataError(f"{data}: y holds numbers beyond 32 bits")
    return y.astype(np.int64)


def _one_class(y: AnyArray, kind: Target, data: str) -> AnyArray:
    """[N], [N, 1] or one-hot [N, C] -> [N]"""
    if y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    if y.ndim == 2 and _is_binary(y):
        several = np.flatnonzero(y.sum(axis=1) != 1)
        if several.size:
            raise DataError(
                f"{data}: row {several[0]} of y has {y[several[0]].sum()} ones, a class has one",
                remedy="Use target='labels' where a row may have several labels or none",
            )
        return np.asarray(y.argmax(axis=1))
    if y.ndim != 1:
        raise _misfit(y, kind, data)
    return y


def _steps(y: AnyArray, x_shape: tuple[int, ...], data: str) -> AnyArray:
    """[N, T], [N, T, 1] or one-hot [N, T, C] -> [N, T]"""
    if y.ndim == 3 and y.shape[2] > 1 and _is_binary(y):
        if (y.sum(axis=2) > 1).any():
            raise DataError(
                f"{data}: y has several ones in a step, a step has one class",
                remedy="Give one class for each step",
            )
        y = np.where(y.any(axis=2), y.argmax(axis=2), NO_ANSWER)
    elif y.ndim == 3 and y.shape[2] == 1:
        y = y[:, :, 0]
    if y.ndim != 2 or len(x_shape) < 2 or y.shape[1] != x_shape[1]:
        raise DataError(
            f"{data}: y has shape {list(y.shape)}, x has {x_shape[1]} steps",
            remedy="Give one class for each step of x, -1 where there is none",
        )
    return y


def _is_binary(y: AnyArray) -> bool:
    return bool(((y == 0) | (y == 1)).all())


def _misfit(y: AnyArray, kind: Target, data: str) -> DataError:
    return DataError(
        f"{data}: y has shape {list(y.shape)}, which does not fit the target '{kind.value}'",
        remedy="Leave the kind of target out to have it taken from y, or reshape y",
    )


def _require_finite(y: AnyArray, data: str) -> None:
    wrong = ~np.isfinite(y.reshape(len(y), -1)).all(axis=1)
    if wrong.any():
        raise DataError(
            f"{data}: row {int(np.argmax(wrong))} of y contains NaN or infinity",
            remedy="Remove or repair this row",
        )
