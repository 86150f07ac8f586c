"""Samples as a numpy archive: the user's data, and the files that a training writes.

x        float [N, T, F] (or [N, F]), integer tokens [N, T], or texts [N] for a model of text
y        the answers, in any form of edgernn.tasks.target.normal_form; classes may be texts
         (optional)
target   text, the kind of y where its shape and type do not say it: "numbers", "token", …
         (optional)
lengths  steps of each row that are real, if padding follows them (optional)
labels   text [C], the classes' names by number (optional; texts in y name themselves, or are all
         whole numbers, and then those of a model's outputs)
origins  text [N], where each row comes from: a speaker, a file (optional)
features text, what the features are and how they are computed (optional)
baselines  float [2], what the best constant answer and a linear model reach (optional)
baseline_names  text [2], other names for the two (optional)

Of a model with several outputs, y.NAME holds the answers of the output NAME, with target.NAME and
labels.NAME; the first y in the file is that of the output to judge first.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np

from edgernn import atomic
from edgernn.array_archive import DamagedArchive, described_arrays, is_single, read_arrays
from edgernn.errors import DataError
from edgernn.recipe import FrontEndRecipe
from edgernn.tasks.class_texts import texts_numbered
from edgernn.tasks.samples import (
    AnyArray,
    Baselines,
    InputArray,
    IntArray,
    OtherOutput,
    Samples,
    with_outputs,
)
from edgernn.tasks.target import NO_ANSWER, Target, normal_form, target_named
from edgernn.tasks.texts import tokens_of

_KNOWN: Final = frozenset(
    {
        *("x", "y", "target", "lengths", "labels", "origins", "features"),
        *("baselines", "baseline_names"),
    }
)
_EACH: Final = ("y", "target", "labels")  # of each output
_OF_OUTPUT: Final = "y."
_NAMES: Final = ("trivial_name", "linear_name")
_LAYOUT: Final = "An .npz of samples holds x [samples, steps, features] and perhaps y and lengths"


class _Known:
    """The names of arrays that are read: those of _KNOWN, and those of outputs (y.NAME)."""

    def __contains__(self, name: object) -> bool:
        whole, dot, output = str(name).partition(".")
        return name in _KNOWN or (whole in _EACH and bool(dot and output))


def read_npz(
    path: Path, kind: Target | None = None, front_end: FrontEndRecipe | None = None
) -> Samples:
    """The arrays as samples; `kind` is that of y where the file does not say it.

    front_end: how x becomes tokens, where it is text.

    Raises DataError, naming the array and the row that are wrong.
    """
    arrays = _arrays(path)
    if "x" in arrays and arrays["x"].dtype.kind in "SU":
        arrays["x"] = tokens_of(arrays["x"], front_end, str(path))
    if any(name.startswith(_OF_OUTPUT) for name in arrays):
        return _of_outputs(path, arrays, kind)
    return _samples(path, arrays, kind)


def _samples(path: Path, arrays: dict[str, AnyArray], kind: Target | None) -> Samples:
    if "x" not in arrays:
        raise DataError(f"{path} has no array x; it has {_contents(path)}", remedy=_LAYOUT)
    x = _input(path, arrays["x"])
    labels = _texts(path, "labels", arrays["labels"]) if "labels" in arrays else ()
    y = arrays.get("y")
    named = False
    if y is not None:
        if y.dtype.kind in "SU":
            named = not labels
            labels, y = (labels, _numbered(path, y, labels)) if labels else _named(path, y)
        elif y.dtype.kind not in "iufb":
            raise DataError(f"{path}: y has the type {y.dtype}", remedy=_LAYOUT)
        y, kind = _answers(path, y, x, arrays, kind)
    pair = arrays.get("baselines")
    return Samples(
        name=path.name,
        x=x,
        y=y,
        lengths=_integers(path, "lengths", arrays["lengths"]) if "lengths" in arrays else None,
        labels=labels,
        named=named,
        origins=_texts(path, "origins", arrays["origins"]) if "origins" in arrays else (),
        features=str(arrays.get("features", "")),
        baselines=None if pair is None else _baselines(path, pair, arrays.get("baseline_names")),
        kind=kind,
    )


def _of_outputs(path: Path, arrays: dict[str, AnyArray], kind: Target | None) -> Samples:
    """Each output as its own samples, put together."""
    if "y" in arrays:
        raise DataError(
            f"{path} has an array y and arrays y.NAME",
            remedy="Name the outputs of all: y.NAME for each",
        )
    found = []
    for name in [name for name in arrays if name.startswith(_OF_OUTPUT)]:
        output = name.removeprefix(_OF_OUTPUT)
        own = {part: arrays.get(f"{part}.{output}") for part in _EACH}
        whole = {part: values for part, values in arrays.items() if part in _KNOWN}
        given = whole | {part: values for part, values in own.items() if values is not None}
        try:
            found.append((output, _samples(path, given, kind)))
        except DataError as error:
            raise DataError(f"output '{output}': {error.what}", remedy=error.remedy) from error
    outputs = [
        OtherOutput(output=output, y=one.y, labels=one.labels, named=one.named, kind=one.target)
        for output, one in found
        if one.y is not None
    ]
    return with_outputs(found[0][1], outputs)


def write_npz(path: Path, samples: Samples) -> None:
    """Raises OutputError."""
    arrays: dict[str, AnyArray] = {"x": samples.x}
    for one in samples.outputs:
        end = f".{one.output}" if one.output else ""
        if one.y is not None:
            arrays[f"y{end}"] = one.y
            arrays[f"target{end}"] = np.array(str(one.target.value if one.target else ""))
        if one.labels:
            arrays[f"labels{end}"] = np.array(one.labels)
    if samples.lengths is not None:
        arrays["lengths"] = samples.lengths
    if samples.origins:
        arrays["origins"] = np.array(samples.origins)
    if samples.features:
        arrays["features"] = np.array(samples.features)
    if samples.baselines is not None:
        reached = samples.baselines
        arrays["baselines"] = np.array([reached.trivial, reached.linear])
        arrays["baseline_names"] = np.array([reached.trivial_name, reached.linear_name])
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    atomic.write_bytes(path, packed.getvalue())


def _arrays(path: Path) -> dict[str, AnyArray]:
    try:
        if is_single(path):
            raise DataError(f"{path} is a single array, not an .npz", remedy=_LAYOUT)
        return read_arrays(path, _Known())
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


def _answers(
    path: Path,
    y: AnyArray,
    x: InputArray,
    arrays: dict[str, AnyArray],
    kind: Target | None,
) -> tuple[AnyArray, Target]:
    if y.shape[:1] != x.shape[:1]:
        raise DataError(
            f"{path}: y has shape {y.shape}, x has {len(x)} rows",
            remedy="y must hold one number for each row of x",
        )
    given = str(arrays.get("target", ""))
    target = kind or (target_named(given, str(path)) if given else None)
    return normal_form(y, x_shape=x.shape, data=str(path), target=target)


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


def _numbered(path: Path, y: AnyArray, labels: tuple[str, ...]) -> IntArray:
    numbers = {"": NO_ANSWER} | {label: number for number, label in enumerate(labels)}
    try:
        found = [numbers[text] for text in _texts(path, "y", y)]
    except KeyError as error:
        raise DataError(f"{path}: y holds {error}, which is not among the labels") from error
    return np.array(found, dtype=np.int64).reshape(y.shape)


def _named(path: Path, y: AnyArray) -> tuple[tuple[str, ...], IntArray]:
    return texts_numbered(np.array(_texts(path, "y", y)).reshape(y.shape))


def _baselines(path: Path, pair: AnyArray, names: AnyArray | None) -> Baselines:
    if pair.shape != (2,) or pair.dtype.kind != "f":
        raise DataError(f"{path}: baselines must be two numbers, is {pair.dtype} {pair.shape}")
    known = {} if names is None else dict(zip(_NAMES, _texts(path, "names", names), strict=True))
    return Baselines(trivial=float(pair[0]), linear=float(pair[1]), **known)
