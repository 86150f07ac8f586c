"""The accuracy of an export beside the float model's, and the layers where int8 reduces it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgernn.artefact import Artefact
from edgernn.errors import CalibrationError
from edgernn.export.fine_layers import ActivationCost, FineLayers, decibel
from edgernn.export.mean_error import INTEGER_TOLERANCE
from edgernn.export.noise import shares_a_unit, spread
from edgernn.export.pipeline import quantized, scaled, with_fine_layers
from edgernn.export.quantization.headroom import headroom
from edgernn.export.request import Request
from edgernn.export.rows import rows_to_measure
from edgernn.export.study.labelled import Accuracy, FloatAnswers, accuracies, accuracy_of
from edgernn.export.study.rescue import layers_to_keep
from edgernn.export.study.sensitivity import Sensitivity, fewest_float_layers, sensitivity
from edgernn.graph import AnyArray, CalibrationMethod, DType, Graph, as_minmax
from edgernn.reference import execute, integer, with_free_batch
from edgernn.reference.arguments import with_zero_states
from edgernn.scheme import Scheme
from edgernn.tasks.given import Given, as_samples
from edgernn.tasks.samples import Samples
from edgernn.units import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The results of a study; empty without data."""

    accuracies: tuple[Accuracy, ...]
    costs: Sensitivity | None
    kept_float: tuple[str, ...] = ()  # layers, by the user's wish or by the search of --max-drop
    kept_int8: tuple[str, ...] = ()  # layers of an int4 model
    headroom: str = ""  # beyond the rows that ranges were taken from, or what another method does
    #: Format -> what 8-bit activations cost in it, layer by layer, and what was chosen.
    activations: Mapping[str, tuple[ActivationCost, ...]] = field(default_factory=dict)
    tried: Accuracy | None = None  # the scheme of more bits, where accuracy was lost


def studied(
    original: Graph,
    request: Request,
    artefacts: Sequence[Artefact],
    folder: Path,
    answers: FloatAnswers | None,
) -> Study:
    """Accuracy beside the float model's `answers`, and for int8 the cost of each layer on the
    examples.
    """
    rows: tuple[Accuracy, ...] = ()
    if answers is not None:
        rows = accuracies(answers, artefacts, folder)
    tried = None
    if answers is not None and any(row.lost for row in rows):
        tried = _of_more_bits(original, request, answers)
    graph = quantized(original, request, "native")
    if graph.quantization is None or request.examples is None:
        return Study(accuracies=rows, costs=None, tried=tried)
    costs = sensitivity(scaled(original, request)[0], graph, _few(original, request))
    return Study(
        accuracies=rows,
        costs=costs,
        kept_float=request.keep_float,
        kept_int8=tuple(
            name
            for name, scheme in request.per_layer.items()
            if scheme is Scheme.INT8 and request.scheme is Scheme.INT4
        ),
        headroom=_headroom(request) or _beside_minmax(original, request),
        tried=tried,
        activations={name: fine.costs for name, fine in (request.fine or {}).items() if fine.costs},
    )


def _headroom(request: Request) -> str:
    if request.ranges is None or request.ranges.method is not CalibrationMethod.MINMAX:
        return ""
    share, rows = percent(headroom(request.ranges.samples), 0), request.ranges.samples
    return (
        f"Ranges reach {share} beyond what {rows} calibration rows gave, where nothing ends them."
    )


def _beside_minmax(original: Graph, request: Request) -> str:
    """What ranges of another method do to rows that calibration did not see.

    A percentile or the least squared error of a few rows cuts off what fresh rows hold.
    """
    ranges, examples = request.ranges, request.examples
    if ranges is None or examples is None or not examples.origin.is_fresh:
        return ""
    other = with_fine_layers(original, replace(request, ranges=as_minmax(ranges), fine=None))
    compared = []
    for name, fine in (request.fine or {}).items():
        of_minmax = (other.fine or {}).get(name, FineLayers()).activations
        if {fine.activations, of_minmax} != {0.0}:
            found, wanted = decibel(fine.activations), decibel(of_minmax)
            compared.append(f"{found:.0f} dB instead of {wanted:.0f} dB in {name}")
    if not compared:
        return ""
    method = ranges.method.value
    return (
        f"On fresh rows, 8-bit activations by --calibration {method} have an SNR of "
        f"{', '.join(compared)} by minmax."
    )


def _of_more_bits(original: Graph, request: Request, answers: FloatAnswers) -> Accuracy | None:
    """The accuracy of the next scheme with more bits than the one in use; None after float32."""
    in_use = list(Scheme).index(request.fewest_bits)
    if in_use == 0:
        return None
    scheme = list(Scheme)[in_use - 1]
    graph = quantized(original, replace(request, scheme=scheme, per_layer={}, keep_float=()))
    return accuracy_of(graph, answers, name=f"--scheme {scheme.value}")


def rescued(
    original: Graph,
    request: Request,
    samples: Samples | None,
    calibrate: Given | None,
    *,
    file: str,
    max_drop_points: float,
) -> Request:
    """The request with layers kept in float, of int4 in int8, so that the drop is at most
    `max_drop_points`.

    Those that the integer reference needs; each format may keep more, as its file needs them.
    """
    if request.ranges is None or request.examples is None or calibrate is None:
        raise CalibrationError(
            "the search for layers to keep in float needs calibration data",
            remedy="Give typical inputs with --calibrate",
        )
    float_, prepared = scaled(original, request)
    kept, limit = layers_to_keep(
        float_,
        quantized(original, request, "native"),
        prepared.ranges or request.ranges,
        _few(original, request),
        as_samples(calibrate) if samples is None else samples,
        request.labels,
        file=file,
        max_drop_points=max_drop_points,
        fine=(request.fine or {}).get("native", FineLayers()),
        decoding=request.decoding,
        scheme=request.scheme if request.scheme is Scheme.INT4 else Scheme.INT8,
    )
    request = replace(request, limit=limit)
    if not kept:
        return request
    if request.scheme is Scheme.INT4:
        return _with_int8(original, request, kept)
    both = tuple(dict.fromkeys((*request.keep_float, *kept)))
    return with_fine_layers(original, replace(request, keep_float=both, fine=None))


def held(original: Graph, request: Request) -> Request:
    """The int4 request with the fewest layers in int8 for which the answers stay near.

    By the mean error on the request's rows: at most half of what a file's check allows.  Unchanged
    where all layers may have 4 bits, and where not even int8 is near enough: the check says so.
    """
    if request.scheme is not Scheme.INT4 or request.examples is None or request.ranges is None:
        return request
    graph, prepared = scaled(original, request)
    graph = with_free_batch(graph)
    rows = with_zero_states(graph, _few(original, request))
    exact = execute(graph, rows)
    states = {state.output for state in graph.states}
    outputs = [
        output.edge
        for output in graph.outputs
        if output.name not in states and graph.specs[output.edge].dtype is DType.FLOAT32
    ]

    def error(candidate: Graph) -> float:
        given = integer.execute(with_free_batch(candidate), rows)
        return max(
            (
                spread([exact[edge]], shared=shares_a_unit(graph, edge))
                .noise([exact[edge]], [given[edge]])
                .mean
                for edge in outputs
            ),
            default=0.0,
        )

    whole = quantized(original, request, "native")
    if error(whole) <= INTEGER_TOLERANCE / 2:
        return request
    kept = fewest_float_layers(
        graph,
        prepared.ranges or request.ranges,
        sensitivity(graph, whole, rows).layers,
        error,
        max_drop=INTEGER_TOLERANCE / 2,
        fine=(request.fine or {}).get("native", FineLayers()),
        scheme=Scheme.INT4,
    )
    return _with_int8(original, request, kept) if kept else request


def _with_int8(original: Graph, request: Request, layers: Sequence[str]) -> Request:
    both = {**dict.fromkeys(layers, Scheme.INT8), **request.per_layer}
    return with_fine_layers(original, replace(request, per_layer=both, fine=None))


def _few(original: Graph, request: Request) -> dict[str, AnyArray]:
    """Rows to estimate noise on: the model runs several times over them."""
    if request.examples is None:
        return {}
    return rows_to_measure(original, request.examples)
