"""The recurrent layers: SimpleRnn, Gru, Lstm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from edgernn.graph.activation import SIGMOID, TANH, Activation
from edgernn.graph.node import Node
from edgernn.graph.tensor import FloatArray, Weight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Recurrent(Node):
    """What GRU, LSTM and simple RNN share.

    input [B, T, F], mask bool [B, T] (False: the step is skipped, the state carried), initial
    states [B, H].  output is [B, T, H] with return_sequences, in order of processing (so reversed
    in time with go_backwards), otherwise the last output [B, H].

    Masked steps repeat the previous output (zeros before the first valid step), or give zeros
    with zero_output_for_mask.  The last output of a row without any valid step is zeros; its
    final state is the initial state.  These are the rules of keras.backend.rnn.
    """

    input: str
    output: str
    state_h: str
    mask: str | None = None
    initial_h: str | None = None
    kernel: Weight  # [F, gates * H]
    recurrent_kernel: Weight  # [H, gates * H]
    activation: Activation = TANH
    return_sequences: bool = False
    go_backwards: bool = False
    zero_output_for_mask: bool = False
    stateful: bool = False

    @property
    def units(self) -> int:
        return self.recurrent_kernel.shape[0]

    @property
    def features(self) -> int:
        return self.kernel.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimpleRnn(_Recurrent):
    """h' = activation(x W + h U + b).  Keras: SimpleRNN.  Writes output and state_h."""

    INPUTS: ClassVar[tuple[str, ...]] = ("input", "mask", "initial_h")
    OUTPUTS: ClassVar[tuple[str, ...]] = ("output", "state_h")
    WEIGHTS: ClassVar[tuple[str, ...]] = ("kernel", "recurrent_kernel", "bias")
    GATES: ClassVar[tuple[str, ...]] = ("h",)
    bias: Weight | None  # [H]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gru(_Recurrent):
    """Gated recurrent unit, gates in the order z (update), r (reset), h (candidate).

    z, r = recurrent_activation(...);  h' = z * h + (1 - z) * n.
    reset_after:  n = activation(x W_h + b_h + r * (h U_h + c_h)), c = recurrent_bias.
    otherwise:    n = activation(x W_h + b_h + (r * h) U_h), and recurrent_bias is None.
    Keras: GRU; ONNX: GRU with linear_before_reset = reset_after.
    """

    INPUTS: ClassVar[tuple[str, ...]] = ("input", "mask", "initial_h")
    OUTPUTS: ClassVar[tuple[str, ...]] = ("output", "state_h")
    WEIGHTS: ClassVar[tuple[str, ...]] = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
    GATES: ClassVar[tuple[str, ...]] = ("z", "r", "h")
    bias: Weight | None  # [3H], input side
    recurrent_bias: Weight | None  # [3H], recurrent side; only with reset_after
    reset_after: bool = True
    recurrent_activation: Activation = SIGMOID


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lstm(_Recurrent):
    """Long short-term memory, gates in the order i (input), f (forget), c (candidate), o (output).

    c' = f * c + i * activation(...c);  h' = o * activation(c').  Keras: LSTM (no peepholes).
    """

    INPUTS: ClassVar[tuple[str, ...]] = ("input", "mask", "initial_h", "initial_c")
    OUTPUTS: ClassVar[tuple[str, ...]] = ("output", "state_h", "state_c")
    WEIGHTS: ClassVar[tuple[str, ...]] = ("kernel", "recurrent_kernel", "bias")
    GATES: ClassVar[tuple[str, ...]] = ("i", "f", "c", "o")
    state_c: str
    initial_c: str | None = None
    bias: Weight | None  # [4H]
    recurrent_activation: Activation = SIGMOID


Recurrent: TypeAlias = SimpleRnn | Gru | Lstm


def gate(layer: Recurrent, weight: FloatArray, name: str) -> FloatArray:
    """The columns of one gate: weight [..., gates * H] -> [..., H].

    >>> z_kernel = gate(gru, as_float32(gru.kernel), "z")
    """
    position = layer.GATES.index(name)
    return weight[..., position * layer.units : (position + 1) * layer.units]
