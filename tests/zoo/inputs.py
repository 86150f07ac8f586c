"""Data for a model: its shapes filled in, gaps where a mask shall bite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.zoo.case import Case, Gaps


def draw(case: Case, specs: Sequence[tuple[Any, str]], seed: int) -> list[npt.NDArray[Any]]:
    """One array per (shape, dtype) of `specs`; None in a shape is the batch, then the time."""
    rng = np.random.default_rng(seed)
    return [_one(case, tuple(shape), dtype, rng) for shape, dtype in specs]


def _one(
    case: Case, shape: tuple[int | None, ...], dtype: str, rng: np.random.Generator
) -> npt.NDArray[Any]:
    batch = case.batch if shape[0] is None else shape[0]
    sizes = (batch, *(case.steps if size is None else size for size in shape[1:]))
    if dtype == "bool":
        return valid_steps(case.gaps, sizes[0], sizes[1], rng)
    if dtype.startswith(("int", "uint")):
        lowest = 0 if case.gaps is Gaps.NONE else 1
        values = rng.integers(lowest, case.vocabulary, sizes).astype(np.int32)
        is_sequence = len(sizes) >= 2
    else:
        values = rng.normal(0.0, 1.0, sizes).astype(np.float32)
        is_sequence = len(sizes) >= 3
    if is_sequence and case.gaps is not Gaps.NONE:
        values[~valid_steps(case.gaps, sizes[0], sizes[1], rng)] = 0
    return values


def valid_steps(
    gaps: Gaps, batch: int, steps: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """[batch, steps], False in the gaps.  Rows differ; the first row has both kinds of end."""
    if gaps in {Gaps.LEFT, Gaps.RIGHT}:
        lengths = np.array([max(1, steps - 2 * row) for row in range(batch)])
        valid = np.arange(steps) < lengths[:, None]
        return valid[:, ::-1] if gaps is Gaps.LEFT else valid
    valid = rng.random((batch, steps)) < 0.6
    valid[:, rng.integers(steps)] = True
    if steps > 2:
        valid[0, [0, -1]] = False
        valid[0, 1] = True
    if batch > 1:
        valid[1, 0] = True
    if gaps is Gaps.EMPTY_ROW:
        valid[batch // 2] = False
    return valid
