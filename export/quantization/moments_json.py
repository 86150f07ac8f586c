"""Moments in a file of ranges: means as numbers, covariances as float32 in base64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.products import inputs_of
from edgernn.graph import Graph, Moments


def moments_as_json(moments: Mapping[str, Moments]) -> dict[str, Any]:
    """By layer; of a covariance the lower triangle, row by row."""
    return {
        name: {
            "mean": seen.mean.tolist(),
            "covariance": [
                b64encode(one[np.tril_indices(len(one))].astype("<f4").tobytes()).decode("ascii")
                for one in seen.covariance
            ],
        }
        for name, seen in moments.items()
    }


def moments_from_json(entries: Mapping[str, Any], graph: Graph) -> dict[str, Moments]:
    """Raises ValueError for what no calibration of `graph` gives, KeyError for what is missing."""
    widths = {layer.name: inputs_of(layer) for layer in graph.layers}
    found = {}
    for name, entry in entries.items():
        mean = np.array(entry["mean"], np.float64)
        if mean.ndim != 2 or mean.shape != widths.get(name) or not np.isfinite(mean).all():
            raise ValueError(f"the moments of '{name}' are not those of a layer of this model")
        found[name] = Moments(
            mean=mean,
            covariance=np.stack([_square(text, mean.shape[1]) for text in entry["covariance"]]),
        )
        if len(found[name].covariance) != len(mean):
            raise ValueError(f"'{name}' has {len(mean)} groups and other covariances")
    return found


def _square(text: str, width: int) -> npt.NDArray[np.float64]:
    """Raises ValueError where it is no covariance."""
    lower = np.frombuffer(b64decode(text, validate=True), "<f4").astype(np.float64)
    square = np.zeros((width, width))
    square[np.tril_indices(width)] = lower
    square = square + np.tril(square, -1).T
    # A negative eigenvalue beyond the rounding of float32 belongs to no real numbers.
    least = np.linalg.eigvalsh(square)[0] if width else 0.0
    if not np.isfinite(square).all() or least < -1e-4 * np.abs(np.diagonal(square)).mean():
        raise ValueError("a covariance is none")
    return square
