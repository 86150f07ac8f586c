"""The closed union of layers: everything an edgernn model can be made of.

A layer names the edges it reads and writes and holds its weights.  Tensors are batch first
(`[B, T, F]`: batch, time, features).  A new kind of layer is added to the union `Layer` at the
end; the type checker then points at each `match` that has to handle or refuse it.
"""

# The layers of windows.py belong to this list: imported under their own names for others to use.
# ruff: noqa: PLC0414

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from edgernn.graph.activation import LINEAR, Activation
from edgernn.graph.node import Node
from edgernn.graph.recurrent import Gru, Lstm, SimpleRnn
from edgernn.graph.tensor import Weight
from edgernn.graph.windows import Conv1D as Conv1D
from edgernn.graph.windows import Conv2D as Conv2D
from edgernn.graph.windows import GlobalPool1D as GlobalPool1D
from edgernn.graph.windows import Padding as Padding
from edgernn.graph.windows import Pool1D as Pool1D
from edgernn.graph.windows import Pool2D as Pool2D
from edgernn.graph.windows import PoolKind as PoolKind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding(Node):
    """Rows of a table by token.  input int32 [B, ...] -> output [B, ..., E]."""

    WEIGHTS: ClassVar[tuple[str, ...]] = ("table",)
    input: str
    output: str
    table: Weight  # [vocabulary, E]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense(Node):
    """activation(x K + b) over the last axis.  [B, ..., in] -> [B, ..., out]."""

    WEIGHTS: ClassVar[tuple[str, ...]] = ("kernel", "bias")
    input: str
    output: str
    kernel: Weight  # [in, out]
    bias: Weight | None  # [out]
    activation: Activation = LINEAR


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine(Node):
    """x * scale + offset.  Keras: inference-time BatchNormalization, Rescaling, Normalization."""

    WEIGHTS: ClassVar[tuple[str, ...]] = ("scale", "offset")
    input: str
    output: str
    scale: Weight  # broadcasts against [B, ...]
    offset: Weight  # broadcasts against [B, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerNorm(Node):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over the trailing axes `axes`."""

    WEIGHTS: ClassVar[tuple[str, ...]] = ("gamma", "beta")
    input: str
    output: str
    gamma: Weight | None  # [the normalized axes]
    beta: Weight | None  # [the normalized axes]
    epsilon: float
    axes: int = 1  # how many trailing axes are normalized together
    rms: bool = False  # no mean is subtracted; variance = mean(x * x)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activate(Node):
    """An activation as a layer of its own."""

    input: str
    output: str
    activation: Activation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PRelu(Node):
    """x >= 0: x, else alpha * x.  alpha broadcasts against [B, ...]."""

    WEIGHTS: ClassVar[tuple[str, ...]] = ("alpha",)
    input: str
    output: str
    alpha: Weight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reshape(Node):
    """Keras' Flatten and Reshape.  `target` leaves the batch out; one entry may be -1."""

    input: str
    output: str
    target: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transpose(Node):
    """Axes in a new order; `permutation` covers all axes, batch (0) included and usually first."""

    input: str
    output: str
    permutation: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reverse(Node):
    """The time axis (1) in reverse order: the second half of a Bidirectional."""

    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeat(Node):
    """[B, F] -> [B, times, F].  Keras: RepeatVector."""

    input: str
    output: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Upsample1D(Node):
    """Each step `times` times in a row.  [B, T, C] -> [B, times * T, C].  Keras: UpSampling1D.

    `axis` is the one that grows; UpSampling2D is one for the rows and one for the columns.
    """

    input: str
    output: str
    times: int
    axis: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZeroPad1D(Node):
    """`left` and `right` zero steps around the time axis, or around another one."""

    input: str
    output: str
    left: int
    right: int
    axis: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice(Node):
    """input[start:stop:step] along one axis; stop None = to the end; negative = from the end.

    With `squeeze` exactly one element is taken and the axis disappears (x[:, -1, :]).
    Keras: Cropping1D, indexing of a tensor.  step is positive.
    """

    input: str
    output: str
    axis: int
    start: int = 0
    stop: int | None = None
    step: int = 1
    squeeze: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldTime(Node):
    """[B, T, ...] -> [B * T, ...]: the way into a TimeDistributed layer."""

    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnfoldTime(Node):
    """[B * T, ...] -> [B, T, ...], B and T taken from the edge `like`: the way out again."""

    INPUTS: ClassVar[tuple[str, ...]] = ("input", "like")
    input: str
    like: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concatenate(Node):
    """Inputs (of one dtype: float32 or bool) joined along `axis`."""

    INPUTS: ClassVar[tuple[str, ...]] = ("inputs",)
    inputs: tuple[str, ...]
    output: str
    axis: int = -1


class MergeKind(str, Enum):
    ADD = "add"
    SUBTRACT = "subtract"  # two inputs
    MULTIPLY = "multiply"
    AVERAGE = "average"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    AND = "and"  # of masks
    OR = "or"  # of masks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merge(Node):
    """Inputs combined element by element, with numpy's broadcasting."""

    INPUTS: ClassVar[tuple[str, ...]] = ("inputs",)
    inputs: tuple[str, ...]
    output: str
    kind: MergeKind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dot(Node):
    """Batched dot product of two inputs along one axis each.  Keras: Dot(axes, normalize).

    Axes are positive and at least 1.  The result is [B, left without its axis..., right without
    its axis...], and [B, 1] where nothing is left.
    """

    INPUTS: ClassVar[tuple[str, ...]] = ("left", "right")
    left: str
    right: str
    output: str
    left_axis: int
    right_axis: int
    normalize: bool = False  # L2-normalize both along their axis first (epsilon 1e-12)


class HiddenScores(str, Enum):
    """What becomes of the scores of pairs that a mask hides."""

    LOWERED = "lowered"  # less 1e9; a hidden query has zeros as its output.  Keras: Attention
    REPLACED = "replaced"  # -1e9; a hidden query attends to all keys alike.  MultiHeadAttention
    ZEROED = "zeroed"  # the same, and their probabilities are set to zero.  Keras: Softmax(mask)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attention(Node):
    """softmax(scores) value over the steps of key: one head of Keras' attention layers.

    query [B, Tq, D], key [B, Tk, D], value [B, Tk, V], key_mask bool [B, Tk] (False: not attended
    to), query_mask bool [B, Tq].  The scores are scale * query keyT, or with `energy` the sum of
    energy * tanh(scale * (query + key)) over D: AdditiveAttention, score_mode "concat".
    """

    WEIGHTS: ClassVar[tuple[str, ...]] = ("energy",)
    INPUTS: ClassVar[tuple[str, ...]] = ("query", "value", "key", "query_mask", "key_mask")
    query: str
    value: str
    key: str
    output: str
    query_mask: str | None = None
    key_mask: str | None = None
    scale: float = 1.0
    causal: bool = False  # step t attends to steps <= t only
    energy: Weight | None = None  # [D]
    hidden: HiddenScores = HiddenScores.LOWERED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NotEqual(Node):
    """A mask from tokens: input != value.  int32 [B, T] -> bool [B, T].  Keras: mask_zero."""

    input: str
    output: str
    value: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnyNotEqual(Node):
    """A mask from features: any(input != value) over the last axis.  [B, T, F] -> bool [B, T]."""

    input: str
    output: str
    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ApplyMask(Node):
    """input where the mask holds, zeros elsewhere: what Keras' Masking layer returns."""

    INPUTS: ClassVar[tuple[str, ...]] = ("input", "mask")
    input: str
    mask: str  # bool [B, T]
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cast(Node):
    """Tokens or a mask as numbers.  int32 or bool [B, ...] -> float32 [B, ...]."""

    input: str
    output: str


class CompareKind(str, Enum):
    GREATER = "greater"
    GREATER_EQUAL = "greater_equal"
    LESS = "less"
    LESS_EQUAL = "less_equal"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compare(Node):
    """input > value, and its like, element by element: float32 -> bool."""

    input: str
    output: str
    kind: CompareKind
    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Where(Node):
    """`then` where the condition holds, else `otherwise`; with numpy's broadcasting."""

    INPUTS: ClassVar[tuple[str, ...]] = ("condition", "then", "otherwise")
    condition: str  # bool
    then: str
    otherwise: str
    output: str


Layer: TypeAlias = (
    Embedding
    | SimpleRnn
    | Gru
    | Lstm
    | Dense
    | Conv1D
    | Conv2D
    | Pool1D
    | Pool2D
    | GlobalPool1D
    | Affine
    | LayerNorm
    | Activate
    | PRelu
    | Reshape
    | Transpose
    | Reverse
    | Repeat
    | Upsample1D
    | ZeroPad1D
    | Slice
    | FoldTime
    | UnfoldTime
    | Concatenate
    | Merge
    | Dot
    | Attention
    | NotEqual
    | AnyNotEqual
    | ApplyMask
    | Cast
    | Compare
    | Where
)


def parameter_count(layer: Layer) -> int:
    """How many numbers the layer stores."""
    return sum(weight.size for weight in layer.weights.values())
