"""Weights as constants of a subgraph, in the layout that TFLite's operators take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edgernn.export.tflite import operators
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.graph import AnyArray, FloatArray, QTensor, Weight, as_float32

_Array = TypeVar("_Array", bound=np.ndarray[Any, Any])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """A weight with its outputs first, as TFLite requires: [N, K], or [N, ..., K].

    float32; float16, which is stored and converted to float32 when the model is loaded; or int8.
    """

    values: AnyArray
    scale: FloatArray | None = None  # of int8: [N], or [1] for all

    @staticmethod
    def of(weight: Weight) -> Matrix:
        """A kernel [..., N] of the graph, transposed: [N, ...]."""
        if isinstance(weight, QTensor):
            return Matrix(values=np.moveaxis(weight.values, -1, 0), scale=weight.scale)
        return Matrix(values=np.moveaxis(weight, -1, 0))

    @property
    def is_int8(self) -> bool:
        return self.scale is not None

    def rows(self, chosen: npt.NDArray[np.intp]) -> Matrix:
        """Some outputs, in the order of `chosen`."""
        scale = self.scale
        if scale is not None and scale.size > 1:
            scale = scale[chosen]
        return Matrix(values=self.values.take(chosen, axis=0), scale=scale)

    def with_signs(self, signs: FloatArray) -> Matrix:
        """Rows multiplied by 1 or -1; int8 weights are within ±127, so none overflows."""
        along_rows = signs.reshape(-1, *[1] * (self.values.ndim - 1))
        return Matrix(values=self.values * along_rows.astype(self.values.dtype), scale=self.scale)

    def scaled(self, factor: float) -> Matrix:
        if self.scale is None:
            return Matrix(values=self.values * np.float32(factor))
        return Matrix(values=self.values, scale=self.scale * np.float32(factor))

    def real(self) -> FloatArray:
        """The numbers that it represents."""
        if self.scale is None:
            return self.values.astype(np.float32, copy=False)
        along_rows = self.scale.reshape(-1, *[1] * (self.values.ndim - 1))
        return (self.values * along_rows).astype(np.float32)

    def with_one_scale(self) -> Matrix:
        """int8 with one scale for all rows, as kernels of old runtimes require."""
        if self.scale is None or self.scale.size == 1:
            return self
        real = self.real()
        scale = np.float32(np.abs(real).max(initial=0.0) / 127) or np.float32(1)
        values = np.clip(np.rint(real / scale), -127, 127).astype(np.int8)
        return Matrix(values=values, scale=np.array([scale], np.float32))

    def beside(self, other: Matrix) -> Matrix:
        """[N, K] and [N, L] as [N, K + L]; floats only, since int8 rows have their own scales."""
        return Matrix(values=np.concatenate([self.values, other.values], axis=1))


def matrix(graph: Subgraph, weights: Matrix) -> Tensor:
    """The matrix as a constant."""
    if weights.scale is None:
        return constant(graph, weights.values)
    return graph.constant(weights.values, Quantization(scale=weights.scale))


def constant(graph: Subgraph, values: AnyArray) -> Tensor:
    """A constant in float32: float16 is followed by a DEQUANTIZE, which runs once."""
    stored = graph.constant(values)
    if values.dtype != np.float16:
        return stored
    if stored.index not in graph.widened:
        graph.widened[stored.index] = operators.dequantize(graph, stored)
    return graph.widened[stored.index]


def widened(graph: Subgraph, values: AnyArray) -> Tensor:
    """int8 integers, which a DEQUANTIZE makes float32 once, when the model is loaded."""
    stored = graph.constant(values, Quantization(scale=np.ones(1, np.float32)))
    return operators.dequantize(graph, stored)


def floats(weight: Weight) -> AnyArray:
    """The float32 or float16 array of a weight that is used in float32."""
    return as_float32(weight) if isinstance(weight, QTensor) else weight


def scalar(graph: Subgraph, value: float) -> Tensor:
    return graph.constant(np.array(value, np.float32))


def index(graph: Subgraph, value: int) -> Tensor:
    return graph.constant(np.array(value, np.int32))


def columns_of(gates: Sequence[str], names: str, units: int) -> npt.NDArray[np.intp]:
    """Positions of some gates' columns in a kernel of all gates, in the order of `names`."""
    first = [gates.index(name) * units for name in names]
    return np.concatenate([np.arange(start, start + units) for start in first])
