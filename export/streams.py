"""Whole sequences for a model of a few steps a call: what its own states make of many calls.

A single call from exact states hides what adds up: rounding that stops a slow memory is a small
error in one step, and ruins the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from edgernn import reference
from edgernn.export.cases import Case
from edgernn.export.rows import Examples, row_cases
from edgernn.graph import AnyArray, Graph
from edgernn.reference.arguments import with_zero_states

#: Sequences, and calls of each: about a second on a slow runtime.
_MOST_ROWS: Final = 16
_MOST_CALLS: Final = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Streams:
    """Sequences that begin with states of zeros.

    graph: the float model of one call.  cases: whole sequences [B, calls * steps, ...].
    steps: how many steps one call takes, by input; other inputs stay the same in all calls.
    """

    graph: Graph
    cases: tuple[Case, ...]
    steps: dict[str, int]
    calls: int

    @cached_property
    def answers(self) -> list[dict[str, AnyArray]]:
        """What the float model makes of each case: [B, calls, ...] by output, without states."""
        counts = [len(next(iter(case.inputs.values()))) for case in self.cases]
        given = {
            name: np.concatenate([case.inputs[name] for case in self.cases])
            for name in self.cases[0].inputs
        }
        now = with_zero_states(self.graph, self._call(given, 0))
        states = {state.output for state in self.graph.states}
        made: dict[str, list[AnyArray]] = {}
        for call in range(self.calls):
            (reached,) = reference.run_calls(self.graph, [now | self._call(given, call)])
            now |= {state.input: reached[state.output] for state in self.graph.states}
            for name in reached.keys() - states:
                made.setdefault(name, []).append(reached[name])
        together = {name: np.stack(arrays, axis=1) for name, arrays in made.items()}
        ends = np.cumsum(counts)
        return [
            {name: array[end - count : end] for name, array in together.items()}
            for end, count in zip(ends, counts, strict=True)
        ]

    def _call(self, given: dict[str, AnyArray], call: int) -> dict[str, AnyArray]:
        return {
            name: array[:, call * self.steps[name] : (call + 1) * self.steps[name]]
            if name in self.steps
            else array
            for name, array in given.items()
        }


def streams(graph: Graph, original: Graph, examples: Examples) -> Streams | None:
    """The first examples as streams; None for a model that takes whole sequences, or has no states.

    graph: the model as it is written, whose batch may be fixed.  original: the same in float.
    """
    states = {state.input for state in graph.states}
    given = {
        entry.name: examples.few(_MOST_ROWS).inputs[entry.name]
        for entry in graph.inputs
        if entry.name in examples.inputs and entry.name not in states
    }
    steps = {
        entry.name: entry.spec.shape[1]
        for entry in graph.inputs
        if entry.name in given
        and entry.spec.rank > 1
        and entry.spec.shape[1] is not None
        and entry.spec.shape[1] < given[entry.name].shape[1]
    }
    if not states or not steps:
        return None
    sizes = {name: size or 1 for name, size in steps.items()}
    calls = min(_MOST_CALLS, *(given[name].shape[1] // size for name, size in sizes.items()))
    for name, size in sizes.items():
        given[name] = given[name][:, : calls * size]
    return Streams(graph=original, cases=row_cases(graph, given), steps=sizes, calls=calls)
