"""Weights large enough that a wrong gate, a forgotten bias or a swapped axis shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def randomize(model: Any, seed: int) -> None:
    """Gives every float weight of a Keras model new values; counters and states stay.

    So do the statistics of Normalization, of which the layer computes with a copy.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        kept = "state" in variable.name or variable.name.split(":")[0] in ("mean", "variance")
        if "float" in str(variable.dtype) and not kept:
            shape = tuple(variable.shape)
            variable.assign(_values(variable.name, shape, rng).astype(np.float32))


def _values(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    if "variance" in name:
        return rng.uniform(0.3, 2.0, shape)
    if "gamma" in name or name.startswith("scale"):
        return rng.uniform(0.5, 1.5, shape)
    if "alpha" in name:
        return rng.uniform(0.1, 0.4, shape)
    if len(shape) < 2 or "bias" in name:
        return rng.uniform(-0.5, 0.5, shape)
    if "embedding" in name:
        return rng.normal(0.0, 0.7, shape)
    fan_in = float(np.prod(shape[:-1]))
    size = 0.6 if "recurrent" in name else 1.0
    return rng.normal(0.0, size / np.sqrt(fan_in), shape)
