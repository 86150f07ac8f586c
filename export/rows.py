"""Real rows: which of them decide about an export, and the calls of the model that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn import reference
from edgernn.export.cases import Case
from edgernn.graph import AnyArray, Graph, batch_size
from edgernn.reference.arguments import with_zero_states

#: Rows to compare on: enough to see a wrong scale, few enough to cost no time.
MOST_ROWS: Final = 64

#: From so many rows on, one of four is kept back from calibration.
FEWEST_TO_SPLIT: Final = 16
_KEPT_OF: Final = 4

#: Rows on which noise is measured.  More of them find rare loud ones, in as much more time.
_TO_MEASURE: Final = 32
_FEWEST_TO_MEASURE: Final = 8

#: In one run of the model: numpy takes about a second for so many.
_MOST_MULTIPLICATIONS: Final = 10**10

#: Steps from whose states a step model is tried.
_MOST_STEPS: Final = 32


class Origin(str, Enum):
    """Where the numbers come from that a file is checked on, as reports say it.

    Kept-back rows are those that calibration was not given; made-up inputs are random.
    """

    KEPT_BACK = "kept-back rows"
    CALIBRATION = "calibration rows"
    DATA = "rows of the data"
    BOTH = "kept-back rows and rows of the data"
    MADE_UP = "made-up inputs"

    @property
    def is_fresh(self) -> bool:
        """Whether calibration never saw them."""
        return self in {Origin.KEPT_BACK, Origin.DATA, Origin.BOTH}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examples:
    """Real sequences by input name, samples first: what integer schemes are compared on."""

    inputs: Mapping[str, AnyArray]
    origin: Origin = Origin.CALIBRATION

    def __len__(self) -> int:
        return min(len(array) for array in self.inputs.values())

    def take(self, rows: npt.NDArray[np.intp], origin: Origin) -> Examples:
        inputs = {name: array[rows] for name, array in self.inputs.items()}
        return Examples(inputs=inputs, origin=origin)

    def few(self, most: int = MOST_ROWS) -> Examples:
        """At most so many, from all over."""
        if len(self) <= most:
            return self
        return self.take(np.linspace(0, len(self) - 1, most).astype(np.intp), self.origin)


def rows_to_measure(graph: Graph, examples: Examples) -> dict[str, AnyArray]:
    """The first rows, few enough to run the model several times over them.

    A product of 12 rows takes less time than one of 11: BLAS computes four together.
    """
    arrays = examples.inputs
    steps = max((array.shape[1] for array in arrays.values() if array.ndim > 1), default=1)
    affordable = _MOST_MULTIPLICATIONS // max(graph.parameters * steps, 1)
    in_fours = -(-affordable // 4) * 4
    rows = min(max(in_fours, _FEWEST_TO_MEASURE), _TO_MEASURE)
    return {name: array[:rows] for name, array in arrays.items()}


def split(examples: Examples) -> tuple[Examples, Examples]:
    """(rows to calibrate on, rows to check on): others, where there are enough of them.

    A range drawn around the rows that judge it hides what lies beyond.
    """
    rows = len(examples)
    if rows < FEWEST_TO_SPLIT:
        return examples, examples.few()
    kept = min(rows // _KEPT_OF, MOST_ROWS)
    fresh = np.linspace(0, rows - 1, kept + 2)[1:-1].astype(np.intp)
    others = np.setdiff1d(np.arange(rows), fresh)
    return examples.take(others, examples.origin), examples.take(fresh, Origin.KEPT_BACK)


def together(calibrated: Examples | None, data: Examples | None) -> Examples | None:
    """What a file is checked on: rows that calibration did not see, where there are such."""
    if data is None:
        return calibrated
    data = replace(data.few(), origin=Origin.DATA)
    if calibrated is None or not calibrated.origin.is_fresh or not _alike(calibrated, data):
        return data
    kept = calibrated.few(MOST_ROWS // 2)
    halves = kept, data.few(MOST_ROWS - len(kept))
    return Examples(
        inputs={
            name: np.concatenate([half.inputs[name] for half in halves]) for name in data.inputs
        },
        origin=Origin.BOTH,
    )


def _alike(one: Examples, other: Examples) -> bool:
    """Whether both have the same inputs and sizes: rows of several lengths make no one array."""
    sizes = ({name: x.shape[1:] for name, x in e.inputs.items()} for e in (one, other))
    return next(sizes) == next(sizes)


def row_calls(graph: Graph, examples: Examples) -> dict[str, AnyArray]:
    """The arguments of one call for each row [rows, ...]; a step model gets its steps in turn.

    States that the examples lack are zero, as every sequence begins; in every other row they are
    what the model itself has reached (a step model after some steps, another after the row before),
    since wrong ones must show.
    """
    rows = examples.few()
    arguments = with_zero_states(
        graph, {e.name: rows.inputs[e.name] for e in graph.inputs if e.name in rows.inputs}
    )
    steps = {
        entry.name: entry.spec.shape[1]
        for entry in graph.inputs
        if entry.name in rows.inputs
        and entry.spec.rank > 1
        and entry.spec.shape[1] is not None
        and entry.spec.shape[1] < arguments[entry.name].shape[1]
    }
    if steps:
        return _on_the_way(graph, arguments, steps)
    if graph.states:
        (reached,) = reference.run_calls(graph, [arguments])
        for state in graph.states:
            carried = np.roll(reached[state.output], 1, axis=0)
            carried[::2] = arguments[state.input][::2]
            arguments[state.input] = carried
    return arguments


def _on_the_way(
    graph: Graph, arguments: Mapping[str, AnyArray], steps: Mapping[str, int | None]
) -> dict[str, AnyArray]:
    """Row r is at step r of its sequence, with the states that the steps before left."""
    pieces = {name: arguments[name].shape[1] // (size or 1) for name, size in steps.items()}
    total = min(*pieces.values(), _MOST_STEPS)
    at = np.arange(len(next(iter(arguments.values())))) % total
    now = dict(arguments)
    taken: dict[str, AnyArray] = {}
    for step in range(total):
        for name, size in steps.items():
            length = size or 1
            now[name] = arguments[name][:, step * length : (step + 1) * length]
        for name, array in now.items():
            taken.setdefault(name, array.copy())[at == step] = array[at == step]
        (reached,) = reference.run_calls(graph, [now])
        now |= {state.input: reached[state.output] for state in graph.states}
    return taken


def row_cases(graph: Graph, arguments: Mapping[str, AnyArray]) -> tuple[Case, ...]:
    """A call for each row, as a device meets them; where the batch is fixed, for as many."""
    rows, batch = len(next(iter(arguments.values()))), batch_size(graph) or 1
    cases = []
    for start in range(0, rows, batch):
        chosen = np.minimum(np.arange(start, start + batch), rows - 1)
        inputs = {name: array[chosen] for name, array in arguments.items()}
        cases.append(Case(name=f"row {start}", inputs=inputs))
    return tuple(cases)
