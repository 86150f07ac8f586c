"""Turns a float graph into one with weights, or weights and arithmetic, in fewer bits."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.errors import CalibrationError
from edgernn.export.quantization.grid import INT4_GRID, INT8_GRID, Grid
from edgernn.export.quantization.int8_weights import per_column, per_row
from edgernn.export.quantization.integer_matrix import (
    NARROW,
    STATE_UNIT,
    WIDE,
    NoIntegerForm,
    fits_eight_bits,
    state_reading,
    wide_reading,
)
from edgernn.export.quantization.integer_plan import Planned, linear_plan, recurrent_plan
from edgernn.export.quantization.trained_matrix import byte_scales
from edgernn.graph import (
    AnyArray,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Graph,
    Gru,
    Layer,
    LayerPlan,
    Lstm,
    Moments,
    Moving,
    QTensor,
    Quantization,
    Ranges,
    Reading,
    Recurrent,
    SimpleRnn,
    Weight,
    WeightGrid,
    as_float32,
    content_key,
    fingerprint,
    moved_edges,
    with_weights,
)
from edgernn.graph import layers as ly
from edgernn.scheme import Scheme

#: Larger magnitudes are infinite in float16.
_FLOAT16_MAX: Final = float(np.finfo(np.float16).max)

# The largest part of a file.  Biases and norm parameters are a percent of it and are used in
# every step.
_MATRICES: Final = frozenset({"kernel", "recurrent_kernel", "table"})

_NO_OVERRIDES: Final[Mapping[str, Scheme]] = MappingProxyType({})


def to_float16(graph: Graph) -> Graph:
    """The same graph with its matrices and tables stored as float16, rounded to nearest even.

    Biases and norm parameters stay float32, as does an array with values beyond float16's range
    (65504).  Back ends store float16 and compute in float32, so the artefact's result equals
    that of the reference executor on the returned graph.
    """
    return quantize(graph, None, Scheme.FLOAT16)


def quantize(
    graph: Graph,
    ranges: Ranges | None,
    scheme: Scheme,
    *,
    keep_float: Collection[str] = (),
    per_layer: Mapping[str, Scheme] = _NO_OVERRIDES,
    accurate: Collection[str] = (),
    in_float: Collection[str] = (),
    by_row: Collection[str] = (),
) -> Graph:
    """The graph in `scheme`.

    DYNAMIC stores matrices as int8 with a scale for each output channel (embedding tables with one
    for each row) and needs no ranges.  INT8 also gives recurrent layers, Dense and convolutions the
    integer parameters that docs/integer-arithmetic.md describes (`Graph.quantization`); a layer
    that has no integer form keeps int8 weights and computes in float; `quantization.notes` lists
    these layers.  INT4 is the same with weights of 4 bits where a matrix is multiplied; embedding
    tables and convolutions of groups keep 8.

    keep_float: layers that stay in float.  per_layer: another scheme for some layers.  accurate:
    layers that read their input and their own state with 16 bits instead of 8.  in_float: layers of
    INT8 that keep their integer weights and compute in float.  by_row: such whose products the
    native runtime may still compute in integers, of scales that it draws from each row.

    Where `ranges` have the moments of a layer's inputs, the roundings of its INT8 weights make up
    for each other; else they are to nearest.  Weights that were trained on a grid (`Graph.grids`)
    keep its numbers in every scheme of integers that has so many.

    Raises CalibrationError for INT8 without ranges, with ranges of another graph, or when a named
    layer does not exist.
    """
    schemes = {layer.name: scheme for layer in graph.layers}
    for name in (*keep_float, *per_layer, *accurate, *in_float, *by_row):
        _check_name(graph, name)
    schemes |= dict(per_layer) | dict.fromkeys(keep_float, Scheme.FLOAT32)
    is_integer = any(one.needs_calibration for one in schemes.values())
    if is_integer:
        _check_ranges(graph, ranges)
    work = _Quantizer(
        ranges=ranges,
        accurate=frozenset(accurate),
        in_float=frozenset({*in_float, *by_row}),
        grids=graph.grids,
    )
    if ranges is not None:
        work.moments = _together(graph, ranges.moments)
        work.candidates = _together(graph, ranges.candidates)
    layers = tuple(work.layer(layer, schemes[layer.name]) for layer in graph.layers)
    quantization = None
    if ranges is not None and is_integer:
        quantization = Quantization(
            plans=work.plans,
            ranges=ranges,
            notes=tuple(work.notes),
            in_float=frozenset(in_float),
            wide=frozenset(accurate),
        )
    return replace(graph, layers=layers, quantization=quantization)


def _check_name(graph: Graph, name: str) -> None:
    known = [layer.name for layer in graph.layers]
    if name not in known:
        near = get_close_matches(name, known, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Its layers are {', '.join(known)}"
        raise CalibrationError(f"the model '{graph.name}' has no layer '{name}'", remedy=remedy)


def _check_ranges(graph: Graph, ranges: Ranges | None) -> None:
    if ranges is None:
        raise CalibrationError(
            f"int8 needs the ranges inside '{graph.name}'",
            remedy="Give typical inputs with --calibrate, or use --scheme dynamic",
        )
    if ranges.graph_fingerprint != fingerprint(graph):
        raise CalibrationError(
            f"the ranges were taken from another model than '{graph.name}'",
            remedy="Calibrate again, with --calibrate",
        )


@dataclass(slots=True, kw_only=True)
class _Quantizer:
    """Quantizes the layers in order, because the integers on an edge decide how it is read."""

    ranges: Ranges | None
    accurate: frozenset[str]
    in_float: frozenset[str]
    grids: Mapping[str, WeightGrid] = field(default_factory=dict)
    plans: dict[str, LayerPlan] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: Edges whose values are 8-bit integers times a known scale, or states.
    narrow: dict[str, Reading] = field(default_factory=dict)
    moments: Mapping[str, Moments] = field(default_factory=dict)
    candidates: Mapping[str, Moments] = field(default_factory=dict)
    #: By identity and scheme: layers that share an array still share it afterwards.
    stored: dict[tuple[object, ...], Weight] = field(default_factory=dict)

    def layer(self, layer: Layer, scheme: Scheme) -> Layer:
        self._carry(layer)
        match scheme:
            case Scheme.FLOAT32:
                return layer
            case Scheme.FLOAT16 | Scheme.DYNAMIC:
                return self._weights_only(layer, scheme)
            case Scheme.INT8:
                return self._integer(layer, INT8_GRID)
            case Scheme.INT4:
                return self._integer(layer, INT4_GRID if _has_four_bits(layer) else INT8_GRID)
            case _:
                assert_never(scheme)

    def _weights_only(self, layer: Layer, scheme: Scheme) -> Layer:
        return with_weights(
            layer,
            {
                name: self._stored(weight, scheme, by_row=name == "table")
                for name, weight in layer.weights.items()
                if name in _MATRICES
            },
        )

    def _stored(self, weight: Weight, scheme: Scheme, *, by_row: bool) -> Weight:
        key = (id(weight), scheme, by_row)
        if key not in self.stored:
            halves = scheme is Scheme.FLOAT16
            self.stored[key] = _halved(weight) if halves else self._int8(weight, by_row=by_row)
        return self.stored[key]

    def _int8(self, weight: Weight, *, by_row: bool) -> Weight:
        if isinstance(weight, QTensor):
            return weight
        trained = self._grid(weight, by_row=by_row)
        if trained is not None:
            axis = 0 if by_row else weight.ndim - 1
            values = trained.numbers(as_float32(weight))
            return QTensor(values=values, scale=trained.step, axis=axis)
        return per_row(as_float32(weight)) if by_row else per_column(as_float32(weight))

    def _grid(self, weight: Weight, *, by_row: bool = False) -> WeightGrid | None:
        found = self.grids.get(content_key(weight)) if self.grids else None
        return found if found is not None and found.by_row == by_row else None

    def _grids(self, layer: Recurrent) -> dict[str, WeightGrid]:
        found = {name: self._grid(getattr(layer, name)) for name in ("kernel", "recurrent_kernel")}
        return {name: one for name, one in found.items() if one is not None}

    def _integer(self, layer: Layer, grid: Grid) -> Layer:
        if isinstance(layer, Embedding):
            return self._weights_only(layer, Scheme.DYNAMIC)
        try:
            planned = self._planned(layer, grid)
        except NoIntegerForm as reason:
            self.notes.append(f"layer '{layer.name}' computes in float32: {reason}")
            return self._weights_only(layer, Scheme.DYNAMIC)
        if planned is None:
            return layer
        is_integer = layer.name not in self.in_float
        if is_integer:
            self.plans[layer.name] = planned.plan
        if isinstance(layer, Recurrent) and is_integer:
            self.narrow |= dict.fromkeys((layer.output, layer.state_h), state_reading(NARROW))
        return with_weights(
            layer,
            {
                name: self.stored.setdefault((id(getattr(layer, name)), _key(weight)), weight)
                for name, weight in planned.weights.items()
            },
        )

    def _planned(self, layer: Layer, grid: Grid) -> Planned | None:
        """None for a layer without a matrix."""
        if isinstance(layer, Moving):
            return None
        match layer:
            case SimpleRnn() | Gru() | Lstm():
                return self._recurrent(layer, grid)
            case Dense() | Conv1D() | Conv2D():
                reading = self._reading(layer, grid)
                moments, trained = self.moments.get(layer.name), self._grid(layer.kernel)
                return linear_plan(layer, reading, moments, grid, trained)
            case (
                Embedding()
                | ly.Pool1D()
                | ly.Pool2D()
                | ly.GlobalPool1D()
                | ly.Affine()
                | ly.LayerNorm()
                | ly.Activate()
                | ly.PRelu()
                | ly.Concatenate()
                | ly.Merge()
                | ly.Dot()
                | ly.Attention()
                | ly.NotEqual()
                | ly.AnyNotEqual()
                | ly.Cast()
                | ly.Compare()
                | ly.Where()
            ):
                return None
            case _:
                assert_never(layer)

    def _recurrent(self, layer: Recurrent, grid: Grid) -> Planned:
        known = self._known()
        c = layer.initial_c if isinstance(layer, Lstm) else None
        return recurrent_plan(
            layer,
            self._reading(layer, grid),
            known.cells.get(layer.name, {}),
            state_bits=WIDE if layer.name in self.accurate else NARROW,
            initial_state=None if layer.initial_h is None else known.edges[layer.initial_h],
            initial_cell=None if c is None else known.edges[c],
            seen=self.moments.get(layer.name),
            candidate=self.candidates.get(layer.name),
            grid=grid,
            trained=self._grids(layer),
        )

    def _reading(self, layer: Recurrent | Dense | Conv1D | Conv2D, grid: Grid) -> Reading:
        kernel = as_float32(layer.kernel)
        matrix = kernel.reshape(-1, kernel.shape[-1])
        carried = self.narrow.get(layer.input)
        wide = layer.name in self.accurate
        trained = byte_scales(self._grid(layer.kernel), grid)
        fits = partial(fits_eight_bits, matrix, grid=grid, trained=trained)
        if carried is not None and carried.from_state:
            wide = wide or not fits(STATE_UNIT)
            return state_reading(WIDE if wide else NARROW)
        if carried is not None and not wide and fits(carried.scale):
            return carried
        return wide_reading(self._known().edges[layer.input].magnitude)

    def _known(self) -> Ranges:
        if self.ranges is None:
            raise AssertionError("quantize has checked that int8 comes with ranges")
        return self.ranges

    def _carry(self, layer: Layer) -> None:
        """A layer that only moves or selects elements writes the kind of values that it reads."""
        carried = {self.narrow.get(edge) for edge in moved_edges(layer)}
        if len(carried) == 1:
            (reading,) = carried
            if reading is not None:
                self.narrow[layer.writes[0]] = reading


def _has_four_bits(layer: Layer) -> bool:
    """Whether INT4 stores its matrix in 4 bits: a channel by itself has too few weights to save."""
    return not isinstance(layer, Conv1D | Conv2D) or layer.groups == 1


def _halved(weight: Weight) -> Weight:
    if isinstance(weight, QTensor) or np.abs(weight).max(initial=0.0) > _FLOAT16_MAX:
        return weight
    return weight.astype(np.float16)


def _key(weight: Weight) -> bytes:
    arrays = (weight.values, weight.scale) if isinstance(weight, QTensor) else (weight,)
    return b"".join(hashlib.sha256(np.ascontiguousarray(array).data).digest() for array in arrays)


def _together(graph: Graph, moments: Mapping[str, Moments]) -> dict[str, Moments]:
    """Layers that share a kernel round it once, for what all of them see."""
    sharing: dict[int, list[str]] = {}
    for layer in graph.layers:
        if layer.name in moments and "kernel" in layer.weights:
            sharing.setdefault(id(layer.weights["kernel"]), []).append(layer.name)
    return {
        name: _mean([moments[one] for one in names]) for names in sharing.values() for name in names
    }


def _mean(moments: Sequence[Moments]) -> Moments:
    if len(moments) == 1:
        return moments[0]
    mean = np.mean([one.mean for one in moments], axis=0)
    between = [_squared(one.mean - mean) for one in moments]
    covariances = [one.covariance for one in moments]
    return Moments(mean=mean, covariance=np.mean(covariances, axis=0) + np.mean(between, axis=0))


def _squared(mean: AnyArray) -> AnyArray:
    return np.asarray(mean[:, :, None] * mean[:, None, :])
