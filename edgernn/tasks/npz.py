"""Samples as a numpy archive: the user's data, and the files that a training writes.

x        float [N, T, F] (or [N, F]), or integer tokens [N, T]
y        class of each row, an integer or a text; or the numbers to predict, float [N] or [N, K]
         (optional)
lengths  steps of each row that are real, if padding follows them (optional)
labels   text [C], the classes' names by number (optional; texts in y name themselves, or are all
         whole numbers, and then those of a model's outputs)
origins  text [N], where each row comes from: a speaker, a file (optional)
features text, what the features are and how they are computed (optional)
baselines  float [2], accuracy of the best constant answer and of a linear classifier (optional)
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edgernn import atomic
from edgernn.array_archive import DamagedArchive, described_arrays, is_single, read_arrays
from edgernn.errors import DataError
from edgernn.tasks.class_texts import numbered
from edgernn.tasks.samples import AnyArray, Baselines, FloatArray, InputArray, IntArray, Samples

_KNOWN: Final = frozenset({"x", "y", "lengths", "labels", "origins", "features", "baselines"})
_LAYOUT: Final = "An .npz of samples has x [samples, steps, features], and optionally y and lengths"


def read_npz(path: Path) -> Samples:
    """Raises DataError, with the name of the array and the row of the error."""
    arrays = _arrays(path)
    if "x" not in arrays:
        raise DataError(f"{path} has no array x; it has {_contents(path)}", remedy=_LAYOUT)
    labels = _texts(path, "labels", arrays["labels"]) if "labels" in arrays else ()
    y = arrays.get("y")
    named = False
    if y is not None and y.dtype.kind in "SU":
        texts, named = _texts(path, "y", y), not labels
        labels, y = (labels, _numbered(path, texts, labels)) if labels else numbered(texts)
    pair = arrays.get("baselines")
    return Samples(
        name=path.name,
        x=_input(path, arrays["x"]),
        y=None if y is None else _labels(path, y),
        lengths=_integers(path, "lengths", arrays["lengths"]) if "lengths" in arrays else None,
        labels=labels,
        named=named,
        origins=_texts(path, "origins", arrays["origins"]) if "origins" in arrays else (),
        features=str(arrays.get("features", "")),
        baselines=None if pair is None else _baselines(path, pair),
    )


def write_npz(path: Path, samples: Samples) -> None:
    """Raises OutputError."""
    arrays: dict[str, AnyArray] = {"x": samples.x}
    if samples.y is not None:
        arrays["y"] = samples.y
    if samples.lengths is not None:
        arrays["lengths"] = samples.lengths
    if samples.labels:
        arrays["labels"] = np.array(samples.labels)
    if samples.origins:
        arrays["origins"] = np.array(samples.origins)
    if samples.features:
        arrays["features"] = np.array(samples.features)
    if samples.baselines is not None:
        arrays["baselines"] = np.array([samples.baselines.trivial, samples.baselines.linear])
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    atomic.write_bytes(path, packed.getvalue())


def _arrays(path: Path) -> dict[str, AnyArray]:
    try:
        if is_single(path):
            raise DataError(f"{path} is a single array, not an .npz", remedy=_LAYOUT)
        return read_arrays(path, _KNOWN)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except DamagedArchive as error:
        raise DataError(
            f"{path} is not a valid .npz ({error})",
            remedy=f"{_LAYOUT}; object arrays (pickles) are not read",
        ) from error


def _contents(path: Path) -> str:
    """The arrays of an archive: features [1000, 40, 13] float64, target [1000] int64."""
    return ", ".join(described_arrays(path)) or "no arrays"


def _input(path: Path, x: AnyArray) -> InputArray:
    match x.dtype.kind:
        case "f":
            with np.errstate(over="ignore"):  # overflow gives inf, which Samples refuses
                return x.astype(np.float32)
        case "i" | "u" if x.ndim == 2:
            return _fitting(path, "x", x).astype(np.int32)
        case "i" | "u":
            return x.astype(np.float32)
        case _:
            raise DataError(f"{path}: x has the type {x.dtype}", remedy=_LAYOUT)


def _labels(path: Path, y: AnyArray) -> IntArray | FloatArray:
    """Integers are classes; floats are the numbers that a model is to predict."""
    if y.dtype.kind != "f":
        return _integers(path, "y", y)
    with np.errstate(over="ignore"):  # as of x
        return y.astype(np.float32)


def _integers(path: Path, name: str, values: AnyArray) -> IntArray:
    if values.dtype.kind not in "iu":
        raise DataError(
            f"{path}: {name} has the type {values.dtype}",
            remedy=f"{name} must have one integer for each row",
        )
    return _fitting(path, name, values).astype(np.int64)


def _fitting(path: Path, name: str, values: AnyArray) -> AnyArray:
    if values.size and max(int(values.max()), -int(values.min())) > np.iinfo(np.int32).max:
        raise DataError(f"{path}: {name} has numbers beyond 32 bits")
    return values


def _texts(path: Path, name: str, values: AnyArray) -> tuple[str, ...]:
    """Texts without spaces around them, like --labels.  numpy's bytes are UTF-8."""
    try:
        return tuple(
            (text.decode() if isinstance(text, bytes) else str(text)).strip()
            for text in values.ravel()
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {name} contains bytes that are no text ({error})") from error


def _numbered(path: Path, texts: Sequence[str], labels: tuple[str, ...]) -> IntArray:
    numbers = {label: number for number, label in enumerate(labels)}
    try:
        return np.array([numbers[text] for text in texts], dtype=np.int64)
    except KeyError as error:
        raise DataError(f"{path}: y holds {error}, which is not among the labels") from error


def _baselines(path: Path, pair: AnyArray) -> Baselines:
    if pair.shape != (2,) or pair.dtype.kind != "f":
        raise DataError(f"{path}: baselines must be two numbers, is {pair.dtype} {pair.shape}")
    return Baselines(trivial=float(pair[0]), linear=float(pair[1]))
