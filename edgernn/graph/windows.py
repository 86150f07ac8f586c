"""Layers that look through a window, of time or of rows and columns: convolutions and pooling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from edgernn.graph.activation import LINEAR, Activation
from edgernn.graph.node import Node
from edgernn.graph.tensor import Weight


class Padding(str, Enum):
    """How a window meets the ends of the time axis; as in Keras (SAME puts the odd step right)."""

    VALID = "valid"
    SAME = "same"
    CAUSAL = "causal"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv1D(Node):
    """Convolution over time.  [B, T, C] -> [B, T', out].

    Output channels are in group order, so depthwise = groups == C.
    """

    WEIGHTS: ClassVar[tuple[str, ...]] = ("kernel", "bias")
    input: str
    output: str
    kernel: Weight  # [window, C / groups, out]
    bias: Weight | None  # [out]
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    padding: Padding = Padding.VALID
    activation: Activation = LINEAR


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv2D(Node):
    """Convolution over rows and columns.  [B, H, W, C] -> [B, H', W', out].

    Pairs of options are (rows, columns).  Output channels are in group order, as of Conv1D.
    """

    WEIGHTS: ClassVar[tuple[str, ...]] = ("kernel", "bias")
    input: str
    output: str
    kernel: Weight  # [rows, columns, C / groups, out]
    bias: Weight | None  # [out]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    paddings: tuple[Padding, Padding] = (Padding.VALID, Padding.VALID)
    activation: Activation = LINEAR

    @property
    def spans(self) -> tuple[int, int]:
        """Rows and columns from the first to the last that the window sees."""
        rows, columns = self.kernel.shape[:2]
        return (rows - 1) * self.dilations[0] + 1, (columns - 1) * self.dilations[1] + 1


class PoolKind(str, Enum):
    MAX = "max"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool1D(Node):
    """Max or average over a window of time; SAME averages over real steps only."""

    input: str
    output: str
    kind: PoolKind
    window: int
    stride: int
    padding: Padding = Padding.VALID


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool2D(Node):
    """Max or average over a window of rows and columns; SAME averages over real ones only.

    Pairs of options are (rows, columns).  [B, H, W, C] -> [B, H', W', C].
    """

    input: str
    output: str
    kind: PoolKind
    window: tuple[int, int]
    strides: tuple[int, int]
    paddings: tuple[Padding, Padding] = (Padding.VALID, Padding.VALID)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GlobalPool1D(Node):
    """Max or average over all of time, [B, T, C] -> [B, C] ([B, 1, C] with keepdims).

    A mask [B, T] counts for the average only (as in Keras): mean over the valid steps.
    """

    INPUTS: ClassVar[tuple[str, ...]] = ("input", "mask")
    input: str
    output: str
    mask: str | None = None
    kind: PoolKind
    keepdims: bool = False
