"""Observes the ranges that quantization needs, with the reference executor on real data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.errors import CalibrationError, DataError
from edgernn.export.quantization.chosen import BoolArray, read_elements
from edgernn.export.quantization.hidden import hidden_steps, without_hidden_steps
from edgernn.export.quantization.histogram import Histogram
from edgernn.export.quantization.products import Products
from edgernn.graph import (
    Activation,
    ActivationKind,
    AnyArray,
    CalibrationMethod,
    DType,
    Features,
    FloatArray,
    Graph,
    Multiplying,
    Range,
    Ranges,
    Recurrent,
    SimpleRnn,
    fingerprint,
    producer,
)
from edgernn.reference import execute
from edgernn.reference.arguments import checked_arguments, with_zero_states
from edgernn.reference.batched import rows_at_once, with_free_batch

#: Receives the number of finished samples and of all samples.
Progress: TypeAlias = Callable[[int, int], None]

# Fewer sequences than this say little about a range, unless they are long.
FEWEST_SAMPLES: Final = 8
FEWEST_STEPS: Final = 1000

# Number of steps in a row that show a state's range.
_STREAM_STEPS: Final = 32

# Beyond these a sigmoid or a tanh is flat to an 8-bit integer.
_SIGMOID_CLIP: Final = 8.0
_TANH_CLIP: Final = 4.0


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
    extremes = _Extremes(graph=seen, method=method)
    products = Products(graph=free)

    def observe(layer: Recurrent, taps: Mapping[str, FloatArray]) -> None:
        extremes.add_cell(layer, taps)
        products.add_step(layer, taps)

    edge_of = {output.name: output.edge for output in graph.outputs}
    for rows in _batches(graph, arguments):
        batch = {name: array[rows] for name, array in arguments.items()}
        for _ in range(_calls(arguments) if carried else 1):
            with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
                edges = execute(free, batch, observe=observe)
            read = read_elements(free, edges)
            for name, value in edges.items():
                if seen.specs[name].dtype is DType.FLOAT32:
                    _check_result(seen, name, value, read.get(name), first_row=rows.start)
                    shown = edges[hidden[name]] if name in hidden else ...
                    chosen = read[name][shown] if name in read else None
                    extremes.add_edge(name, value[shown], chosen)
            extremes.add_inputs(edges)
            products.add(edges)
            batch |= {
                name: np.roll(edges[edge_of[output]], 1, 0) for name, output in carried.items()
            }
        if progress is not None:
            progress(min(rows.stop, total), total)
    return replace(
        extremes.ranges(fingerprint(graph), samples=total, warnings=constant),
        moments=products.moments(),
        candidates=products.candidates(),
    )


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Extremes of one quantity by channel, its mean, its distribution if the method needs it."""

    low: FloatArray
    high: FloatArray
    histogram: Histogram | None
    total: float = 0.0
    count: int = 0

    def add(self, rows: FloatArray, read: BoolArray | None = None) -> None:
        """rows: [any, channels].  read: which of the numbers count; None stands for all."""
        least = most = rows
        if read is not None:
            least, most = np.where(read, rows, np.inf), np.where(read, rows, -np.inf)
            rows = rows[read]
        np.minimum(self.low, least.min(axis=0), out=self.low)
        np.maximum(self.high, most.max(axis=0), out=self.high)
        self.total += float(rows.sum(dtype=np.float64))
        self.count += rows.size
        if self.histogram is not None:
            self.histogram.add(rows)


@dataclass(slots=True, kw_only=True)
class _Moments:
    """Extremes, mean and variance of channels; sums are of differences from the first row."""

    first: FloatArray
    low: FloatArray
    high: FloatArray
    sums: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    count: int = 0

    @classmethod
    def zero(cls, rows: FloatArray) -> _Moments:
        first, nothing = rows[0].copy(), np.zeros(rows.shape[1])
        return cls(first=first, low=first, high=first, sums=nothing.copy(), squares=nothing.copy())

    def add(self, rows: FloatArray) -> None:
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        moved = rows.astype(np.float64) - self.first
        self.sums += moved.sum(axis=0)
        self.squares += np.square(moved).sum(axis=0)
        self.count += len(rows)

    def features(self) -> Features:
        mean = self.sums / self.count
        variance = np.maximum(self.squares / self.count - np.square(mean), 0.0)
        return Features(
            low=self.low,
            high=self.high,
            mean=(mean + self.first).astype(np.float32),
            deviation=np.sqrt(variance).astype(np.float32),
        )


@dataclass(slots=True, kw_only=True)
class _Extremes:
    """Collects the ranges batch by batch."""

    graph: Graph
    method: CalibrationMethod
    edges: dict[str, _Seen] = field(default_factory=dict)
    unread: dict[str, _Seen] = field(default_factory=dict)
    cells: dict[str, dict[str, _Seen]] = field(default_factory=dict)
    inputs: dict[str, _Moments] = field(default_factory=dict)

    def add_inputs(self, edges: Mapping[str, AnyArray]) -> None:
        """What layers that multiply read, without the steps that a mask hides from them."""
        for layer in self.graph.layers:
            if not isinstance(layer, Multiplying):
                continue
            value = edges[layer.input]
            mask = layer.mask if isinstance(layer, Recurrent) else None
            rows = value.reshape(-1, value.shape[-1]) if mask is None else value[edges[mask]]
            if len(rows):
                self.inputs.setdefault(layer.name, _Moments.zero(rows)).add(rows)

    def add_edge(self, name: str, value: FloatArray, read: BoolArray | None = None) -> None:
        """read: which elements are read; None stands for all.  Of an edge of which none is ever
        read, the finite ones count: nothing else is known of it.
        """
        if read is None or read.any():
            self._add(self.edges, name, value, read)
        else:
            is_finite = np.isfinite(value)
            finite = np.where(is_finite, value, np.float32(0))
            self._add(self.unread, name, finite, is_finite if is_finite.any() else None)

    def add_cell(self, layer: Recurrent, taps: Mapping[str, FloatArray]) -> None:
        for tap, value in taps.items():
            self._add(self.cells.setdefault(layer.name, {}), tap, value)

    def _add(
        self,
        seen: dict[str, _Seen],
        name: str,
        value: FloatArray,
        read: BoolArray | None = None,
    ) -> None:
        rows = value.reshape(-1, value.shape[-1]) if value.ndim else value.reshape(1, 1)
        if rows.size == 0:
            return
        if name not in seen:
            nothing = np.full(rows.shape[1], np.inf, np.float32)
            seen[name] = _Seen(
                low=nothing,
                high=-nothing,
                histogram=None if self.method is CalibrationMethod.MINMAX else Histogram(),
            )
        seen[name].add(rows, None if read is None else read.reshape(rows.shape))

    def ranges(self, graph_fingerprint: str, *, samples: int, warnings: tuple[str, ...]) -> Ranges:
        layers = {layer.name: layer for layer in self.graph.layers if isinstance(layer, Recurrent)}
        return Ranges(
            graph_fingerprint=graph_fingerprint,
            method=self.method,
            samples=samples,
            edges={name: self._range(seen) for name, seen in {**self.unread, **self.edges}.items()},
            cells={
                name: {
                    tap: self._range(seen, clip=_clip(layers[name], tap))
                    for tap, seen in taps.items()
                }
                for name, taps in self.cells.items()
            },
            inputs={name: seen.features() for name, seen in self.inputs.items()},
            warnings=warnings,
        )

    def _range(self, seen: _Seen, clip: float = float("inf")) -> Range:
        low, high = float(seen.low.min()), float(seen.high.max())
        if seen.histogram is not None:
            drawn_low, drawn_high = seen.histogram.interval(self.method)
            low, high = max(low, drawn_low), min(high, drawn_high)
        never = seen.low > seen.high  # channels of which nothing was read
        return Range(
            low=min(max(low, -clip), clip),
            high=min(max(high, -clip), clip),
            channel_low=np.where(never, np.float32(low), seen.low),
            channel_high=np.where(never, np.float32(high), seen.high),
            mean=seen.total / seen.count,
        )


def _clip(layer: Recurrent, tap: str) -> float:
    """Where integers for what enters an activation may end."""
    if not tap.startswith("pre."):
        return float("inf")
    is_candidate = isinstance(layer, SimpleRnn) or tap in {"pre.h", "pre.c"}
    activation: Activation = layer.activation
    if not is_candidate and not isinstance(layer, SimpleRnn):
        activation = layer.recurrent_activation
    if activation.kind is ActivationKind.TANH:
        return _TANH_CLIP
    return _SIGMOID_CLIP if activation.kind is ActivationKind.SIGMOID else float("inf")


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
