"""Products with matrices of weights, tables of tokens, and products of two values."""

from __future__ import annotations

import numpy as np

from edgernn.export.onnx_file.builder import Builder
from edgernn.export.onnx_file.elementwise import computed
from edgernn.export.onnx_file.layout import over_last, with_axis
from edgernn.export.onnx_file.node import EXPORT_AGAIN, Node
from edgernn.export.onnx_file.values import Array, Tensor, Value, axis_of, distinct, is_batch
from edgernn.graph import Dense, Dot, DType, Embedding, FloatArray


def gemm(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """alpha A B + beta C, A computed and B a matrix of the file."""
    x, kernel = computed(node, values[0]), _matrix(node, values[1])
    if node.integer("transA", 0):
        raise node.unsupported("turns its input (transA)", "Transpose the input before")
    if node.integer("transB", 0):
        kernel = kernel.T
    kernel = kernel * np.float32(node.number("alpha", 1.0))
    bias = values[2] if len(values) > 2 else None
    if bias is not None:
        if not isinstance(bias, np.ndarray) or bias.size not in (1, kernel.shape[1]):
            raise node.unsupported(
                "adds what is no bias with a number for each output",
                f"Use torch.nn.Linear. {EXPORT_AGAIN}",
            )
        bias = np.broadcast_to(bias.reshape(-1), kernel.shape[1:]) * node.number("beta", 1.0)
    return [_dense(builder, node, x, kernel, bias)]


def matmul(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """x W with a matrix of the file, or the product of two computed values (attention)."""
    left, right = values
    if isinstance(left, Tensor) and isinstance(right, np.ndarray):
        return [_dense(builder, node, left, _matrix(node, right), None)]
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return [_dot(builder, node, left, right)]
    raise node.unsupported(
        "multiplies a matrix of the file with a value",
        "Write x @ W, the value first, as torch.nn.Linear does",
    )


def _matrix(node: Node, value: Value | None) -> FloatArray:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind != "f":
        raise node.unsupported(
            "multiplies with what is no matrix of weights",
            f"Use torch.nn.Linear with parameters of its own. {EXPORT_AGAIN}",
        )
    return value.astype(np.float32)


def _dense(
    builder: Builder, node: Node, x: Tensor, kernel: FloatArray, bias: Array | None
) -> Tensor:
    edge, wanted = over_last(builder, x, -1, node)
    name = builder.unique(node.role)
    layer = Dense(
        name=name, input=edge, output=name, kernel=np.ascontiguousarray(kernel),
        bias=None if bias is None else np.ascontiguousarray(bias, np.float32),
    )  # fmt: skip
    new = axis_of(kernel.shape[1])
    edge = builder.add(layer, node)
    return Tensor(edge=edge, axes=(*wanted[:-1], new), view=with_axis(x, -1, new))


def _dot(builder: Builder, node: Node, left: Tensor, right: Tensor) -> Tensor:
    fits = all(len(t.view) == 3 and is_batch(t.view[0]) for t in (left, right))
    if not fits:
        raise node.unsupported(
            "multiplies two values that are not [batch, rows, columns]",
            "Use torch.bmm, or one head of attention",
        )
    edges = [builder.arranged(t, t.view, node) for t in (left, right)]
    name = builder.unique(node.role)
    layer = Dot(
        name=name, left=edges[0], right=edges[1], output=name, left_axis=2, right_axis=1
    )  # fmt: skip
    axes = distinct((left.view[0], left.view[1], right.view[2]))
    return Tensor(edge=builder.add(layer, node), axes=axes, view=axes)


def embedding(builder: Builder, node: Node, table: Array, tokens: Tensor) -> Tensor:
    """Rows of a table by token."""
    if table.ndim != 2 or node.integer("axis", 0) != 0 or table.dtype.kind != "f":
        raise node.unsupported(
            "looks up what is no table of weights", "Use torch.nn.Embedding for tokens"
        )
    if builder.dtype(tokens.edge) is not DType.INT32:
        raise node.unsupported(
            "looks up numbers that are no tokens", "Give tokens as an input of type int64"
        )
    name = builder.unique(node.role)
    layer = Embedding(
        name=name, input=tokens.edge, output=name,
        table=np.ascontiguousarray(table, np.float32),
    )  # fmt: skip
    new = axis_of(table.shape[1])
    edge = builder.add(layer, node)
    return Tensor(edge=edge, axes=(*tokens.axes, new), view=(*tokens.view, new))
