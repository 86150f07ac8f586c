"""One row for each ONNX operator that edgernn reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from edgernn.export.onnx_file import (
    choosing,
    dense,
    elementwise,
    recurrent,
    shaping,
    windows,
)
from edgernn.export.onnx_file.builder import Builder
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import Value

#: Adds layers for one operator; gives its results in the order of the file.
Reader: TypeAlias = Callable[[Builder, Node, list[Value | None]], list[Value]]

OPERATORS: Final[dict[str, Reader]] = {
    "GRU": recurrent.recurrent,
    "LSTM": recurrent.recurrent,
    "RNN": recurrent.recurrent,
    "Gemm": dense.gemm,
    "MatMul": dense.matmul,
    "Conv": windows.convolution,
    "MaxPool": windows.pool,
    "AveragePool": windows.pool,
    "GlobalAveragePool": windows.reduced,
    "GlobalMaxPool": windows.reduced,
    "ReduceMean": windows.reduced,
    "ReduceMax": windows.reduced,
    "ReduceSum": windows.reduced,
    "ReduceL1": windows.reduced,
    "Pad": windows.padded,
    "BatchNormalization": windows.batch_normalization,
    "LayerNormalization": windows.layer_normalization,
    **dict.fromkeys(
        (
            "Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Mish", "Exp", "Swish",
            "LeakyRelu", "Elu", "Selu", "HardSigmoid", "Gelu", "Abs", "Sqrt",
            "Log", "Reciprocal",
        ),
        elementwise.activation,
    ),
    "Clip": elementwise.clipped,
    "Pow": elementwise.power,
    "Softmax": elementwise.softmax,
    "LogSoftmax": elementwise.softmax,
    "PRelu": elementwise.prelu,
    "Neg": elementwise.negated,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum"), elementwise.binary),
    **dict.fromkeys(
        ("Transpose", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Identity", "Dropout"),
        shaping.moved,
    ),
    **dict.fromkeys(
        ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"), choosing.compared
    ),
    "Not": choosing.negated,
    **dict.fromkeys(("And", "Or"), choosing.together),
    "Where": choosing.chosen,
    "Cast": choosing.cast,
    "Gather": shaping.gathered,
    "Slice": shaping.sliced,
    "Split": shaping.split,
    "Concat": shaping.joined,
    "Expand": shaping.expanded,
    "Tile": shaping.tiled,
}  # fmt: skip

#: What else people meet, and what to do then.
REMEDIES: Final = {
    "If": "Leave out branches that depend on data, and export the model again",
    "Loop": "Use torch.nn.GRU or LSTM instead of a Python loop over cells, and export it again",
    "Scan": "Use torch.nn.GRU or LSTM instead of a loop over cells, and export it again",
    "ConvTranspose": "Use Conv1d, or upsample outside of the model",
    "DynamicQuantizeLinear": "Give the float32 model: edgernn quantizes it with --scheme int8",
    "QuantizeLinear": "Give the float32 model: edgernn quantizes it with --scheme int8",
    "DequantizeLinear": "Give the float32 model: edgernn quantizes it with --scheme int8",
    "Einsum": "Use torch.bmm or torch.nn.Linear, and export it again",
}
