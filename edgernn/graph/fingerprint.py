"""Decides whether two graphs are the same model."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from edgernn.graph.graph import Graph
from edgernn.graph.tensor import QTensor, Weight


def fingerprint(graph: Graph) -> str:
    """SHA-256 over inputs, layers, options, weights and outputs; names count, the graph's own
    name and how it is quantized do not.
    """
    digest = hashlib.sha256()
    digest.update(repr((graph.inputs, graph.outputs, graph.states)).encode())
    for layer in graph.layers:
        weights = layer.weights
        options = {
            field.name: getattr(layer, field.name)
            for field in fields(layer)
            if field.name not in weights
        }
        digest.update(repr((type(layer).__name__, options)).encode())
        for name, weight in weights.items():
            digest.update(name.encode())
            _add(digest, weight)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, weight: Weight) -> None:
    arrays = (weight.values, weight.scale) if isinstance(weight, QTensor) else (weight,)
    for array in arrays:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).data)
