"""What 8-bit activations cost: simulated, and in the files that the runtimes run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export import backend_named
from edgernn.export.backend import Arithmetic, Simulate
from edgernn.export.fine_layers import HIDDEN, LOUD, FineLayers, Fineness, NoiseMeter
from edgernn.export.float_runs import FloatRuns
from edgernn.export.in_scheme import float_graph, quantized, with_fine_layers
from edgernn.export.keras.file import read_model
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.graph import AnyArray, Graph, Layer
from edgernn.reference import apply, run
from edgernn.scheme import Scheme
from tests.edgernn.tasks.reference_data import splits_of
from tests.formats import RUN
from tests.golden import GOLDEN
from tests.zoo.runtimes import open_session

MODELS = {"digits_gru": "digits", "digits_lstm": "digits", "counter_lstm": "counter"}

#: Noise of two layers adds up, and kernels round once more here and there.
_APART_DB = 3.5

#: Quieter than this is as good as exact.
_QUIET_DB = 55.0


@pytest.fixture(scope="module", params=MODELS)
def measured(request: pytest.FixtureRequest) -> Any:
    """(name, (float graph, request with its choice, rows))"""
    splits = splits_of(MODELS[request.param])
    graph = float_graph(read_model(GOLDEN / "trained" / f"{request.param}.keras").graph)
    name = graph.inputs[0].name
    rows = {name: splits.calibration.x[150:182]}
    given = Request(
        scheme=Scheme.INT8,
        ranges=calibrate(graph, {name: splits.calibration.x[:150]}),
        examples=Examples(inputs=rows),
    )
    return request.param, (graph, with_fine_layers(graph, given), rows)


def answers(target: str, graph: Graph, rows: Any, **options: str) -> AnyArray:
    session = open_session(target, graph, **options)
    ((name, x),) = rows.items()
    return np.concatenate([next(iter(session({name: row[None]}).values())) for row in x])


def snr_db(wanted: AnyArray, given: AnyArray, exact: AnyArray) -> float:
    power = np.square(exact - exact.mean(axis=0)).mean()
    return float(10 * np.log10(power / max(np.square(wanted - given).mean(), 1e-12 * power)))


@pytest.mark.parametrize("target", RUN)
def test_the_simulated_noise_is_that_of_the_file_in_its_runtime(measured, target) -> None:
    _, (graph, request, rows) = measured
    (exact,) = run(graph, rows).values()
    coarse = quantized(graph, replace(request, fine={}))
    (of_weights,) = run(coarse, rows).values()
    found = snr_db(of_weights, answers(target, coarse, rows), exact)
    costs = request.fine[target].costs
    power = sum(cost.activations for cost in costs)
    simulated = 120.0 if power == 0 else -10 * np.log10(power)
    assert min(found, _QUIET_DB) == pytest.approx(min(simulated, _QUIET_DB), abs=_APART_DB)


@pytest.mark.parametrize("target", RUN)
def test_what_is_chosen_makes_files_quiet(measured, target) -> None:
    _, (graph, request, rows) = measured
    (exact,) = run(graph, rows).values()
    given = answers(target, quantized(graph, request, target), rows)
    assert snr_db(exact, given, exact) >= 34


@pytest.mark.parametrize("target", RUN)
def test_only_loud_layers_lose_their_bytes(measured, target) -> None:
    """The loudest ones, and no more of them than needed."""
    _, (_, request, _) = measured
    costs = sorted(request.fine[target].costs, key=lambda cost: cost.activations)
    arithmetic_of = backend_named(target).arithmetic
    assert arithmetic_of is not None
    arithmetic = arithmetic_of()
    assert arithmetic is not None
    weights = sum(cost.weights for cost in costs)
    allowed = max(arithmetic.quiet, min(HIDDEN * weights, LOUD))
    eight = [cost.activations for cost in costs if cost.chosen is Fineness.EIGHT]
    loud = [cost.activations for cost in costs if cost.chosen is not Fineness.EIGHT]
    assert sum(eight) <= allowed
    if loud:
        assert min(loud) >= max(eight, default=0)
        assert sum(eight) + min(loud) > allowed


def test_a_counter_needs_finer_gates_in_tflite_only_by_its_noise(measured) -> None:
    name, (_, request, _) = measured
    (cell,) = (one for one in request.fine["tflite"].costs if one.kind in {"Gru", "Lstm"})
    if name == "counter_lstm":
        assert cell.activations_snr_db < 35
        assert cell.chosen is Fineness.FLOAT


@pytest.mark.parametrize("profile", ["integer-only", "micro"])
def test_files_of_integers_only_get_16_bits_and_say_where_these_are_missing(
    measured, profile
) -> None:
    name, (graph, request, _) = measured
    options = {"tflite": {"profile": profile}}
    again = with_fine_layers(graph, replace(request, fine=None, options=options))
    assert again.fine is not None
    fine = again.fine["tflite"]
    assert not fine.in_float
    assert all(cost.left < cost.activations for cost in fine.costs if cost.layer in fine.wide)
    for cost in fine.costs:
        said = fine.details.get(f"layer {cost.layer}", "")
        assert (cost.layer in fine.wide) == ("with 16 bits: 8 bits leave" in said)
        assert bool(cost.coarse_by) == (f"which the profile {profile} has not" in said)
    if name == "counter_lstm":  # its outputs are bytes
        assert any(cost.coarse_by for cost in fine.costs)


def test_a_convolution_of_integers_only_is_named_where_bytes_are_too_loud() -> None:
    """It has no 16-bit form."""
    splits = splits_of("languages")
    graph = float_graph(read_model(GOLDEN / "trained" / "languages_conv_lstm.keras").graph)
    name = graph.inputs[0].name
    given = Request(
        scheme=Scheme.INT8,
        backends=("tflite",),
        ranges=calibrate(graph, {name: splits.calibration.x[:60]}),
        examples=Examples(inputs={name: splits.calibration.x[60:80]}),
        options={"tflite": {"profile": "integer-only"}},
    )
    again = with_fine_layers(graph, given)
    assert again.fine is not None
    (conv,) = (cost for cost in again.fine["tflite"].costs if cost.kind == "Conv1D")
    assert conv.coarse_by == "the profile integer-only"
    assert (
        "which the profile integer-only has not"
        in again.fine["tflite"].details["layer " + conv.layer]
    )


@pytest.mark.parametrize(("target", "profile"), [("tflite", "integer-only"), ("onnx", "qnn")])
def test_the_noise_of_integers_only_is_that_of_the_file(measured, target, profile) -> None:
    """Kernels round single steps of such a file in other places.

    A profile of pairs rounds what layers without a matrix read, too: that of digits_gru scales
    features.
    """
    _, (graph, request, rows) = measured
    (exact,) = run(graph, rows).values()
    coarse = quantized(graph, replace(request, fine={}))
    (of_weights,) = run(coarse, rows).values()
    given = answers(target, coarse, rows, profile=profile)
    again = with_fine_layers(
        graph, replace(request, fine=None, options={target: {"profile": profile}})
    )
    assert again.fine is not None
    simulated = -10 * np.log10(again.fine[target].activations)
    assert snr_db(of_weights, given, exact) == pytest.approx(simulated, abs=10)


def test_a_file_for_qnn_has_16_bit_activations_where_bytes_are_too_loud(measured) -> None:
    """In that runtime of pairs that is here: ONNX Runtime computes in float between them."""
    name, (graph, request, rows) = measured
    (exact,) = run(graph, rows).values()
    again = with_fine_layers(
        graph, replace(request, fine=None, options={"onnx": {"profile": "qnn"}})
    )
    assert again.fine is not None
    fine = again.fine["onnx"]
    assert not fine.in_float
    assert bool(fine.wide) == any(cost.chosen is Fineness.SIXTEEN for cost in fine.costs)
    if name != "counter_lstm":  # c counts up to 42 in bytes
        return
    coarse, wide = (
        snr_db(exact, answers("onnx", quantized(graph, one, "onnx"), rows, profile="qnn"), exact)
        for one in (replace(request, fine={}), again)
    )
    assert fine.wide
    assert wide > coarse + 10


def noisy(graph: Graph, layer: Any, values: Any) -> Any:
    """A format whose activations are noise for plans of 8 bits, and exact for those of 16."""
    written = apply(layer, values)
    assert graph.quantization is not None
    plan = graph.quantization.plans[layer.name]
    if getattr(plan, "state_bits", plan.reading.bits) == 16:
        return written
    return tuple(part + 0.3 * np.sin(1e3 * np.cumsum(part, axis=-1)) for part in written)


def test_sixteen_bits_are_preferred_where_they_help(meter) -> None:
    both = meter.fine_layers(Arithmetic(simulate=noisy, quiet=1e-5, has_sixteen=True))
    assert both.wide
    assert not both.in_float
    assert all(cost.left < cost.activations for cost in both.costs if cost.layer in both.wide)
    floats = meter.fine_layers(Arithmetic(simulate=noisy, quiet=1e-5))
    assert floats.in_float == both.wide
    assert {cost.chosen for cost in floats.costs} >= {Fineness.FLOAT}
    assert all("in float32: 8 bits leave" in text for text in floats.details.values())


def by_bits(eight: float, sixteen: float) -> Any:
    """A format that adds noise of these shares of a layer's spread, for plans of 8 and 16 bits."""

    def simulate(graph: Graph, layer: Any, values: Any) -> Any:
        assert graph.quantization is not None
        plan = graph.quantization.plans[layer.name]
        is_wide = getattr(plan, "state_bits", plan.reading.bits) == 16
        share = sixteen if is_wide and layer.name in graph.quantization.wide else eight
        return tuple(
            part + share * part.std() * np.sin(1e3 * np.cumsum(part, axis=-1))
            for part in apply(layer, values)
        )

    return simulate


@pytest.fixture
def meter(measured) -> NoiseMeter:
    _, (graph, request, rows) = measured

    def quantize(wide: Any, in_float: Any, by_row: Any) -> Graph:
        fine = FineLayers(wide=tuple(wide), in_float=tuple(in_float), by_row=tuple(by_row))
        return quantized(graph, replace(request, fine={"native": fine}), "native")

    return NoiseMeter(runs=FloatRuns(graph=graph, rows=rows), quantize=quantize)


def test_sixteen_bits_are_enough_where_the_outputs_stay_within_the_bound(meter) -> None:
    """However little they help: a third of the power is left here."""
    simulate = by_bits(0.3, 0.18)
    whole = meter.fine_layers(Arithmetic(simulate=simulate, quiet=np.inf)).activations
    lenient = meter.fine_layers(Arithmetic(simulate=simulate, quiet=0.9 * whole, has_sixteen=True))
    assert lenient.wide
    assert not lenient.in_float
    strict = meter.fine_layers(Arithmetic(simulate=simulate, quiet=0.1 * whole, has_sixteen=True))
    assert strict.in_float
    for found, quiet in ((lenient, 0.9 * whole), (strict, 0.1 * whole)):
        assert sum(cost.left for cost in found.costs) <= quiet


def test_loud_weights_are_no_excuse_for_loud_activations(meter, monkeypatch) -> None:
    monkeypatch.setattr("edgernn.export.fine_layers.HIDDEN", 1e9)
    found = meter.fine_layers(Arithmetic(simulate=by_bits(0.3, 0.3), quiet=1e-5))
    assert found.activations > LOUD
    assert sum(cost.left for cost in found.costs) <= LOUD


def loud_with_sixteen(states: float) -> Simulate:
    """A native file whose 16 bits are too coarse; products by row leave noise of `states`."""

    def simulate(graph: Graph, layer: Layer, values: Any) -> tuple[AnyArray, ...]:
        quantization = graph.quantization
        assert quantization is not None
        made = apply(layer, values)
        if layer.name in quantization.plans:
            size = 0.5
        else:
            size = 0.0 if layer.name in quantization.in_float else states
        rng = np.random.default_rng(1)
        return tuple(x + size * x.std() * rng.normal(size=x.shape).astype(np.float32) for x in made)

    return simulate


@pytest.mark.parametrize(("states", "by_row"), [(1e-4, True), (0.5, False)])
def test_products_by_row_come_before_float_where_they_are_quiet(meter, states, by_row) -> None:
    found = meter.fine_layers(
        Arithmetic(simulate=loud_with_sixteen(states), quiet=1e-5, has_sixteen=True, has_rows=True)
    )
    assert not found.wide
    chosen, others = (found.by_row, found.in_float) if by_row else (found.in_float, found.by_row)
    assert chosen
    assert not others
    assert sum(cost.left for cost in found.costs) <= LOUD
