"""Scores of classes as shares of 1, whatever the model's last layer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgernn.runtime.library import lib

if TYPE_CHECKING:
    from edgernn.graph import AnyArray
    from edgernn.runtime.model import Model

Scores = npt.NDArray[np.float64]


def are_shares(model: Model) -> bool:
    """Whether the first output that is no state lies behind a softmax or a sigmoid."""
    return bool(lib.ernn_are_shares(model.handle, model.free_output_positions[0]))


def shares_of(scores: AnyArray, *, shares: bool) -> Scores:
    """[C] scores as shares: as they are where they are `shares`, else of logits.

    Of one score those of both classes.

    >>> shares_of(np.array([0.25]), shares=True)
    array([0.75, 0.25])
    """
    flat = np.asarray(scores, np.float64).ravel()
    if flat.size == 1:
        share = flat[0] if shares else 0.5 + 0.5 * np.tanh(flat[0] / 2)
        return np.array([1 - share, share])
    if not shares:
        flat = np.exp(flat - flat.max())
        flat /= flat.sum()
    return flat


def label_of(model: Model, number: int) -> str:
    """The name of a class, "class 3" where the file names none."""
    labels = model.labels
    return labels[number] if number < len(labels) else f"class {number}"
