"""Functions of each element, and of two values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from edgernn.export.torch_file.program import Call, Ref
from edgernn.export.torch_file.spelling import Spelling

FUNCTIONS: Final = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "neg": "Neg",
    "silu": "Swish", "hardswish": "HardSwish", "mish": "Mish", "softplus": "Softplus",
    "elu": "Elu", "selu": "Selu", "leaky_relu": "LeakyRelu", "hardsigmoid": "HardSigmoid",
    "abs": "Abs", "sqrt": "Sqrt", "log": "Log", "reciprocal": "Reciprocal", "rsqrt": "Sqrt",
    "gelu": "Gelu", "prelu": "PRelu", "_prelu_kernel": "PRelu",
}  # fmt: skip
BINARY: Final = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "maximum": "Max", "minimum": "Min",
    "floordiv": "Div", "pow": "Pow",
}  # fmt: skip


def function(spelling: Spelling, call: Call) -> None:
    """Relu and its kind, with their parameters."""
    x: Ref = call.get("self", call.get("input"))
    kind = FUNCTIONS[call.kind]
    inputs = [x.name]
    options: dict[str, Any] = {}
    match call.kind:
        case "leaky_relu":
            options = {"alpha": float(call.get("negative_slope", 0.01))}
        case "elu":
            if call.get("scale", 1) != 1 or call.get("input_scale", 1) != 1:
                raise call.unsupported("is scaled", "Use torch.nn.ELU")
            options = {"alpha": float(call.get("alpha", 1.0))}
        case "hardsigmoid":
            options = {"alpha": 1 / 6, "beta": 0.5}
        case "gelu":
            options = {"approximate": call.get("approximate", "none")}
        case "softplus":
            if call.get("beta", 1) != 1 or call.get("threshold", 20) < 20:
                raise call.unsupported(
                    "has a slope or a low end (beta, threshold)", "Use torch.nn.Softplus()"
                )
        case "prelu" | "_prelu_kernel":
            slope = spelling.array(call, call.arguments["weight"], "slopes")
            shape = [slope.size, *[1] * (spelling.rank(x) - 2)] if slope.size > 1 else [1]
            inputs.append(spelling.constant(slope.reshape(shape)))
        case _:
            pass
    if kind == "Swish":
        half = spelling.emit(call, "Sigmoid", inputs)
        spelling.emit(call, "Mul", [x.name, half], call.outputs[0])
        return
    if call.kind == "rsqrt":
        root = spelling.emit(call, "Sqrt", inputs)
        spelling.emit(call, "Reciprocal", [root], call.outputs[0])
        return
    spelling.emit(call, kind, inputs, call.outputs[0], **options)


def gated(spelling: Spelling, call: Call) -> None:
    """glu: the first half of an axis, by the sigmoid of the second."""
    halves = [spelling.fresh(), spelling.fresh()]
    axis = int(call.get("dim", -1))
    spelling.emit(
        call, "Split", [call.arguments["self"].name], outputs=halves, axis=axis, num_outputs=2
    )
    gate = spelling.emit(call, "Sigmoid", halves[1:])
    spelling.emit(call, "Mul", [halves[0], gate], call.outputs[0])


def softmax(spelling: Spelling, call: Call) -> None:
    kind = "LogSoftmax" if "log" in call.kind else "Softmax"
    x: Ref = call.arguments["self"]
    spelling.emit(call, kind, [x.name], call.outputs[0], axis=int(call.arguments["dim"]))


def clip(spelling: Spelling, call: Call) -> None:
    """Hardtanh, ReLU6 and clamp."""
    bounds = {
        "relu6": (0.0, 6.0),
        "hardtanh": (call.get("min_val", -1.0), call.get("max_val", 1.0)),
        "clamp": (call.get("min"), call.get("max")),
    }[call.kind]
    names = ["" if b is None else spelling.constant(b, np.float32) for b in bounds]
    spelling.emit(call, "Clip", [call.arguments["self"].name, *names], call.outputs[0])


def binary(spelling: Spelling, call: Call) -> None:
    """Of two values, or a value and a number."""
    kind = BINARY[call.kind]
    left, right = (call.get(key, call.get(str(at))) for at, key in enumerate(("self", "other")))
    right = call.get("exponent", right)
    if call.get("rounding_mode") is not None:
        raise call.unsupported("rounds a quotient", "Divide without rounding_mode")
    names = [_named(spelling, call, value) for value in (left, right)]
    if call.get("alpha", 1) != 1:
        factor = spelling.constant(call.get("alpha"), np.float32)
        names[1] = spelling.emit(call, "Mul", [names[1], factor])
    spelling.emit(call, kind, names, call.outputs[0])


def reversed_difference(spelling: Spelling, call: Call) -> None:
    """other - self."""
    if call.get("alpha", 1) != 1:
        raise call.unsupported("scales what it subtracts (alpha)", "Multiply it before")
    names = [_named(spelling, call, call.arguments[key]) for key in ("other", "self")]
    spelling.emit(call, "Sub", names, call.outputs[0])


def _named(spelling: Spelling, call: Call, value: object) -> str:
    if isinstance(value, Ref):
        return value.name
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise call.unsupported("computes with what is no number", "Use numbers and tensors")
    sizes = call.target.startswith("_operator")  # of shapes, not of tensors
    return spelling.constant([value], np.int64) if sizes else spelling.constant(value, np.float32)
