"""A file of one step over whole sequences: it gets its own states back, call after call.

From states that the float model has reached, each step may be right and a sequence still go astray:
what a call adds to the error of the states stays in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from edgernn import reference
from edgernn.export.cases import Case
from edgernn.export.rows import Examples
from edgernn.graph import AnyArray, Graph, batch_size
from edgernn.reference import with_free_batch
from edgernn.reference.arguments import with_zero_states

#: Enough for errors to add up, few enough to cost no time.
_MOST_SEQUENCES: Final = 16
_MOST_CALLS: Final = 128


def sequences_of(graph: Graph, examples: Examples | None) -> tuple[Case, ...]:
    """Sequences [B, calls x steps, ...] for a graph of a step (or a few) that has states.

    None where there are no real rows, or rows of one call only.
    """
    if examples is None or not graph.states:
        return ()
    few = examples.few(_MOST_SEQUENCES).inputs
    given = {entry.name: few[entry.name] for entry in graph.inputs if entry.name in few}
    states = {state.input for state in graph.states}
    steps = {
        entry.name: entry.spec.shape[1] or 1
        for entry in graph.inputs
        if entry.name in given and entry.name not in states and entry.spec.rank > 1
    }
    calls = {name: given[name].shape[1] // size for name, size in steps.items()}
    together = min((count for count in calls.values() if count > 1), default=1)
    if together == 1 or len(given) < len(graph.inputs) - len(states):
        return ()
    for name, size in steps.items():
        if calls[name] > 1:
            given[name] = given[name][:, : min(together, _MOST_CALLS) * size]
    rows, batch = len(next(iter(given.values()))), batch_size(graph) or 1
    cases = []
    for start in range(0, rows, batch):
        chosen = np.minimum(np.arange(start, start + batch), rows - 1)
        inputs = {name: array[chosen] for name, array in given.items()}
        cases.append(Case(name=f"sequence {start}", inputs=inputs))
    return tuple(cases)


def answers(graph: Graph, case: Case) -> dict[str, AnyArray]:
    """What the float graph gives for each call [B, calls, ...], without the states."""
    states = {state.input: state.output for state in graph.states}
    carried = {name: array for name, array in case.inputs.items() if name in states}
    made: list[Mapping[str, AnyArray]] = []
    for call in _calls(graph, case):
        (result,) = reference.run_calls(graph, [with_zero_states(graph, {**call, **carried})])
        carried = {into: result[out] for into, out in states.items()}
        made.append(result)
    return {
        output.name: np.stack([one[output.name] for one in made], 1)
        for output in graph.outputs
        if output.name not in states.values()
    }


def answers_of(graph: Graph, cases: Sequence[Case]) -> list[dict[str, AnyArray]]:
    """`answers` to each case of the same sizes, all rows at once: a step of one row is slow."""
    together = {
        name: np.concatenate([case.inputs[name] for case in cases]) for name in cases[0].inputs
    }
    made = answers(with_free_batch(graph), Case(name="all", inputs=together))
    ends = np.cumsum([len(next(iter(case.inputs.values()))) for case in cases])
    by_case = {name: np.split(array, ends[:-1]) for name, array in made.items()}
    return [{name: parts[at] for name, parts in by_case.items()} for at in range(len(cases))]


def _calls(graph: Graph, case: Case) -> Iterator[dict[str, AnyArray]]:
    """The arguments of each call, without the states."""
    states = {state.input for state in graph.states}
    steps = {
        entry.name: entry.spec.shape[1] or 1
        for entry in graph.inputs
        if entry.name not in states and entry.spec.rank > 1
    }
    count = max(case.inputs[name].shape[1] // size for name, size in steps.items())
    for call in range(count):
        yield {
            name: array[:, call * steps[name] : (call + 1) * steps[name]]
            if name in steps and array.shape[1] > steps[name]
            else array
            for name, array in case.inputs.items()
            if name not in states
        }
