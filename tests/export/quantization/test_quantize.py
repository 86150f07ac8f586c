"""What quantization keeps, changes and refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.errors import CalibrationError
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    RELU,
    Concatenate,
    Dense,
    DType,
    Embedding,
    Graph,
    Gru,
    Input,
    Lstm,
    Output,
    Pool1D,
    PoolKind,
    QTensor,
    Reverse,
    Slice,
    TensorSpec,
    as_float32,
)
from edgernn.reference import integer, run
from edgernn.scheme import Scheme

RNG = np.random.default_rng(3)


def weight(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


FEATURES, UNITS = 6, 10


def recurrent(kind: type[Gru | Lstm], name: str, source: str, features: int, **options: Any) -> Any:
    gates = len(kind.GATES)
    common = {
        "name": name,
        "input": source,
        "output": f"{name}_y",
        "state_h": f"{name}_h",
        "kernel": weight(features, gates * UNITS),
        "recurrent_kernel": 0.4 * weight(UNITS, gates * UNITS),
        "bias": weight(gates * UNITS),
        **options,
    }
    if kind is Gru:
        common["recurrent_bias"] = weight(gates * UNITS)
    if kind is Lstm:
        common["state_c"] = f"{name}_c"
    return kind(**common)


def stack(*layers: Any, output: str, features: int = FEATURES) -> Graph:
    return Graph(
        name="stack",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, features))),),
        layers=layers,
        outputs=(Output(name="y", edge=output),),
    )


def two_layers(**options: Any) -> Graph:
    return stack(
        recurrent(Gru, "gru", "x", FEATURES, return_sequences=True, **options),
        recurrent(Lstm, "lstm", "gru_y", UNITS),
        Dense(name="head", input="lstm_y", output="p", kernel=weight(UNITS, 3), bias=weight(3)),
        output="p",
    )


def data(rows: int = 40, gain: float = 1.0) -> dict[str, Any]:
    return {"x": gain * weight(rows, 8, FEATURES)}


def int8(graph: Graph, inputs: dict[str, Any] | None = None, **options: Any) -> Graph:
    return quantize(graph, calibrate(graph, inputs or data()), Scheme.INT8, **options)


def plan_of(graph: Graph, name: str) -> Any:
    assert graph.quantization is not None
    return graph.quantization.plans[name]


def test_dynamic_stores_matrices_as_int8_by_output_channel() -> None:
    graph = two_layers()
    quantized = quantize(graph, None, Scheme.DYNAMIC)
    assert quantized.quantization is None
    for before, after in zip(graph.layers, quantized.layers, strict=True):
        for name, stored in after.weights.items():
            exact = as_float32(before.weights[name])
            if exact.ndim == 1:
                np.testing.assert_array_equal(as_float32(stored), exact)
                continue
            assert isinstance(stored, QTensor)
            assert stored.axis == 1
            assert stored.values.dtype == np.int8
            assert np.abs(as_float32(stored) - exact).max() <= 0.501 * stored.scale.max()
            assert (np.abs(stored.values).max(axis=0) == 127).all()


def test_int8_without_ranges_is_refused_with_the_remedy() -> None:
    with pytest.raises(CalibrationError, match=r"--calibrate, or use --scheme dynamic"):
        quantize(two_layers(), None, Scheme.INT8)


def test_ranges_of_another_graph_are_refused() -> None:
    ranges = calibrate(two_layers(), data())
    with pytest.raises(CalibrationError, match="another model"):
        quantize(two_layers(), ranges, Scheme.INT8)


@pytest.mark.parametrize("option", ["keep_float", "accurate", "per_layer"])
def test_an_unknown_layer_is_refused_with_the_nearest_name(option) -> None:
    named: Any = {"lstn": Scheme.DYNAMIC} if option == "per_layer" else ["lstn"]
    graph = two_layers()
    with pytest.raises(CalibrationError, match=r"no layer 'lstn'. Did you mean 'lstm'\?"):
        int8(graph, **{option: named})
    with pytest.raises(CalibrationError, match=r"Its layers are gru, lstm, head"):
        quantize(graph, None, Scheme.DYNAMIC, keep_float=["?"])


def test_layers_can_be_kept_in_float_or_given_another_scheme() -> None:
    graph = two_layers()
    quantized = int8(graph, keep_float=["lstm"], per_layer={"head": Scheme.DYNAMIC})
    assert quantized.quantization is not None
    assert set(quantized.quantization.plans) == {"gru"}
    gru, lstm, head = quantized.layers
    assert lstm is graph.layers[1]
    assert isinstance(head.weights["kernel"], QTensor)
    assert isinstance(gru.weights["kernel"], QTensor)


def test_real_data_are_read_with_16_bits_and_states_with_8() -> None:
    quantized = int8(two_layers())
    first, second = plan_of(quantized, "gru").reading, plan_of(quantized, "lstm").reading
    assert (first.bits, first.from_state) == (16, False)
    assert (second.bits, second.from_state, second.scale) == (8, True, 1 / 128)
    assert plan_of(quantized, "head").reading == second


def test_accurate_layers_read_and_recur_with_16_bits() -> None:
    plan = plan_of(int8(two_layers(), accurate=["lstm"]), "lstm")
    assert (plan.reading.bits, plan.reading.from_state, plan.state_bits) == (16, True, 16)


def test_weights_are_stored_once_in_the_layers_own_signs() -> None:
    quantized = int8(two_layers())
    for name, negated in (("gru", 0), ("lstm", 1)):
        plan = plan_of(quantized, name)
        layer = next(layer for layer in quantized.layers if layer.name == name)
        signs = np.ones(plan.input.weights.shape[1])
        signs[negated * UNITS : (negated + 1) * UNITS] = -1
        for field, product in (("kernel", plan.input), ("recurrent_kernel", plan.recurrent)):
            stored = layer.weights[field]
            assert isinstance(stored, QTensor)
            np.testing.assert_array_equal(stored.values * signs, product.weights)


def test_products_of_8_bits_are_safe_in_pairs() -> None:
    quantized = int8(two_layers())
    assert plan_of(quantized, "lstm").input.pairs_safe
    assert plan_of(quantized, "lstm").recurrent.pairs_safe
    assert plan_of(quantized, "gru").recurrent.pairs_safe
    assert plan_of(quantized, "head").product.pairs_safe


def test_nothing_is_clamped_on_the_calibration_data() -> None:
    """Even where a small column meets a large bias, which would pass ±8 otherwise."""
    graph = two_layers()
    gru = graph.layers[0]
    assert isinstance(gru, Gru)
    loud = as_float32(gru.bias if gru.bias is not None else weight(1)) + np.float32(4)
    graph = replace(graph, layers=(replace(gru, bias=loud), *graph.layers[1:]))
    inputs = data(gain=0.7)
    clamped: dict[tuple[str, str], int] = {}

    def observe(layer: str, where: str, count: int, _total: int) -> None:
        clamped[layer, where] = clamped.get((layer, where), 0) + count

    integer.execute(int8(graph, inputs), inputs, observe=observe)
    assert clamped
    assert not any(clamped.values())


def test_sums_of_a_long_input_fit_because_the_input_gets_fewer_steps() -> None:
    kernel = np.full((6000, 2), 0.01, np.float32)
    graph = Graph(
        name="long",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 6000))),),
        layers=(Dense(name="d", input="x", output="y", kernel=kernel, bias=None),),
        outputs=(Output(name="y", edge="y"),),
    )
    x = np.ones((200, 6000), np.float32)
    quantized = int8(graph, {"x": x * np.linspace(0.9, 1.0, 200, dtype=np.float32)[:, None]})
    reading = plan_of(quantized, "d").reading
    assert 2000 < reading.limit < 32767
    np.testing.assert_allclose(integer.run(quantized, {"x": 2 * x})["y"], 120, rtol=1e-3)


def test_each_row_of_an_embedding_has_a_scale_of_its_own() -> None:
    table = 0.1 * weight(20, FEATURES)
    table[3] *= 0.001  # beside the others, a scale for all rounds this row to zeros
    table[4] = 0.0
    lookup = Embedding(name="words", input="tokens", output="x", table=table)
    gru = recurrent(Gru, "gru", "x", FEATURES)
    graph = Graph(
        name="text",
        inputs=(Input(name="tokens", spec=TensorSpec(shape=(None, None), dtype=DType.INT32)),),
        layers=(lookup, gru),
        outputs=(Output(name="y", edge="gru_y"),),
    )
    tokens = RNG.integers(0, 20, (30, 7)).astype(np.int32)
    quantized = int8(graph, {"tokens": tokens})
    stored = quantized.layers[0].weights["table"]
    assert isinstance(stored, QTensor)
    assert stored.axis == 0
    embedded = integer.execute(quantized, {"tokens": tokens})["x"]
    off = np.abs(embedded - table[tokens]).max(axis=-1)
    assert (off <= 0.5001 / 127 * np.abs(table).max(axis=1)[tokens]).all()


@pytest.mark.parametrize("between", ["reverse", "slice", "pool", "concatenate"])
def test_states_are_known_behind_layers_that_only_move_them(between) -> None:
    forward = recurrent(Gru, "gru", "x", FEATURES, return_sequences=True)
    match between:
        case "reverse":
            move: Any = Reverse(name="move", input="gru_y", output="m")
        case "slice":
            move = Slice(name="move", input="gru_y", output="m", axis=1, start=2)
        case "pool":
            move = Pool1D(
                name="move", input="gru_y", output="m", kind=PoolKind.MAX, window=2, stride=2
            )
        case _:
            move = Concatenate(name="move", inputs=("gru_y", "gru_y"), output="m")
    features = 2 * UNITS if between == "concatenate" else UNITS
    graph = stack(forward, move, recurrent(Lstm, "lstm", "m", features), output="lstm_y")
    assert plan_of(int8(graph), "lstm").reading.from_state


def test_a_mix_of_states_and_data_is_read_with_16_bits() -> None:
    forward = recurrent(Gru, "gru", "x", FEATURES, return_sequences=True)
    mix = Concatenate(name="mix", inputs=("gru_y", "x"), output="m")
    last = recurrent(Lstm, "lstm", "m", UNITS + FEATURES)
    reading = plan_of(int8(stack(forward, mix, last, output="lstm_y")), "lstm").reading
    assert (reading.bits, reading.from_state) == (16, False)


def test_a_recurrent_layer_without_integer_form_computes_in_float_and_says_so() -> None:
    graph = two_layers(activation=RELU)
    quantized = int8(graph)
    assert quantized.quantization is not None
    assert quantized.quantization.notes == (
        "layer 'gru' computes in float32: its activation is relu, not tanh",
    )
    assert set(quantized.quantization.plans) == {"lstm", "head"}
    assert isinstance(quantized.layers[0].weights["kernel"], QTensor)
    assert plan_of(quantized, "lstm").reading.bits == 16


def test_huge_weights_recur_with_16_bits() -> None:
    layer = recurrent(Lstm, "lstm", "x", FEATURES)
    layer = replace(layer, recurrent_kernel=30 * as_float32(layer.recurrent_kernel))
    assert plan_of(int8(stack(layer, output="lstm_y")), "lstm").state_bits == 16


def test_a_given_cell_counts_for_the_exponents() -> None:
    layer = recurrent(Lstm, "lstm", "x", FEATURES)
    closed = np.repeat(
        np.array([0, -30, 0, 0], np.float32), UNITS
    )  # forgets what it is given at once
    layer = replace(layer, bias=closed, initial_h="h0", initial_c="c0")
    state = TensorSpec(shape=(None, UNITS))
    graph = Graph(
        name="decoder",
        inputs=(
            Input(name="x", spec=TensorSpec(shape=(None, None, FEATURES))),
            Input(name="h0", spec=state),
            Input(name="c0", spec=state),
        ),
        layers=(layer,),
        outputs=(Output(name="y", edge="lstm_y"),),
    )
    inputs = {**data(), "h0": np.zeros((40, UNITS), np.float32), "c0": 50 * weight(40, UNITS)}
    exponents = plan_of(int8(graph, inputs), "lstm").cell_exponent
    np.testing.assert_array_equal(
        exponents, np.ceil(np.log2(1.25 * np.abs(inputs["c0"]).max(axis=0)))
    )


@pytest.mark.parametrize(("largest", "is_integer"), [(1.0, True), (1.5, False)])
def test_a_layer_that_starts_from_a_large_state_computes_in_float(
    largest: float, is_integer: bool
) -> None:
    """A state of integers ends at 1; a Dense layer in front of a decoder may give more."""
    layer = replace(recurrent(Gru, "gru", "x", FEATURES), initial_h="h0")
    graph = Graph(
        name="decoder",
        inputs=(
            Input(name="x", spec=TensorSpec(shape=(None, None, FEATURES))),
            Input(name="h0", spec=TensorSpec(shape=(None, UNITS))),
        ),
        layers=(layer,),
        outputs=(Output(name="y", edge="gru_y"),),
    )
    inputs = {**data(), "h0": np.full((40, UNITS), -largest, np.float32)}
    small = int8(graph, inputs)
    assert small.quantization is not None
    assert ("gru" in small.quantization.plans) == is_integer
    if not is_integer:
        assert "starts from a state of up to 1.5" in small.quantization.notes[0]
    np.testing.assert_allclose(
        integer.run(small, inputs)["y"], run(graph, inputs)["y"], atol=0.05, rtol=0
    )


def test_weights_and_features_of_zeros_are_no_trouble() -> None:
    layer = recurrent(Lstm, "lstm", "x", FEATURES)
    layer = replace(layer, kernel=np.zeros_like(as_float32(layer.kernel)), bias=None)
    graph = stack(layer, output="lstm_y")
    inputs = {"x": np.zeros((8, 5, FEATURES), np.float32)}
    inputs["x"][..., 0] = np.linspace(-1, 1, 8)[:, None]
    np.testing.assert_array_equal(integer.run(int8(graph, inputs), inputs)["y"], 0)


def test_int8_layers_that_share_an_array_share_its_integers() -> None:
    shared = recurrent(Gru, "first", "x", FEATURES)
    again = replace(shared, name="second", output="b", state_h="bh")
    graph = stack(
        shared, again, Concatenate(name="c", inputs=("first_y", "b"), output="y"), output="y"
    )
    first, second, _ = int8(graph).layers
    assert first.weights["kernel"] is second.weights["kernel"]
    assert first.weights["recurrent_kernel"] is second.weights["recurrent_kernel"]


def test_a_state_is_read_with_eight_bits_if_each_column_of_the_matrix_allows_it() -> None:
    """Neighbours in a column cancel here; those in a row would not."""
    signs = np.where(np.arange(UNITS) % 2, -1.0, 1.0)[:, None]
    kernel = (6.0 * signs * np.ones((UNITS, 3))).astype(np.float32)
    graph = stack(
        recurrent(Gru, "gru", "x", FEATURES),
        Dense(name="head", input="gru_y", output="p", kernel=kernel, bias=weight(3)),
        output="p",
    )
    made = int8(graph)
    assert made.quantization is not None
    assert made.quantization.plans["head"].reading.bits == 8
