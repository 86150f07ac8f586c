"""WHILE over the steps of a sequence, as the interpreter runs it fastest.

The interpreter copies each loop variable once an iteration, from the body's output to its input,
unless both are the same tensor.  So what does not change is an invariant: its input is its output.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgernn.export.tflite import operators, schema
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.schema import Op
from edgernn.export.tflite.weights import index


@dataclass(slots=True, kw_only=True, eq=False)
class Variable:
    """One loop variable: what it starts from, what the body reads, what the body leaves."""

    initial: Tensor  # outside
    current: Tensor  # in the body
    updated: Tensor | None = None  # in the body; None: invariant

    def update(self, value: Tensor) -> None:
        self.updated = value


@dataclass(slots=True, kw_only=True, eq=False)
class Loop:
    """for step in range(steps): body.  Fill `body`, then `close`."""

    outside: Subgraph
    body: Subgraph
    step: Variable  # int32 []
    steps: Tensor  # int32 [], outside
    variables: list[Variable] = field(default_factory=list)
    _invariants: dict[int, Tensor] = field(default_factory=dict)

    @staticmethod
    def over(outside: Subgraph, steps: Tensor) -> Loop:
        body = outside.model.subgraph()
        step = _variable(body, index(outside, 0))
        loop = Loop(outside=outside, body=body, step=step, steps=steps, variables=[step])
        step.update(operators.add(body, step.current, index(body, 1)))
        return loop

    def carry(self, initial: Tensor) -> Variable:
        """A value that each step replaces."""
        self.variables.append(_variable(self.body, initial))
        return self.variables[-1]

    def invariant(self, value: Tensor) -> Tensor:
        """A value from outside, as the body reads it."""
        if value.index not in self._invariants:
            variable = _variable(self.body, value)
            self.variables.append(variable)
            self._invariants[value.index] = variable.current
        return self._invariants[value.index]

    def close(self) -> dict[int, Tensor]:
        """Adds the operator.  Final values, outside, by the index of the variable's body input."""
        steps_inside = None if self.steps.buffer else self.invariant(self.steps)
        condition = self.outside.model.subgraph()
        for variable in self.variables:
            source = variable.current
            condition.input(source.shape, source.type, quantization=source.quantization)
        if steps_inside is None:
            limit = condition.constant(np.array(self._constant_steps(), np.int32))
        else:
            limit = condition.inputs[self.body.inputs.index(steps_inside)]
        condition.outputs.append(operators.less(condition, condition.inputs[0], limit))

        results: dict[int, Tensor] = {}
        for variable in self.variables:
            self.body.outputs.append(variable.updated or variable.current)
            source = variable.initial
            results[variable.current.index] = self.outside.tensor(
                source.shape, source.type, quantization=source.quantization
            )
        self.outside.add(
            Op.WHILE,
            [variable.initial for variable in self.variables],
            list(results.values()),
            options=schema.while_loop(cond=condition.position, body=self.body.position),
        )
        return results

    def _constant_steps(self) -> int:
        return int(self.outside.model.buffers[self.steps.buffer])


def _variable(body: Subgraph, initial: Tensor) -> Variable:
    current = body.input(initial.shape, initial.type, quantization=initial.quantization)
    return Variable(initial=initial, current=current)
