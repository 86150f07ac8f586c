"""The dynamic scheme multiplies in integers: docs/integer-arithmetic.md, section 11, in numpy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.errors import ModelFileError
from edgernn.export.keras.file import read_model
from edgernn.export.native import lower
from edgernn.export.native.records import Feature
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import LINEAR, RELU, Dense, Graph, Gru, Lstm, QTensor, SimpleRnn, State
from edgernn.runtime import Model, available_isas
from edgernn.scheme import Scheme
from tests.edgernn.runtime.models import cell, graph_of, numbers
from tests.edgernn.runtime.test_hostile_files import with_checksum
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN

ONE = np.float32(1)


def dynamic(graph: Graph) -> Graph:
    return quantize(graph, None, Scheme.DYNAMIC)


def multiplied(x: Any, weight: QTensor, bias: Any, *, are_states: bool) -> Any:
    """x [B, K] times weight [K, N], every operation as the document has it."""
    peak = np.abs(np.nan_to_num(x, nan=0)).max(axis=-1, keepdims=True).astype(np.float32)
    limit = np.float32(127 if are_states else min(32767, (2**31 - 1) // 127 // len(weight.values)))
    with np.errstate(divide="ignore"):
        reciprocal = np.where(peak < 1e-30, np.float32(0), limit / peak).astype(np.float32)
    scale = np.where(peak < 1e-30, np.float32(0), peak / limit).astype(np.float32)
    if are_states:
        reciprocal = np.where(peak <= 1, np.float32(128), reciprocal)
        scale = np.where(peak <= 1, np.float32(1 / 128), scale)
    q = np.rint(np.clip(np.nan_to_num(x * reciprocal, nan=0), -limit, limit)).astype(np.int64)
    sums = (q @ weight.values.astype(np.int64)).astype(np.float32)
    scaled = sums * weight.scale.astype(np.float32) * scale
    return scaled if bias is None else scaled + bias.astype(np.float32)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("features", [3, 40, 650])
def test_a_dense_layer_has_the_documented_bits(isa: str, features: int) -> None:
    rng = np.random.default_rng(features)
    layer = Dense(
        name="dense",
        input="x",
        output="y",
        kernel=numbers(rng, features, 21),
        bias=numbers(rng, 21),
        activation=LINEAR,
    )
    graph = dynamic(graph_of(layer, features=features))
    (written,) = graph.layers
    assert isinstance(written, Dense)
    assert isinstance(written.kernel, QTensor)
    x = numbers(rng, 3, 19, features) * np.exp(4 * numbers(rng, 3, 19, 1))
    x[0, 0], x[0, 1, 0], x[0, 2, 0] = 0, np.nan, 1e-35
    y = Model(lower(graph, metadata={}).content, isa=isa)(x)
    wanted = multiplied(x, written.kernel, written.bias, are_states=False)
    assert y.tobytes() == wanted.astype(np.float32).tobytes()


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_step_multiplies_states_in_bytes(kind: str) -> None:
    """One step from given states, some beyond 1: the integers are exact, the gates nearly so."""
    rng = np.random.default_rng(1)
    names = ["h", "c"] if kind == "lstm" else ["h"]
    options = {f"initial_{name}": f"{name}_in" for name in names}
    layer = cell(kind, rng, units=37, features=20, **options)
    states = tuple(State(input=f"{name}_in", output=f"{name}_out") for name in names)
    outputs = {f"{name}_out": f"cell.{name}" for name in names}
    graph = dynamic(graph_of(layer, features=20, states=states, **outputs))
    written = next(one for one in graph.layers if isinstance(one, Gru | Lstm))
    h = rng.uniform(-1, 1, (4, 37)).astype(np.float32)
    h[0] *= 3
    c = numbers(rng, 4, 37)
    x = numbers(rng, 4, 1, 20)
    given = {"h_in": h, "c_in": c} if kind == "lstm" else {"h_in": h}
    y = Model(lower(graph, metadata={}).content).run({"x": x, **given})["y"]
    assert isinstance(written.kernel, QTensor)
    assert isinstance(written.recurrent_kernel, QTensor)
    p = multiplied(x[:, 0], written.kernel, written.bias, are_states=False)
    bias = written.recurrent_bias if isinstance(written, Gru) else None
    r = multiplied(h, written.recurrent_kernel, bias, are_states=True)
    columns = [slice(37 * gate, 37 * (gate + 1)) for gate in range(len(written.GATES))]
    if isinstance(written, Gru):
        at = {gate: columns[written.GATES.index(gate)] for gate in written.GATES}
        z, reset = (sigmoid(p[:, at[gate]] + r[:, at[gate]]) for gate in ("z", "r"))
        n = np.tanh(p[:, at["h"]] + reset * r[:, at["h"]])
        wanted = z * h + (1 - z) * n
    else:
        at = {gate: columns[written.GATES.index(gate)] for gate in written.GATES}
        i, f, o = (sigmoid(p[:, at[gate]] + r[:, at[gate]]) for gate in ("i", "f", "o"))
        wanted = o * np.tanh(f * c + i * np.tanh(p[:, at["c"]] + r[:, at["c"]]))
    np.testing.assert_allclose(y, wanted, atol=2e-6)


@pytest.mark.parametrize("kind", ["gru", "gru before", "lstm", "rnn"])
def test_all_instruction_sets_give_the_same_bits(kind: str) -> None:
    rng = np.random.default_rng(2)
    for units, features in ((16, 5), (70, 130), (200, 64)):
        layer = cell(kind, rng, units=units, features=features, return_sequences=True)
        content = lower(dynamic(graph_of(layer, features=features)), metadata={}).content
        x = numbers(rng, 7, 40, features)
        wanted = Model(content, isa="portable")(x)
        for isa in available_isas():
            model = Model(content, isa=isa)
            assert model(x).tobytes() == wanted.tobytes(), isa
            alone = np.concatenate([model(x[i : i + 1]) for i in range(len(x))])
            assert alone.tobytes() == wanted.tobytes(), isa


@pytest.mark.parametrize("in_float", ["kernel", "recurrent_kernel"])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_one_of_a_cell_s_products_may_stay_in_float(kind: str, in_float: str) -> None:
    rng = np.random.default_rng(4)
    graph = dynamic(graph_of(cell(kind, rng, units=37, features=20), features=20))
    (layer,) = graph.layers
    weight = getattr(layer, in_float)
    assert isinstance(weight, QTensor)
    floats = (weight.values * weight.scale).astype(np.float32)
    changed: Any = {in_float: floats}
    mixed = replace(graph, layers=(replace(layer, **changed),))
    x = numbers(rng, 3, 9, 20)
    wanted = Model(lower(graph, metadata={}).content)(x)
    for isa in available_isas():
        y = Model(lower(mixed, metadata={}).content, isa=isa)(x)
        np.testing.assert_allclose(y, wanted, atol=0.02)  # states of 8 bits, or exact ones


def test_states_without_a_bound_stay_in_float() -> None:
    rng = np.random.default_rng(3)
    for activation, is_bounded in ((RELU, False), (None, True)):
        layer = cell("gru", rng, units=16, features=4)
        if activation:
            layer = replace(layer, activation=activation)
        content = lower(dynamic(graph_of(layer, features=4)), metadata={}).content
        constants = (
            int.from_bytes(content[36:40], "little"),
            int.from_bytes(content[40:44], "little"),
        )
        types = [content[constants[1] + 32 * i] for i in range(constants[0])]
        assert (3 in types) != is_bounded  # MATRIX_S8
        assert int.from_bytes(content[16:20], "little") & Feature.DYNAMIC


@pytest.mark.parametrize(
    ("name", "task"),
    [("digits_gru", "digits"), ("digits_lstm", "digits"), ("counter_lstm", "counter")],
)
def test_trained_models_keep_their_decisions(name: str, task: str) -> None:
    """On the test rows; the figures are in docs/integer-arithmetic.md."""
    splits = splits_of(task)
    graph = float_graph(read_model(GOLDEN / "trained" / f"{name}.keras").graph)
    x, y = splits.test.x, splits.test.y
    exact = Model(lower(graph, metadata={}).content)(x)
    ours = Model(lower(dynamic(graph), metadata={}).content)(x)
    same = (exact.argmax(-1) == ours.argmax(-1)).mean()
    drop = (exact.argmax(-1) == y).mean() - (ours.argmax(-1) == y).mean()
    assert same >= 0.997
    assert drop <= 0.002


@pytest.mark.parametrize("isa", available_isas())
def test_the_largest_states_and_weights_saturate_nothing(isa: str) -> None:
    """Products of bytes are added in pairs, and two of 127 * 127 are the most that 16 bits hold."""
    layer = cell("rnn", np.random.default_rng(3), units=33, features=2, initial_h="h_in")
    signs = np.where(np.random.default_rng(4).uniform(size=(33, 33)) < 0.5, -1, 1)
    layer = replace(layer, recurrent_kernel=(signs / 512).astype(np.float32))
    graph = dynamic(
        graph_of(layer, features=2, states=(State(input="h_in", output="h_out"),), h_out="cell.h")
    )
    written = graph.layers[0]
    assert isinstance(written, SimpleRnn)
    assert isinstance(written.kernel, QTensor)
    assert isinstance(written.recurrent_kernel, QTensor)
    assert (np.abs(written.recurrent_kernel.values) == 127).all()
    h = np.concatenate([signs, -signs, 0 * signs + 1]).astype(np.float32)
    x = np.zeros((len(h), 1, 2), np.float32)
    y = Model(lower(graph, metadata={}).content, isa=isa).run({"x": x, "h_in": h})["y"]
    p = multiplied(x[:, 0], written.kernel, written.bias, are_states=False)
    r = multiplied(h, written.recurrent_kernel, None, are_states=True)
    np.testing.assert_allclose(y, np.tanh(p + r), atol=2e-6)


@pytest.mark.skipif("avx2" not in available_isas(), reason="checked where AVX2 may run")
def test_a_weight_without_an_opposite_is_refused() -> None:
    """-128: AVX2 gives a weight the sign of a state.  No export writes it."""
    layer = cell("rnn", np.random.default_rng(3), units=64, features=2)
    layer = replace(layer, recurrent_kernel=np.full((64, 64), -1 / 512, np.float32))
    content = lower(dynamic(graph_of(layer, features=2)), metadata={}).content
    weights = content.index(bytes([0x81]) * 64 * 64)
    Model(content)
    for at in (0, 1, 2, 3, 64 * 64 - 1):
        hostile = bytearray(content)
        hostile[weights + at] = 0x80
        with pytest.raises(ModelFileError):
            Model(with_checksum(bytes(hostile)))
