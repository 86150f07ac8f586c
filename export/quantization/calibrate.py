"""Observes the ranges that quantization needs, with the reference executor on real data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.errors import CalibrationError, DataError
from edgernn.export.quantization.chosen import BoolArray, read_elements
from edgernn.export.quantization.extremes import Extremes
from edgernn.export.quantization.hidden import hidden_steps, without_hidden_steps
from edgernn.export.quantization.products import MOST_ROWS, Products
from edgernn.graph import (
    AnyArray,
    CalibrationMethod,
    DType,
    FloatArray,
    Graph,
    Ranges,
    Recurrent,
    fingerprint,
    producer,
)
from edgernn.reference import execute
from edgernn.reference.arguments import checked_arguments, with_zero_states
from edgernn.reference.batched import rows_at_once, with_free_batch
from edgernn.side_by_side import side_by_side

#: Receives the number of finished samples and of all samples.
Progress: TypeAlias = Callable[[int, int], None]

# Fewer sequences than this say little about a range, unless they are long.
FEWEST_SAMPLES: Final = 8
FEWEST_STEPS: Final = 1000

# Number of steps in a row that show a state's range.
_STREAM_STEPS: Final = 32

#: Multiplications from which on the rows are shared out to two threads: numpy takes a second.
_LONG: Final = 10**10


def calibrate(
    graph: Graph,
    data: Mapping[str, AnyArray],
    *,
    method: CalibrationMethod = CalibrationMethod.MINMAX,
    progress: Progress | None = None,
) -> Ranges:
    """Runs the float graph over `data` (one array for each input, samples first).

    Inputs that are states may be left out.  They start as zeros; each further call of the model
    gets the states from the row before, as in a stream.  Otherwise a model of one step would be
    calibrated only with states of zeros.

    Steps of an input that a mask hides from all its readers are left out: padding may be far from
    all data (edgernn.export.quantization.hidden).  So are elements of a branch that a Where does
    not choose, which may be NaN or infinite: the logarithm of a number below zero.

    Works in batches, so that memory does not grow with the data.  Sixteen typical sequences give
    about the ranges of a hundred and more.

    Raises DataError if the data do not fit the graph or contain NaN or infinity (with the row),
    CalibrationError if they are too few, never change in any input, or make the model itself
    return NaN or infinity.
    """
    hidden, seen = hidden_steps(graph), without_hidden_steps(graph)
    free = with_free_batch(seen)
    carried = {state.input: state.output for state in graph.states if state.input not in data}
    arguments = checked_arguments(free, with_zero_states(graph, data))
    _check_finite(graph, arguments)
    _check_enough(graph, arguments)
    states = {state.input for state in graph.states}  # they may start as zeros
    given = {name: array for name, array in arguments.items() if name in data.keys() - states}
    constant = tuple(_constant_features(graph, given))
    total = next(iter(arguments.values())).shape[0]
    parts = 2 if not carried and _is_long(free, arguments, method) else 1
    collected = [
        _Collected(
            graph=free,
            hidden=hidden,
            extremes=Extremes(graph=seen, method=method),
            products=Products(graph=free, most_rows=MOST_ROWS // parts),
        )
        for _ in range(parts)
    ]
    edge_of = {output.name: output.edge for output in graph.outputs}
    for rows in _batches(graph, arguments):
        batch = {name: array[rows] for name, array in arguments.items()}
        for _ in range(_calls(arguments) if carried else 1):
            edges = _side_by_side(collected, batch, first_row=rows.start)
            batch |= {
                name: np.roll(edges[edge_of[output]], 1, 0) for name, output in carried.items()
            }
        if progress is not None:
            progress(min(rows.stop, total), total)
    whole, *others = collected
    for other in others:
        whole.merge(other)
    return replace(
        whole.extremes.ranges(fingerprint(graph), samples=total, warnings=constant),
        moments=whole.products.moments(),
        candidates=whole.products.candidates(),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Collected:
    """What is seen of some rows.  graph: for any batch.  hidden: masks of inputs."""

    graph: Graph
    hidden: Mapping[str, str]
    extremes: Extremes
    products: Products

    def add(self, batch: Mapping[str, AnyArray], first_row: int) -> dict[str, AnyArray]:
        """Every edge.  Raises CalibrationError where one that is read is NaN or infinite."""
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
            edges = execute(self.graph, batch, observe=self._add_step)
        read = read_elements(self.graph, edges)
        for name, value in edges.items():
            if self.graph.specs[name].dtype is DType.FLOAT32:
                _check_result(self.graph, name, value, read.get(name), first_row=first_row)
                shown = edges[self.hidden[name]] if name in self.hidden else ...
                chosen = read[name][shown] if name in read else None
                self.extremes.add_edge(name, value[shown], chosen)
        self.extremes.add_inputs(edges)
        self.products.add(edges)
        return edges

    def merge(self, other: _Collected) -> None:
        self.extremes.merge(other.extremes)
        self.products.merge(other.products)

    def _add_step(self, layer: Recurrent, taps: Mapping[str, FloatArray]) -> None:
        self.extremes.add_cell(layer, taps)
        self.products.add_step(layer, taps)


def _side_by_side(
    collected: Sequence[_Collected], batch: Mapping[str, AnyArray], *, first_row: int
) -> dict[str, AnyArray]:
    """Each collects from its share of the rows.  Every edge of the first share."""
    rows = len(next(iter(batch.values())))
    ends = [rows * part // len(collected) for part in range(len(collected) + 1)]
    shares = [slice(start, end) for start, end in pairwise(ends) if end > start]
    edges = side_by_side(
        [
            partial(
                one.add, {name: array[share] for name, array in batch.items()},
                first_row + share.start,
            )
            for one, share in zip(collected, shares, strict=False)
        ]
    )  # fmt: skip
    return edges[0]


def _is_long(graph: Graph, arguments: Mapping[str, AnyArray], method: CalibrationMethod) -> bool:
    """Whether two processors are worth it; histograms of two halves cannot be added up."""
    rows = len(next(iter(arguments.values())))
    steps = max((array.shape[1] for array in arguments.values() if array.ndim > 1), default=1)
    multiplications = graph.parameters * rows * steps
    return method is CalibrationMethod.MINMAX and multiplications > _LONG


def _calls(arguments: Mapping[str, AnyArray]) -> int:
    """How often a model with states is called, so that it runs for at least _STREAM_STEPS."""
    steps = max(array.shape[1] if array.ndim > 2 else 1 for array in arguments.values())
    return max(2, ceil(_STREAM_STEPS / steps))


def _check_finite(graph: Graph, arguments: Mapping[str, AnyArray]) -> None:
    for entry in graph.inputs:
        if entry.spec.dtype is not DType.FLOAT32:
            continue
        for row, sample in enumerate(arguments[entry.name]):
            if not np.isfinite(sample).all():
                kind = "NaN" if np.isnan(sample).any() else "infinity"
                raise DataError(
                    f"row {row} of input '{entry.name}' contains {kind}",
                    remedy="Leave the row out or repair it; ranges would be meaningless",
                )


def _check_enough(graph: Graph, arguments: Mapping[str, AnyArray]) -> None:
    samples = min(array.shape[0] for array in arguments.values())
    steps = max(
        array.shape[0] * (array.shape[1] if array.ndim > 1 else 1) for array in arguments.values()
    )
    if samples == 0 or (samples < FEWEST_SAMPLES and steps < FEWEST_STEPS):
        raise CalibrationError(
            f"{samples} {'sample is' if samples == 1 else 'samples are'} too few to calibrate "
            f"'{graph.name}'",
            remedy=f"Give at least {FEWEST_SAMPLES} typical ones, better 100",
        )


def _batches(graph: Graph, arguments: Mapping[str, AnyArray]) -> Iterator[slice]:
    total = next(iter(arguments.values())).shape[0]
    rows = rows_at_once(graph, {name: array.shape for name, array in arguments.items()})
    for start in range(0, total, rows):
        yield slice(start, start + rows)


def _check_result(
    graph: Graph, edge: str, value: FloatArray, read: BoolArray | None, *, first_row: int
) -> None:
    is_bad = ~np.isfinite(value)
    if read is not None:
        is_bad &= read
    if not is_bad.any():
        return
    row = int(np.argwhere(is_bad)[0][0])
    writer = producer(graph, edge)
    name = edge if writer is None else writer.name
    raise CalibrationError(
        f"layer '{name}' returns NaN or infinity for row {first_row + row} of the data",
        remedy="Leave the row out; a sequence that is masked from end to end can be the cause",
    )


def _constant_features(graph: Graph, arguments: Mapping[str, AnyArray]) -> Iterator[str]:
    """A sentence for each input with features that never change.

    Raises CalibrationError if no input changes: a scale for a single number would clamp all others.
    One of several inputs may be constant, for example the user's age.
    """
    # Tokens count as a change: they are looked up and have no scale.
    if arguments and all(
        array.dtype.kind == "f" and not _changes(array).any() for array in arguments.values()
    ):
        named = ", ".join(f"'{name}'" for name in arguments)
        raise CalibrationError(
            f"the calibration data never change in input {named}",
            remedy="Calibrate with typical sequences, such as those the model was trained on",
        )
    for entry in graph.inputs:
        if entry.spec.dtype is not DType.FLOAT32 or entry.name not in arguments:
            continue
        constant = np.flatnonzero(~_changes(arguments[entry.name]))
        if constant.size:
            named = ", ".join(str(feature) for feature in constant[:5])
            more = f" and {constant.size - 5} more" if constant.size > 5 else ""
            yield (
                f"input '{entry.name}': feature {named}{more} never changes in the calibration "
                "data; if it does in use, calibrate with samples that show it"
            )


def _changes(values: AnyArray) -> npt.NDArray[np.bool_]:
    """For each feature, whether it ever changes."""
    rows = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
    changes: npt.NDArray[np.bool_] = rows.min(axis=0) != rows.max(axis=0)
    return changes
