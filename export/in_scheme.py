"""A graph in the scheme that a request asks for, for one format or for all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from edgernn import streaming
from edgernn.errors import UnsupportedLayer
from edgernn.export import backend_named
from edgernn.export.fine_layers import FineLayers, NoiseMeter
from edgernn.export.float_runs import runs_over
from edgernn.export.quantization.absorb import absorbed
from edgernn.export.quantization.headroom import with_headroom
from edgernn.export.quantization.hidden import with_hidden_steps
from edgernn.export.quantization.quantize import quantize
from edgernn.export.quantization.unlike import unlike_features
from edgernn.export.request import Request
from edgernn.export.rows import rows_to_measure
from edgernn.formats import FORMATS, Format
from edgernn.graph import Graph, QTensor, without_dead_layers
from edgernn.scheme import Scheme
from edgernn.side_by_side import meanwhile, one_thread_each


def float_graph(graph: Graph) -> Graph:
    """The graph that calibration runs: without dead layers, states explicit."""
    return streaming.expose_states(without_dead_layers(graph))


def scaled(graph: Graph, request: Request) -> tuple[Graph, Request]:
    """The float graph that is quantized, and the request with its ranges.

    Steps that masks hide become zeros.  Where rows of the inputs were seen, features of unlike
    scale are brought to one scale, and ranges get room beyond those rows.
    """
    if request.fewest_bits.has_integer_weights:
        graph, ranges = with_hidden_steps(graph, request.ranges)
        request = replace(request, ranges=ranges)
    if request.ranges is None or request.fewest_bits is Scheme.FLOAT32:
        return graph, request
    kept = [name for name, scheme in request.per_layer.items() if scheme is Scheme.FLOAT32]
    changed, ranges = absorbed(graph, request.ranges, leave={*kept, *request.keep_float})
    return changed, replace(request, ranges=with_headroom(changed, ranges))


def unabsorbed(original: Graph, request: Request) -> tuple[str, ...]:
    """Sentences about features of unlike scale that stay so, for want of ranges; usually none."""
    if request.ranges is not None:
        return ()
    in_float = {
        layer.name
        for layer in original.layers
        if request.per_layer.get(layer.name, request.scheme) is Scheme.FLOAT32
    }
    return tuple(unlike_features(original, leave={*in_float, *request.keep_float}))


def quantized(graph: Graph, request: Request, target: str = "") -> Graph:
    """The float graph with its weights, and for int8 its arithmetic, in the asked scheme.

    With the finer layers of the format `target`, where the request has chosen them.
    """
    if request.scheme is Scheme.FLOAT32 and not request.per_layer:
        return graph
    fine = (request.fine or {}).get(target, FineLayers())
    return _in_scheme(graph, request, fine.wide, fine.in_float, fine.by_row)


def _in_scheme(
    graph: Graph,
    request: Request,
    wide: Sequence[str] = (),
    in_float: Sequence[str] = (),
    by_row: Sequence[str] = (),
) -> Graph:
    def made() -> Graph:
        prepared, its = scaled(graph, request)
        return quantize(
            prepared,
            its.ranges,
            its.scheme,
            keep_float=its.keep_float,
            per_layer=its.per_layer,
            accurate=wide,
            in_float=in_float,
            by_row=by_row,
        )

    layers = (request.keep_float, *map(tuple, (request.per_layer.items(), wide, in_float, by_row)))
    return request.kept.of(graph, request.ranges, (request.scheme, *layers), made)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """The graphs that formats are written from.  Formats that choose alike share one."""

    graph: Graph  # in float
    request: Request
    made: dict[tuple[tuple[str, ...], ...], Graph] = field(default_factory=dict)

    def for_format(self, target: Format) -> Graph:
        """As it is written: a step of it, where steps are asked for."""
        whole = self.of_sequences(target)
        return streaming.to_streaming(whole) if self.request.streaming else whole

    def of_sequences(self, target: Format) -> Graph:
        fine = (self.request.fine or {}).get(target.name, FineLayers())
        key = (fine.wide, fine.in_float, fine.by_row)
        if key not in self.made:
            self.made[key] = quantized(self.graph, self.request, target.name)
        return self.made[key]


def with_fine_layers(graph: Graph, request: Request, *, finest: bool = False) -> Request:
    """The request with the layers of each format for which 8-bit activations are too coarse.

    They are found on the request's rows; without any, or without int8, there are none.
    finest: all layers whose 8-bit activations make noise, however little.
    """
    if request.fine is not None:
        return request
    if not request.fewest_bits.needs_calibration or request.examples is None:
        return replace(request, fine={})
    rows = rows_to_measure(graph, request.examples)
    with one_thread_each(), meanwhile(partial(_in_scheme, graph, request)):  # kept, for the meter
        runs = runs_over(scaled(graph, request)[0], rows, request.runs)
    measured = NoiseMeter(runs=runs, quantize=partial(_in_scheme, graph, request))
    arithmetics = {}
    for name in request.backends or FORMATS:
        by_options = backend_named(name).arithmetic
        arithmetic = by_options(**request.options.get(name, {})) if by_options else None
        if arithmetic is not None:
            arithmetics[name] = arithmetic
    measured.begin(arithmetics.values())
    fine = {}
    for name, arithmetic in arithmetics.items():
        with suppress(UnsupportedLayer):  # writing the file gives the reason
            fine[name] = measured.fine_layers(arithmetic, finest=finest)
    return replace(request, fine=fine, runs=runs if runs.are_kept else None)


def settled(graph: Graph, request: Request) -> Request:
    """The request, with float32 in place of int8 and int4 where no layer can be in integers.

    A float model must not be called int8, neither by its name nor by its check.
    """
    if not request.fewest_bits.needs_calibration or _has_int8(quantized(graph, request)):
        return request
    return replace(
        request,
        scheme=Scheme.FLOAT32 if request.scheme.needs_calibration else request.scheme,
        per_layer={
            name: Scheme.FLOAT32 if scheme.needs_calibration else scheme
            for name, scheme in request.per_layer.items()
        },
    )


def _has_int8(graph: Graph) -> bool:
    if graph.quantization is not None and graph.quantization.plans:
        return True
    weights = (weight for layer in graph.layers for weight in layer.weights.values())
    return any(isinstance(weight, QTensor) for weight in weights)
