"""Removes operators, tensors and buffers on which no output depends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edgernn.export.tflite.builder import Model, Operator, Subgraph, Tensor


def compacted(model: Model, main: Iterable[Tensor]) -> tuple[Model, dict[int, Tensor]]:
    """The same model without dead parts, and the new numbers of its first subgraph's tensors.

    `main` are the tensors that the signature names; they are kept even if unused.
    """
    live = Model(subgraphs=[], opcodes={})
    new_buffers: dict[int, int] = {0: 0}
    opcodes = list(model.opcodes)
    kept: dict[int, Tensor] = {}
    for graph in model.subgraphs:
        operators = live_operators(graph)
        used = {tensor.index for tensor in (*graph.inputs, *graph.outputs)}
        if graph.position == 0:
            used |= {tensor.index for tensor in main}
        for operator in operators:
            used |= {*operator.inputs, *operator.outputs, *operator.intermediates}
        copy = live.subgraph()
        moved: dict[int, Tensor] = {}
        for tensor in graph.tensors:
            if tensor.index not in used:
                continue
            if tensor.buffer not in new_buffers:
                new_buffers[tensor.buffer] = len(live.buffers)
                live.buffers.append(model.buffers[tensor.buffer])
            moved[tensor.index] = replace(
                tensor, index=len(copy.tensors), buffer=new_buffers[tensor.buffer]
            )
            copy.tensors.append(moved[tensor.index])
        copy.inputs = [moved[tensor.index] for tensor in graph.inputs]
        copy.outputs = [moved[tensor.index] for tensor in graph.outputs]
        for operator in operators:
            opcode = live.opcode(*opcodes[operator.opcode])
            copy.operators.append(_moved(operator, opcode, moved))
        if graph.position == 0:
            kept = moved
    return live, kept


def live_operators(graph: Subgraph) -> list[Operator]:
    """The operators that an output of the subgraph depends on, in their order."""
    needed = {tensor.index for tensor in graph.outputs}
    live: list[Operator] = []
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs):
            live.append(operator)
            needed.update(operator.inputs)
    return live[::-1]


def _moved(operator: Operator, opcode: int, moved: dict[int, Tensor]) -> Operator:
    def there(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(-1 if index == -1 else moved[index].index for index in indices)

    return replace(
        operator,
        opcode=opcode,
        inputs=there(operator.inputs),
        outputs=there(operator.outputs),
        intermediates=there(operator.intermediates),
    )
