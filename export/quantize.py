"""Turns a float graph into one whose weights are stored in fewer bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from edgernn.graph import Graph, QTensor, Weight, with_weights

#: Larger magnitudes are infinite in float16.
_FLOAT16_MAX: Final = float(np.finfo(np.float16).max)

# What fills a file.  Biases and norm parameters are a percent of it and enter every step.
_MATRICES: Final = frozenset({"kernel", "recurrent_kernel", "table"})


def to_float16(graph: Graph) -> Graph:
    """The same graph with its matrices and tables stored as float16, rounded to nearest even.

    Biases and norm parameters stay float32, as does an array with values beyond float16's range
    (65504).  Back ends store the halves and compute in float32, so the artefact's result is that
    of the reference executor on the returned graph.
    """
    halved: dict[int, Weight] = {}  # by identity: layers that share an array go on sharing it
    layers = tuple(
        with_weights(
            layer,
            {
                field: _halved(weight, halved)
                for field, weight in layer.weights.items()
                if field in _MATRICES
            },
        )
        for layer in graph.layers
    )
    return replace(graph, layers=layers)


def _halved(weight: Weight, done: dict[int, Weight]) -> Weight:
    if isinstance(weight, QTensor):
        return weight
    if id(weight) not in done:
        fits = np.abs(weight).max(initial=0.0) <= _FLOAT16_MAX
        done[id(weight)] = weight.astype(np.float16) if fits else weight
    return done[id(weight)]
