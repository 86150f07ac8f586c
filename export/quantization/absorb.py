"""Features of unlike scale: brought to one scale in front of the first kernel, which takes it back.

A kernel that reads a pressure of 101325 ± 300 beside a humidity of 0.5 ± 0.1 holds rows that differ
by thousands.  int8 weights have one scale for a column, 8-bit inputs one for all features, and even
float16 rounds what the offset multiplies.  With (x - mean) / deviation in front, and the kernel's
rows and its bias changed to match, the function is the same and all rows weigh alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from edgernn.graph import (
    Affine,
    AnyArray,
    ApplyMask,
    Conv1D,
    Dense,
    DType,
    Features,
    Graph,
    Gru,
    Layer,
    Lstm,
    Moments,
    Multiplying,
    Padding,
    QTensor,
    Range,
    Ranges,
    SimpleRnn,
    as_float32,
    content_key,
    fingerprint,
    moved_edges,
    producer,
)

#: Only where the noise of 8 bits falls to less than this share: an operation more must pay.
_WORTH: Final = 0.5

_INT8_STEPS: Final = 127

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scaling:
    """x * (1 / deviation) - mean / deviation: [channels]."""

    mean: _Floats
    deviation: _Floats


def absorbed(graph: Graph, ranges: Ranges, *, leave: Collection[str] = ()) -> tuple[Graph, Ranges]:
    """The same function with features of one scale in front of the first kernels, and its ranges.

    Only kernels that read inputs of the model (reversed, cut, joined, masked or scaled, but not
    multiplied) are changed, and only where it helps.  leave: layers to leave alone.
    The graph itself where there is nothing to do.
    """
    plan = {
        name: scaling
        for group in _groups(graph, ranges, leave)
        if (scaling := _scaling(group, ranges)) is not None
        for name in (layer.name for layer in group)
    }
    if not plan:
        return graph, ranges
    work = _Absorber(graph=graph, ranges=ranges, taken=set(graph.specs))
    for layer in graph.layers:
        if isinstance(layer, Multiplying) and layer.name in plan:
            work.absorb(layer, plan[layer.name])
        else:
            work.layers.append(layer)
    changed = replace(graph, layers=tuple(work.layers))
    return changed, replace(
        ranges,
        graph_fingerprint=fingerprint(changed),
        edges={**ranges.edges, **work.edges},
        inputs={**ranges.inputs, **work.inputs},
        moments={**ranges.moments, **work.moments},
        candidates={**ranges.candidates, **work.candidates},
    )


def _groups(graph: Graph, ranges: Ranges, leave: Collection[str]) -> Iterator[list[Multiplying]]:
    """Layers that can be changed, those that share a kernel together: they go on sharing it."""
    by_kernel: dict[int, list[Multiplying]] = {}
    for layer in graph.layers:
        if isinstance(layer, Multiplying):
            by_kernel.setdefault(id(layer.kernel), []).append(layer)
    for group in by_kernel.values():
        if all(
            layer.name not in leave
            and layer.name in ranges.inputs
            and not isinstance(layer.kernel, QTensor)
            and not (graph.grids and content_key(layer.kernel) in graph.grids)
            and reads_inputs(graph, layer.input)
            for layer in group
        ):
            yield group


def reads_inputs(graph: Graph, edge: str) -> bool:
    """Whether the edge holds numbers of the model's float inputs: moved and scaled at most."""
    layer = producer(graph, edge)
    if layer is None:
        is_state = any(state.input == edge for state in graph.states)
        return graph.specs[edge].dtype is DType.FLOAT32 and not is_state
    sources = (layer.input,) if isinstance(layer, Affine) else moved_edges(layer)
    return bool(sources) and all(reads_inputs(graph, source) for source in sources)


def _scaling(group: list[Multiplying], ranges: Ranges) -> _Scaling | None:
    """None where it would not help."""
    seen = [ranges.inputs[layer.name] for layer in group]
    mean = np.asarray(np.mean([one.mean for one in seen], axis=0, dtype=np.float64))
    low = np.min([one.low for one in seen], axis=0).astype(np.float64)
    high = np.max([one.high for one in seen], axis=0).astype(np.float64)
    variance = np.mean(
        [np.square(one.deviation, dtype=np.float64) + np.square(one.mean - mean) for one in seen],
        axis=0,
    )
    if any(_pads(layer) for layer in group):  # zeros beside the sequence have to stay zeros
        variance, mean = variance + np.square(mean), np.zeros(mean.shape)
    deviation = np.sqrt(variance)
    constant = deviation <= 1e-6 * np.abs(mean)  # what float32 leaves of a constant
    scaling = _Scaling(mean=mean, deviation=np.where(constant, 1.0, deviation))
    matrix = matrix_of(group[0]).astype(np.float64)  # [window, channels, N]
    spread = np.where(constant, 0.0, np.sqrt(variance))
    before = _noise(matrix, low, high, np.zeros_like(mean), np.ones_like(mean), mean, spread)
    after = _noise(matrix, low, high, scaling.mean, scaling.deviation, mean, spread)
    return scaling if after < _WORTH * before else None


def _noise(
    matrix: _Floats,
    low: _Floats,
    high: _Floats,
    shift: _Floats,
    unit: _Floats,
    mean: _Floats,
    spread: _Floats,
) -> float:
    """The deviation of an 8-bit product's error, relative to that of the product itself.

    Of weights with a scale for each column, and inputs with one for all.
    """
    scaled = matrix * unit[:, None]
    power = np.square((mean - shift) / unit) + np.square(spread / unit)
    largest = np.maximum(np.abs(low - shift), np.abs(high - shift)) / unit
    step = largest.max(initial=0.0) / _INT8_STEPS
    steps = np.abs(scaled).max(axis=(0, 1), initial=0.0) / _INT8_STEPS  # [N]
    of_weights = np.square(steps).sum() * power.sum() * len(matrix)
    of_inputs = np.square(step) * np.square(scaled).sum()
    signal = np.square(matrix * spread[:, None]).sum()
    return float(np.sqrt((of_weights + of_inputs) / signal)) if signal > 0 else 0.0


def _pads(layer: Multiplying) -> bool:
    return isinstance(layer, Conv1D) and layer.padding is not Padding.VALID


def matrix_of(layer: Multiplying) -> AnyArray:
    """[window, channels, N]; of a convolution in groups, zeros where a channel is of another."""
    kernel = as_float32(layer.kernel)
    if not isinstance(layer, Conv1D):
        return kernel[None]
    inner, outer = kernel.shape[1], kernel.shape[2] // layer.groups
    full = np.zeros((kernel.shape[0], inner * layer.groups, kernel.shape[2]), np.float32)
    for group in range(layer.groups):
        columns = slice(group * outer, (group + 1) * outer)
        full[:, group * inner : (group + 1) * inner, columns] = kernel[:, :, columns]
    return full


@dataclass(slots=True, kw_only=True)
class _Absorber:
    """Rewrites layers in order."""

    graph: Graph
    ranges: Ranges
    taken: set[str]
    layers: list[Layer] = field(default_factory=list)
    edges: dict[str, Range] = field(default_factory=dict)
    inputs: dict[str, Features] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    candidates: dict[str, Moments] = field(default_factory=dict)
    #: Edges in their new scale, by what makes them: consumers share them.
    scaled: dict[tuple[object, ...], str] = field(default_factory=dict)
    #: Changed kernels and biases by the arrays they were: layers go on sharing them.
    folded: dict[tuple[int, int], tuple[AnyArray, AnyArray | None]] = field(default_factory=dict)

    def absorb(self, layer: Multiplying, scaling: _Scaling) -> None:
        source = self._scaled(layer, scaling)
        key = (id(layer.kernel), id(layer.bias))
        if key not in self.folded:
            self.folded[key] = _folded(layer, scaling)
        kernel, bias = self.folded[key]
        # Each kind by itself: a union has no `replace` that a type checker can follow.
        match layer:
            case SimpleRnn() | Gru() | Lstm() | Dense() | Conv1D():
                self.layers.append(replace(layer, input=source, kernel=kernel, bias=bias))
            case _:
                assert_never(layer)
        seen = self.ranges.inputs[layer.name]
        self.inputs[layer.name] = Features(
            low=_float32((seen.low - scaling.mean) / scaling.deviation),
            high=_float32((seen.high - scaling.mean) / scaling.deviation),
            mean=_float32((seen.mean - scaling.mean) / scaling.deviation),
            deviation=_float32(seen.deviation / scaling.deviation),
        )
        self._widen(source, self.inputs[layer.name])
        if layer.name in self.ranges.moments:
            self.moments[layer.name] = _moved(layer, self.ranges.moments[layer.name], scaling)
        if layer.name in self.ranges.candidates:
            self.candidates[layer.name] = _moved(layer, self.ranges.candidates[layer.name], scaling)

    def _scaled(self, layer: Multiplying, scaling: _Scaling) -> str:
        """The edge that the layer reads from now on.

        Steps that a mask hides become zeros again: they may be far from all others, and schemes
        that draw a scale around a whole call would follow them.
        """
        mask = None if isinstance(layer, Dense | Conv1D) else layer.mask
        key = (layer.input, mask, scaling.mean.tobytes(), scaling.deviation.tobytes())
        if key not in self.scaled:
            name = self._unique(f"{layer.input}_scaled")
            target = name if mask is None else self._unique(f"{name}_all")
            self.layers.append(
                Affine(
                    name=self._unique(f"{name}.affine"),
                    input=layer.input,
                    output=target,
                    scale=_float32(1 / scaling.deviation),
                    offset=_float32(-scaling.mean / scaling.deviation),
                )
            )
            if mask is not None:
                self.layers.append(
                    ApplyMask(
                        name=self._unique(f"{name}.mask"), input=target, mask=mask, output=name
                    )
                )
                whole = self.ranges.edges[layer.input]
                self.edges[target] = _as_range(
                    (whole.channel_low - scaling.mean) / scaling.deviation,
                    (whole.channel_high - scaling.mean) / scaling.deviation,
                )
            self.scaled[key] = name
        return self.scaled[key]

    def _widen(self, edge: str, features: Features) -> None:
        low, high = features.low, features.high
        if edge in self.edges:
            low = np.minimum(low, self.edges[edge].channel_low)
            high = np.maximum(high, self.edges[edge].channel_high)
        self.edges[edge] = _as_range(low, high)

    def _unique(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.taken or any(layer.name == name for layer in self.graph.layers):
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name


def _folded(layer: Multiplying, scaling: _Scaling) -> tuple[AnyArray, AnyArray | None]:
    """(kernel, bias) for the scaled input."""
    kernel = as_float32(layer.kernel).astype(np.float64)
    units = scaling.deviation
    if isinstance(layer, Conv1D) and layer.groups > 1:
        inner, outer = kernel.shape[1], kernel.shape[2] // layer.groups
        by_column = np.repeat(units.reshape(layer.groups, inner), outer, axis=0).T  # [inner, N]
        changed = kernel * by_column
    else:
        changed = kernel * units[:, None]
    moved = (matrix_of(layer).astype(np.float64) * scaling.mean[:, None]).sum(axis=(0, 1))
    if not moved.any():
        bias = None if layer.bias is None else as_float32(layer.bias)
        return _float32(changed), bias
    own = 0.0 if layer.bias is None else as_float32(layer.bias).astype(np.float64)
    return _float32(changed), _float32(own + moved)


def _moved(layer: Multiplying, moments: Moments, scaling: _Scaling) -> Moments:
    """Of the scaled input."""
    groups, size = moments.mean.shape
    window = layer.kernel.shape[0] if isinstance(layer, Conv1D) else 1
    mean, deviation = np.zeros((groups, size)), np.ones((groups, size))
    inputs = slice(0, window * scaling.mean.size // groups)  # behind them: a recurrent layer's h
    mean[:, inputs], deviation[:, inputs] = (
        np.tile(part.reshape(groups, -1), window) for part in (scaling.mean, scaling.deviation)
    )
    return Moments(
        mean=(moments.mean - mean) / deviation,
        covariance=moments.covariance / (deviation[:, :, None] * deviation[:, None, :]),
    )


def _as_range(low: AnyArray, high: AnyArray) -> Range:
    """Of scaled features, whose mean is zero."""
    return Range(
        low=float(low.min()),
        high=float(high.max()),
        channel_low=_float32(low),
        channel_high=_float32(high),
        mean=0.0,
    )


def _float32(values: AnyArray) -> npt.NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)
