"""WHILE over the steps of a sequence, in the form that the interpreter runs fastest.

The interpreter copies each loop variable once an iteration, from the body's output to its input,
unless both are the same tensor.  So values that do not change are invariants: input and output are
one tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edgernn.export.tflite import operators, schema
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.schema import Op
from edgernn.export.tflite.weights import index


@dataclass(slots=True, kw_only=True, eq=False)
class Loop:
    """for position in range(0, steps, stride): body.  Fill `body`, then `close`."""

    outside: Subgraph
    body: Subgraph
    steps: Tensor  # int32 [], outside
    initial: list[Tensor] = field(default_factory=list)  # outside, one for each loop variable
    _updated: dict[int, Tensor] = field(default_factory=dict)  # by index of the body's input
    _invariants: dict[int, Tensor] = field(default_factory=dict)  # by index outside

    @staticmethod
    def over(outside: Subgraph, steps: Tensor, *, stride: int = 1) -> Loop:
        loop = Loop(outside=outside, body=outside.model.subgraph(), steps=steps)
        position = loop.carry(index(outside, 0))
        loop.update(position, operators.add(loop.body, position, index(loop.body, stride)))
        return loop

    @property
    def position(self) -> Tensor:
        """int32 [], in the body."""
        return self.body.inputs[0]

    def carry(self, initial: Tensor) -> Tensor:
        """A value that each iteration replaces (see `update`), as the body reads it."""
        self.initial.append(initial)
        return self.body.input(initial.shape, initial.type, quantization=initial.quantization)

    def update(self, current: Tensor, value: Tensor) -> None:
        self._updated[current.index] = value

    def invariant(self, value: Tensor) -> Tensor:
        """A value from outside, as the body reads it; a constant stays one."""
        if value.buffer:
            return self.body.constant(
                self.outside.model.values_of(value), quantization=value.quantization
            )
        if value.index not in self._invariants:
            self._invariants[value.index] = self.carry(value)
        return self._invariants[value.index]

    def close(self) -> dict[int, Tensor]:
        """Adds the operator.  Final values, outside, by the index of the variable in the body."""
        limit_inside = None if self.steps.buffer else self.invariant(self.steps)
        condition = self.outside.model.subgraph()
        for source in self.body.inputs:
            condition.input(source.shape, source.type, quantization=source.quantization)
        if limit_inside is None:
            limit = condition.constant(self.outside.model.values_of(self.steps))
        else:
            limit = condition.inputs[self.body.inputs.index(limit_inside)]
        condition.outputs.append(operators.less(condition, condition.inputs[0], limit))

        results: dict[int, Tensor] = {}
        for current, initial in zip(self.body.inputs, self.initial, strict=True):
            self.body.outputs.append(self._updated.get(current.index, current))
            results[current.index] = self.outside.tensor(
                initial.shape, initial.type, quantization=initial.quantization
            )
        self.outside.add(
            Op.WHILE,
            self.initial,
            list(results.values()),
            options=schema.while_loop(cond=condition.position, body=self.body.position),
        )
        return results
