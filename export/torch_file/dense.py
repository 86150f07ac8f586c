"""Products with matrices of weights, and tables of tokens."""

from __future__ import annotations

from edgernn.export.torch_file.program import Call, Ref
from edgernn.export.torch_file.spelling import Spelling


def linear(spelling: Spelling, call: Call) -> None:
    """x W^T + b over the last axis, of any rank."""
    weight = spelling.array(call, call.arguments["weight"], "weights")
    bias = call.get("bias")
    if weight.ndim != 2:
        raise call.unsupported("has weights that are no matrix", "Use torch.nn.Linear")
    kernel = spelling.constant(weight.T)
    x = call.arguments["input"].name
    if bias is None:
        spelling.emit(call, "MatMul", [x, kernel], call.outputs[0])
        return
    product = spelling.emit(call, "MatMul", [x, kernel])
    spelling.emit(call, "Add", [product, bias.name], call.outputs[0])


def addmm(spelling: Spelling, call: Call) -> None:
    """beta * bias + alpha * x W."""
    names = [call.arguments[key].name for key in ("mat1", "mat2", "self")]
    spelling.emit(
        call, "Gemm", names, call.outputs[0],
        alpha=float(call.get("alpha", 1)), beta=float(call.get("beta", 1)),
    )  # fmt: skip


def matmul(spelling: Spelling, call: Call) -> None:
    left: Ref = call.arguments["self"]
    right: Ref = call.get("other", call.get("mat2"))
    spelling.emit(call, "MatMul", [left.name, right.name], call.outputs[0])


def embedding(spelling: Spelling, call: Call) -> None:
    """Rows of a table by token."""
    names = [call.arguments["weight"].name, call.arguments["indices"].name]
    spelling.emit(call, "Gather", names, call.outputs[0], axis=0)
