"""The accuracy of an export beside the float model's, and the layers where int8 reduces it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from edgernn.artefact import Artefact
from edgernn.errors import CalibrationError, EdgernnError
from edgernn.export.eight_bits import fewest_in_int8, four_bit_layers, with_int8
from edgernn.export.fine_layers import ActivationCost, FineLayers, decibel
from edgernn.export.float_runs import runs_over
from edgernn.export.mean_error import INTEGER_TOLERANCE
from edgernn.export.noise import shares_a_unit, spread
from edgernn.export.pipeline import quantized, scaled, with_fine_layers
from edgernn.export.quantization.headroom import headroom
from edgernn.export.request import Request
from edgernn.export.rows import rows_to_measure
from edgernn.export.sound_input import sound_recipe, text_recipe
from edgernn.export.study.labelled import Accuracy, FloatAnswers, accuracies, accuracy_of
from edgernn.export.study.rescue import file_limit
from edgernn.export.study.sensitivity import Sensitivity, sensitivity
from edgernn.graph import AnyArray, CalibrationMethod, Graph, as_minmax
from edgernn.reference import integer, with_free_batch
from edgernn.scheme import Scheme
from edgernn.tasks.given import Given, as_samples
from edgernn.tasks.samples import Samples
from edgernn.units import percent

#: More layers than these in float32 are no advice: then another scheme is.
_MOST_IN_FLOAT: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The results of a study; empty without data."""

    accuracies: tuple[Accuracy, ...]
    costs: Sensitivity | None
    kept_float: tuple[str, ...] = ()  # layers, by the user's wish
    kept_int8: tuple[str, ...] = ()  # layers of an int4 model
    headroom: str = ""  # beyond the rows that ranges were taken from, or what another method does
    #: Format -> what 8-bit activations cost in it, layer by layer, and what was chosen.
    activations: Mapping[str, tuple[ActivationCost, ...]] = field(default_factory=dict)
    tried: tuple[Accuracy, ...] = ()  # what may help, where accuracy was lost


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
    judged = answers if any(row.lost for row in rows) else None
    tried = [] if judged is None else [*_of_more_bits(original, request, judged)]
    graph = quantized(original, request, "native")
    if graph.quantization is None or request.examples is None:
        return Study(accuracies=rows, costs=None, tried=tuple(tried))
    costs = sensitivity(
        *(scaled(original, request)[0], graph, _few(original, request)), runs=request.runs
    )
    if judged is not None:
        tried += _with_float_layers(original, request, judged, costs)
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
        tried=tuple(tried),
        activations={name: fine.costs for name, fine in (request.fine or {}).items() if fine.costs},
    )


def get_ready(original: Graph, request: Request) -> None:
    """Computes what `studied` will ask for and needs no file: beside the last check of an export.

    Only where the runs of the request are kept; what fails here, fails there.
    """
    if request.runs is None or request.examples is None:
        return
    with suppress(EdgernnError):
        graph = quantized(original, request, "native")
        if graph.quantization is not None:
            request.runs.in_integers(with_free_batch(graph))


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


def _with_float_layers(
    original: Graph, request: Request, answers: FloatAnswers, costs: Sensitivity
) -> Iterator[Accuracy]:
    """With the layers in float32 that add most noise: as few as lose nothing, or _MOST_IN_FLOAT."""
    by_noise = sorted(costs.layers, key=lambda cost: cost.output_snr_db)
    names = [cost.layer for cost in by_noise][:-1][:_MOST_IN_FLOAT]  # one stays int8
    found = None
    for count in range(1, len(names) + 1):
        kept = (*request.keep_float, *names[:count])
        graph = quantized(original, replace(request, keep_float=kept), "native")
        option = " ".join(f"--keep-float {name}" for name in names[:count])
        found = accuracy_of(graph, answers, name=option)
        if not found.lost:
            break
    if found is not None:
        yield found


def _of_more_bits(original: Graph, request: Request, answers: FloatAnswers) -> Iterator[Accuracy]:
    """The accuracy of the next scheme with more bits than the one in use; none after float32."""
    in_use = list(Scheme).index(request.fewest_bits)
    if in_use == 0:
        return
    scheme = list(Scheme)[in_use - 1]
    graph = quantized(original, replace(request, scheme=scheme, per_layer={}, keep_float=()))
    yield accuracy_of(graph, answers, name=f"--scheme {scheme.value}")


def limited(
    original: Graph,
    request: Request,
    samples: Samples | None,
    calibrate: Given | None,
    *,
    file: str,
    max_drop_points: float,
) -> Request:
    """The request with the limit that each file is held to: a drop of at most `max_drop_points`."""
    if request.ranges is None or request.examples is None or calibrate is None:
        raise CalibrationError(
            "the search for layers that need finer arithmetic needs calibration data",
            remedy="Give typical inputs with --calibrate",
        )
    limit = file_limit(
        scaled(original, request)[0],
        quantized(original, request, "native"),
        _few(original, request),
        as_samples(calibrate, front_end=text_recipe(original) or sound_recipe(original))
        if samples is None
        else samples,
        request.labels,
        file=file,
        max_drop_points=max_drop_points,
        decoding=request.decoding,
        runs=request.runs,
    )
    return replace(request, limit=limit)


def held(original: Graph, request: Request) -> Request:
    """The int4 request with the fewest layers in int8 for which the answers stay near.

    By the mean error on the request's rows: at most half of what a file's check allows.  Unchanged
    where all layers may have 4 bits, and where not even int8 is near enough: the check says so.
    """
    if request.scheme is not Scheme.INT4 or request.examples is None or request.ranges is None:
        return request
    runs = runs_over(scaled(original, request)[0], _few(original, request), request.runs)
    graph, exact = runs.graph, runs.exact

    def error(candidate: Graph) -> float:
        given = integer.execute(with_free_batch(candidate), runs.rows)
        return max(
            (
                spread([exact[edge]], shared=shares_a_unit(graph, edge))
                .noise([exact[edge]], [given[edge]])
                .mean
                for edge in runs.outputs
            ),
            default=0.0,
        )

    def is_enough(kept: tuple[str, ...]) -> bool:
        wanted = replace(
            request, per_layer={**request.per_layer, **dict.fromkeys(kept, Scheme.INT8)}
        )
        return error(quantized(original, wanted, "native")) <= INTEGER_TOLERANCE / 2

    if is_enough(()):
        return request
    whole = quantized(original, request, "native")
    costs = sensitivity(graph, whole, runs.rows, runs=runs).layers
    noise = {cost.layer: 10 ** (-cost.output_snr_db / 10) for cost in costs}
    kept = fewest_in_int8(four_bit_layers(whole), noise, is_enough)
    return with_int8(original, request, kept or ())


def _few(original: Graph, request: Request) -> dict[str, AnyArray]:
    """Rows to estimate noise on: the model runs several times over them."""
    if request.examples is None:
        return {}
    return rows_to_measure(original, request.examples)
