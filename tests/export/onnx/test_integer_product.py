"""int8 weights: close to the float model in every form, small files, right on every CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn import reference
from edgernn.export.backend import Lowered
from edgernn.export.cases import Case, make_cases
from edgernn.export.onnx import lower
from edgernn.export.onnx.integer_product import is_safe_signed
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.verify import relative_error
from edgernn.graph import (
    HARD_SIGMOID_KERAS3,
    RELU,
    Concatenate,
    Conv1D,
    Dense,
    Embedding,
    GlobalPool1D,
    Graph,
    Gru,
    Layer,
    Lstm,
    Pool1D,
    PoolKind,
    QTensor,
    Recurrent,
    Reverse,
    SimpleRnn,
    Slice,
    State,
    Upsample1D,
    ZeroPad1D,
)
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming
from tests.export.onnx.agreement import checked, operators, run, session
from tests.export.onnx.models import (
    FEATURES,
    UNITS,
    cell,
    floats,
    graph_of,
    masked_input,
    numbers,
    sequence,
    states_of,
    tokens,
)

#: Largest error of an int8 output in [-1, 1] against the same graph in float32.
TOLERANCE = 0.03

FORMS = pytest.mark.parametrize("gru", ["storage", "scan"])


def _trained(kind: type[Recurrent], features: int, units: int, **options: Any) -> Recurrent:
    """Weights of the size that training leaves: gains of 1.5 on inputs and 1 on states."""
    gates = {Gru: 3, Lstm: 4, SimpleRnn: 1}[kind]
    gain = 1.5 * np.sqrt(2 / (features + units))
    return cell(
        kind,
        features=features,
        units=units,
        kernel=numbers(features, gates * units, scale=gain),
        recurrent_kernel=numbers(units, gates * units, scale=units**-0.5),
        bias=numbers(gates * units, scale=0.1),
        **options,
    )


def _assert_close(graph: Graph, *cases: Case, **options: str) -> Lowered:
    lowered = lower(quantize(graph, None, Scheme.DYNAMIC), metadata={}, **options)
    checked(lowered.content)
    opened = session(lowered.content)
    for case in cases or make_cases(graph):
        actual, expected = run(opened, case.inputs), reference.run(graph, case.inputs)
        for name, wanted in expected.items():
            assert actual[name].shape == wanted.shape
            error = float(np.abs(actual[name] - wanted).max(initial=0))
            scale = max(1.0, float(np.abs(wanted).max(initial=0)))
            assert error <= TOLERANCE * scale, f"{name} is off by {error:.3f} for {case.name}"
    return lowered


@FORMS
@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
@pytest.mark.parametrize("mask", [None, "carry", "zero"])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_a_recurrent_layer_is_close_to_float(
    kind: type[Recurrent], gru: str, mask: str | None, go_backwards: bool, return_sequences: bool
) -> None:
    if kind is not Gru and gru == "scan":
        return
    options: dict[str, Any] = {}
    if mask is not None:
        options |= {"source": "masked", "mask": "mask", "zero_output_for_mask": mask == "zero"}
    layer = cell(kind, return_sequences=return_sequences, go_backwards=go_backwards, **options)
    layers = [*masked_input(), layer] if mask else [layer]
    graph = graph_of(sequence(), *layers, outputs=[layer.output, *states_of(layer)])
    lowered = _assert_close(graph, gru=gru)
    integer = {Gru: "Scan" if gru == "scan" else "GRU", Lstm: "DynamicQuantizeLSTM"}
    assert integer.get(kind, "RNN") in operators(lowered)


@pytest.mark.parametrize(
    "options",
    [
        {"reset_after": False},
        {"bias": None, "recurrent_bias": None},
        {"bias": None},
        {"recurrent_activation": HARD_SIGMOID_KERAS3},
    ],
    ids=str,
)
@pytest.mark.parametrize("time", [None, 1])
def test_a_gru_of_integers_has_the_options_of_the_operator(
    options: dict[str, Any], time: int | None
) -> None:
    layer = cell(Gru, return_sequences=True, **options)
    graph = graph_of(sequence(time), layer, outputs=["rnn", "rnn.h"])
    lowered = _assert_close(graph, gru="scan")
    assert ("Scan" in operators(lowered)) == (time is None)
    assert "GRU" not in operators(lowered)


@FORMS
@pytest.mark.parametrize("kind", [Gru, Lstm])
def test_a_layer_like_a_trained_one_is_small_and_close(kind: type[Recurrent], gru: str) -> None:
    graph = graph_of(sequence(features=40), _trained(kind, 40, 128))
    case = Case(name="noise", inputs={"x": numbers(2, 100, 40, scale=1)})
    whole = lower(graph, metadata={})
    small = _assert_close(graph, case, gru=gru)
    assert len(small.content) <= 0.30 * len(whole.content)


@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
@pytest.mark.parametrize("choice", [{"lstm": "storage", "gru": "storage"}, {"profile": "portable"}])
def test_weights_in_the_storage_form_need_no_operator_of_one_runtime(
    kind: type[Recurrent], choice: dict[str, str]
) -> None:
    """What the file means is the float reference with the rounded weights, to float precision."""
    layers = [
        _trained(kind, 40, 320),
        Dense(name="d", input="rnn", output="d", kernel=numbers(320, 500), bias=None),
    ]
    original = graph_of(sequence(features=40), *layers)
    graph = quantize(original, None, Scheme.DYNAMIC)
    lowered = lower(graph, metadata={}, **choice)
    model = checked(lowered.content)
    assert [entry.domain for entry in model.opset_import] == [""]
    assert ("MatMulInteger" in operators(lowered)) == ("profile" not in choice)
    opened = session(lowered.content)
    tolerance = 1e-5 if "profile" in choice else TOLERANCE  # then Dense is a product of integers
    for case in make_cases(graph):
        actual, expected = run(opened, case.inputs), reference.run(graph, case.inputs)
        for name, wanted in expected.items():
            assert relative_error(actual[name], wanted) <= tolerance
    assert len(lowered.content) <= 0.30 * len(lower(original, metadata={}).content)


@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
def test_a_row_of_large_states_does_not_coarsen_the_others(kind: type[Recurrent]) -> None:
    """ONNX Runtime's int8 LSTM reads the states of all rows with one scale; relu has no bound."""
    graph = quantize(
        graph_of(sequence(), cell(kind, activation=RELU, return_sequences=True)),
        None,
        Scheme.DYNAMIC,
    )
    lowered = lower(graph, metadata={})
    quiet = numbers(1, 8, FEATURES, scale=0.3)
    x = np.concatenate([quiet, numbers(1, 8, FEATURES, seed=1, scale=300)])
    opened = session(lowered.content)
    (alone,), (beside,) = (run(opened, {"x": given}).values() for given in (quiet, x))
    np.testing.assert_allclose(beside[:1], alone, atol=1e-5)
    if kind is Lstm:
        assert "has no bound" in lowered.details["layer rnn"]


@pytest.mark.parametrize("kind", [Gru, Lstm])
def test_initial_states_enter(kind: type[Recurrent]) -> None:
    names = ["initial_h", "initial_c"] if kind is Lstm else ["initial_h"]
    inputs = [sequence(), *(floats(name, None, UNITS) for name in names)]
    options: dict[str, Any] = {name: name for name in names}
    layer = cell(kind, **options)
    graph = graph_of(inputs, layer, outputs=["rnn", *states_of(layer)])
    _assert_close(graph)


def test_a_state_from_elsewhere_is_not_read_as_bytes() -> None:
    """It may be outside of [-1, 1]; the file records the reason."""
    graph = graph_of([sequence(), floats("h", None, UNITS)], cell(Gru, initial_h="h"))
    lowered = _assert_close(graph, gru="scan")
    assert "Scan" not in operators(lowered)
    assert "may be outside" in lowered.details["layer rnn"]


def test_a_gru_without_bound_is_not_read_as_bytes() -> None:
    graph = graph_of(sequence(), cell(Gru, activation=RELU))
    lowered = lower(quantize(graph, None, Scheme.DYNAMIC), metadata={}, gru="scan")
    assert "activation relu has no bound" in lowered.details["layer rnn"]


@pytest.mark.parametrize(("units", "operator"), [(64, "GRU"), (320, "Scan")])
def test_the_form_of_a_gru_is_chosen_by_its_size_and_the_reason_told(
    units: int, operator: str
) -> None:
    graph = quantize(graph_of(sequence(), cell(Gru, units=units)), None, Scheme.DYNAMIC)
    lowered = lower(graph, metadata={})
    assert operator in operators(lowered)
    assert f"with {units} units" in lowered.details["layer rnn"]


def test_a_step_model_of_integers_equals_the_whole_one() -> None:
    graph = graph_of(sequence(), cell(Gru, source="x", units=32), outputs=["rnn"])
    small = quantize(graph, None, Scheme.DYNAMIC)
    whole = session(lower(small, metadata={}, gru="scan").content)
    step_graph = to_streaming(small)
    lowered = lower(step_graph, metadata={}, gru="scan")
    assert "MatMulInteger" in operators(lowered)
    step, x = session(lowered.content), numbers(1, 20, FEATURES)
    (state,) = step_graph.states
    assert isinstance(state, State)
    h = np.zeros((1, 32), np.float32)
    for time in range(x.shape[1]):
        answer = run(step, {"x": x[:, time : time + 1], state.input: h})
        h = answer[state.output]
    # The range of x is that of one step here, and of the whole sequence there.
    np.testing.assert_allclose(answer["rnn_out"], run(whole, {"x": x})["rnn_out"], atol=2e-3)


@pytest.mark.parametrize("dense", ["storage", "integer"])
@pytest.mark.parametrize("rank", [2, 3])
def test_dense(dense: str, rank: int) -> None:
    layer = Dense(
        name="dense", input="x", output="y", kernel=numbers(40, 30, scale=0.15), bias=numbers(30)
    )
    lowered = _assert_close(graph_of(floats("x", *[None] * (rank - 1), 40), layer), dense=dense)
    assert ("MatMulInteger" in operators(lowered)) == (dense == "integer")


_ENDS: dict[str, Any] = {"input": "rnn", "output": "moved"}


@pytest.mark.parametrize(
    "moving",
    [
        Upsample1D(name="moving", **_ENDS, times=2),
        ZeroPad1D(name="moving", **_ENDS, left=1, right=2),
        Reverse(name="moving", **_ENDS),
        Slice(name="moving", **_ENDS, axis=1, start=1),
        Pool1D(name="moving", **_ENDS, kind=PoolKind.MAX, window=2, stride=2),
        GlobalPool1D(name="moving", **_ENDS, kind=PoolKind.MAX),
        Concatenate(name="moving", inputs=("rnn", "rnn"), output="moved", axis=1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_numbers_that_were_only_moved_still_need_one_product_of_integers(moving: Layer) -> None:
    recurrent = cell(Gru, units=16, return_sequences=True)
    head = Dense(name="head", input="moved", output="y", kernel=numbers(16, 30), bias=numbers(30))
    lowered = _assert_close(
        graph_of(sequence(6), recurrent, moving, head), dense="integer", gru="storage"
    )
    assert operators(lowered).count("MatMulInteger") == 1


def test_outliers_do_not_coarsen_the_other_features() -> None:
    """Eight bits for 100 and for 0.1 would lose the latter: what is left over is read again."""
    layer = Dense(name="dense", input="x", output="y", kernel=numbers(8, 4), bias=None)
    graph = quantize(graph_of(floats("x", None, 8), layer), None, Scheme.DYNAMIC)
    x = np.array([[100, 0.1, -0.2, 0.3, 0.15, -0.1, 0.2, 0.05]], np.float32)
    opened = session(lower(graph, metadata={}, dense="integer").content)
    (actual,), (wanted,) = run(opened, {"x": x}).values(), reference.run(graph, {"x": x}).values()
    np.testing.assert_allclose(actual, wanted, atol=2e-3)


def test_convolutions_and_tables_are_stored_as_bytes() -> None:
    layers: list[Layer] = [
        Embedding(name="table", input="x", output="e", table=numbers(500, 32)),
        Conv1D(name="conv", input="e", output="y", kernel=numbers(3, 32, 64), bias=numbers(64)),
    ]
    graph = graph_of(tokens("x", None, None), *layers)
    whole, small = lower(graph, metadata={}), _assert_close(graph)
    assert len(small.content) <= 0.30 * len(whole.content)
    assert "ConvInteger" not in operators(small)  # slower than a convolution of floats


def test_no_dequantization_stands_in_front_of_an_operator() -> None:
    """ONNX Runtime would not fold it, and run it in each call."""
    layers = [
        cell(Gru, "gru", return_sequences=True),
        cell(Lstm, "lstm", "gru", features=UNITS),
        Dense(name="dense", input="lstm", output="y", kernel=numbers(UNITS, 4), bias=None),
    ]
    graph = quantize(graph_of(sequence(), *layers), None, Scheme.DYNAMIC)
    assert "DequantizeLinear" not in operators(lower(graph, metadata={}))


def test_layers_kept_in_float_stay_so() -> None:
    layers = [
        cell(Lstm, "kept", return_sequences=True),
        cell(Lstm, "small", "kept", features=UNITS),
    ]
    graph = quantize(graph_of(sequence(), *layers), None, Scheme.DYNAMIC, keep_float=["kept"])
    used = operators(lower(graph, metadata={}))
    assert used.count("LSTM") == used.count("DynamicQuantizeLSTM") == 1


def _stored(values: npt.NDArray[np.int64]) -> QTensor:
    scale = np.full(values.shape[1], 0.001, np.float32)
    return QTensor(values=values.astype(np.int8), scale=scale, axis=1)


def _sums_in_16_bits(activations: npt.NDArray[np.int64], weights: npt.NDArray[np.int64]) -> Any:
    """What x86's vpmaddubsw makes of a product of unsigned and signed bytes, two at a time."""
    products = activations[:, :, None] * weights[None]
    pairs = products[:, 0::2] + products[:, 1::2]
    return np.clip(pairs, -32768, 32767).sum(axis=1)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 127))
def test_weights_called_safe_never_saturate_where_vnni_is_missing(seed: int, largest: int) -> None:
    random = np.random.default_rng(seed)
    weights = random.integers(-largest, largest + 1, (8, 4))
    worst = np.where(weights > 0, 255, 0).T  # one row of activations for each column
    for activations in (worst, 255 - worst, random.integers(0, 256, (4, 8))):
        exact = activations @ weights
        if is_safe_signed(_stored(weights)):
            np.testing.assert_array_equal(_sums_in_16_bits(activations, weights), exact)


@pytest.mark.parametrize(("input_side", "state_side"), [(60, 60), (60, 100), (100, 60)])
def test_weights_that_might_saturate_are_stored_unsigned(input_side: int, state_side: int) -> None:
    """Both matrices of an LSTM have to be of one type."""
    layer = cell(Lstm, features=4, units=4)
    kernels = {
        "kernel": _stored(np.full((4, 16), input_side)),
        "recurrent_kernel": _stored(np.full((4, 16), state_side)),
    }
    graph = graph_of(sequence(features=4), replace(layer, **kernels))  # type: ignore[arg-type]
    lowered = lower(graph, metadata={})
    matrices = [t for t in checked(lowered.content).graph.initializer if list(t.dims) == [1, 4, 16]]
    is_safe = input_side == state_side
    expected = onnx.TensorProto.INT8 if is_safe else onnx.TensorProto.UINT8
    assert {tensor.data_type for tensor in matrices} == {expected}
    session(lowered.content)


@FORMS
@pytest.mark.parametrize("kind", [Gru, Lstm])
def test_weights_of_scheme_int8_are_close_too(kind: type[Recurrent], gru: str) -> None:
    layers: list[Layer] = [
        _trained(kind, FEATURES, 24, return_sequences=True),
        cell(kind, "above", "rnn", features=24),
        Dense(name="head", input="above", output="y", kernel=numbers(UNITS, 4), bias=numbers(4)),
    ]
    graph = graph_of(sequence(), *layers)
    ranges = calibrate(graph, {"x": numbers(16, 30, FEATURES, scale=1)})
    small = quantize(graph, ranges, Scheme.INT8)
    x = numbers(3, 30, FEATURES, seed=9, scale=1)
    opened = session(lower(small, metadata={}, gru=gru).content)
    actual, expected = run(opened, {"x": x}), reference.run(graph, {"x": x})
    np.testing.assert_allclose(actual["y_out"], expected["y_out"], atol=TOLERANCE)
