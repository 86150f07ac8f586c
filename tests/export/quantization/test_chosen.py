"""What a Where does not choose is neither refused nor calibrated for: logarithms behind a guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from edgernn.errors import CalibrationError
from edgernn.export.in_scheme import quantized
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.chosen import read_elements
from edgernn.export.quantization.headroom import beyond
from edgernn.export.request import Request
from edgernn.export.tflite.builder import Model, Quantization
from edgernn.export.tflite.int8_activation import looked_up
from edgernn.export.tflite.schema import TensorType
from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    Affine,
    CalibrationMethod,
    Compare,
    CompareKind,
    Concatenate,
    Dense,
    DType,
    Graph,
    Input,
    Layer,
    Lstm,
    Merge,
    MergeKind,
    Output,
    Reverse,
    Slice,
    TensorSpec,
    Where,
)
from edgernn.reference import execute, run
from edgernn.scheme import Scheme
from tests.formats import RUN
from tests.zoo.runtimes import open_session

STEPS, FEATURES, UNITS = 6, 4, 12
LOG, SQRT = ActivationKind.LOGARITHM, ActivationKind.SQRT


def rows(count: int = 48, seed: int = 3) -> Any:
    """Numbers around zero: of half of them there is no logarithm, and of some none but infinity."""
    x = np.random.default_rng(seed).normal(size=(count, STEPS, FEATURES)).astype(np.float32)
    x[np.abs(x) < 0.05] = 0.0
    return x


def graph_of(*layers: Layer, output: str) -> Graph:
    return Graph(
        name="guarded",
        inputs=(
            Input(name="x", spec=TensorSpec(shape=(None, STEPS, FEATURES), dtype=DType.FLOAT32)),
        ),
        outputs=(Output(name="out", edge=output),),
        layers=layers,
    )


def above(edge: str, end: float, output: str) -> Compare:
    return Compare(name=output, input=edge, output=output, kind=CompareKind.GREATER, value=end)


def function(kind: ActivationKind, edge: str, output: str) -> Activate:
    return Activate(name=output, input=edge, output=output, activation=Activation(kind=kind))


def where(condition: str, then: str, otherwise: str, output: str) -> Where:
    return Where(name=output, condition=condition, then=then, otherwise=otherwise, output=output)


def guarded_log(*more: Layer, output: str = "chosen") -> Graph:
    """where(x > 0.1, log(x), x), and what follows."""
    return graph_of(
        above("x", 0.1, "is_above"),
        function(LOG, "x", "log"),
        where("is_above", "log", "x", "chosen"),
        *more,
        output=output,
    )


def test_a_where_reads_the_branch_that_it_chooses():
    graph, x = guarded_log(), rows(8)
    read = read_elements(graph, execute(graph, {"x": x}))
    assert read.keys() == {"log"}  # the condition reads all of x
    assert (read["log"] == (x > 0.1)).all()


def test_elements_that_move_are_read_where_they_came_from():
    first = Slice(name="first", input="chosen", output="first", axis=1, start=0, stop=2)
    graph, x = guarded_log(first, output="first"), rows(8)
    read = read_elements(graph, execute(graph, {"x": x}))
    assert (read["log"][:, :2] == (x > 0.1)[:, :2]).all()
    assert not read["log"][:, 2:].any()
    assert not read["chosen"][:, 2:].any()

    backwards = Reverse(name="backwards", input="log", output="backwards")
    both = Concatenate(name="both", inputs=("backwards", "log"), output="both", axis=2)
    wide = Concatenate(name="wide", inputs=("x", "x"), output="wide", axis=2)
    graph = graph_of(
        function(LOG, "x", "log"), backwards, both, wide, above("wide", 0.1, "is_above"),
        where("is_above", "both", "wide", "chosen"), output="chosen",
    )  # fmt: skip
    read = read_elements(graph, execute(graph, {"x": x}))
    assert (read["log"] == ((x > 0.1) | (x > 0.1)[:, ::-1])).all()


def test_what_is_broadcast_is_read_where_any_of_it_is():
    first = Slice(name="first", input="x", output="first", axis=2, start=0, stop=1)
    graph = graph_of(
        first, function(LOG, "first", "log"), above("x", 1.0, "is_above"),
        where("is_above", "log", "x", "chosen"), output="chosen",
    )  # fmt: skip
    x = rows(8)
    read = read_elements(graph, execute(graph, {"x": x}))
    assert (read["log"] == (x > 1.0).any(axis=2, keepdims=True)).all()


def test_a_layer_that_mixes_elements_reads_them_all():
    mixing = Dense(
        name="mixing",
        input="log",
        output="mixed",
        kernel=np.eye(FEATURES, dtype=np.float32),
        bias=None,
    )
    graph = graph_of(
        above("x", 0.1, "is_above"), function(LOG, "x", "log"), mixing,
        where("is_above", "mixed", "x", "chosen"), output="chosen",
    )  # fmt: skip
    with pytest.raises(CalibrationError, match="layer 'log' returns NaN or infinity"):
        calibrate(graph, {"x": rows()})


@pytest.mark.parametrize("method", list(CalibrationMethod))
def test_ranges_are_of_what_is_chosen(method: CalibrationMethod):
    graph, x = guarded_log(), rows()
    x[0, 0, 0] = 1e-30  # of which the logarithm is -69, and not chosen
    ranges = calibrate(graph, {"x": x}, method=method)
    log = np.log(x[x > 0.1])
    found = ranges.edges["log"]
    assert found.low == pytest.approx(log.min(), abs=0.2)
    assert found.high == pytest.approx(log.max(), abs=0.2)
    assert found.mean == pytest.approx(log.mean(), rel=1e-4)
    assert found.channel_low.min() == pytest.approx(log.min())
    said = " ".join(beyond(graph, ranges, {"x": x}))
    assert not any(number in said for number in ("nan", "-inf", "-69"))


def test_a_branch_that_is_never_chosen_has_the_range_of_its_finite_numbers():
    graph = graph_of(
        above("x", 100.0, "is_above"), function(SQRT, "x", "root"),
        where("is_above", "root", "x", "chosen"), output="chosen",
    )  # fmt: skip
    x = rows()
    found = calibrate(graph, {"x": x}).edges["root"]
    assert found.low == 0.0
    assert found.high == pytest.approx(np.sqrt(x.max()))


def test_an_element_that_is_chosen_is_refused_as_before():
    graph, x = guarded_log(), rows()
    graph = graph_of(
        above("x", -0.5, "is_above"), *graph.layers[1:], output="chosen"
    )  # between -0.5 and 0 the logarithm is chosen
    with pytest.raises(CalibrationError, match="layer 'log' returns NaN or infinity"):
        calibrate(graph, {"x": x})


def quotient() -> list[Layer]:
    """where(x[:, :, :1] > 0.1, x / relu(x[:, :, :1]), zeros): one divisor for all features."""
    return [
        Slice(name="first", input="x", output="first", axis=2, start=0, stop=1),
        function(ActivationKind.RELU, "first", "divisor"),
        function(ActivationKind.RECIPROCAL, "divisor", "inverse"),
        Merge(
            name="quotient", inputs=("x", "inverse"), output="quotient", kind=MergeKind.MULTIPLY
        ),
        above("first", 0.1, "is_above"),
        Affine(
            name="zeros", input="x", output="zeros", scale=np.zeros(FEATURES, np.float32),
            offset=np.zeros(FEATURES, np.float32),
        ),
        where("is_above", "quotient", "zeros", "chosen"),
    ]  # fmt: skip


def nested() -> list[Layer]:
    """log above, the root of what is turned below, and x between."""
    turned = Affine(
        name="turned", input="x", output="turned", scale=np.full(FEATURES, -1, np.float32),
        offset=np.zeros(FEATURES, np.float32),
    )  # fmt: skip
    return [
        turned,
        function(LOG, "x", "log"),
        function(SQRT, "turned", "root"),
        above("x", 0.1, "is_above"),
        above("turned", 0.1, "is_below"),
        where("is_below", "root", "x", "other"),
        where("is_above", "log", "other", "chosen"),
    ]


GUARDS: Final[dict[str, Callable[[], list[Layer]]]] = {
    "log": lambda: list(guarded_log().layers),
    "quotient": quotient,
    "nested": nested,
}


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("scheme", [Scheme.INT8, Scheme.DYNAMIC], ids=lambda scheme: scheme.value)
def test_every_format_answers_in_few_bits_what_floats_do(guard: str, scheme: Scheme):
    rng = np.random.default_rng(5)
    kernel, recurrent, bias = (
        rng.normal(0, 0.4, shape).astype(np.float32)
        for shape in ((FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))
    )
    cell = Lstm(
        name="lstm", input="chosen", output="last",
        kernel=kernel, recurrent_kernel=recurrent, bias=bias, state_h="h", state_c="c",
    )  # fmt: skip
    graph = graph_of(*GUARDS[guard](), cell, output="last")
    seen, fresh = {"x": rows()}, {"x": rows(16, seed=4)}
    request = Request(scheme=scheme, ranges=calibrate(graph, seen))
    wanted = run(graph, fresh)["out"]
    for target in RUN:
        given = open_session(target, quantized(graph, request, target))(fresh)["out"]
        most = 0.08 if target == "tflite" else 0.02  # its reciprocals are a table of 256 numbers
        assert np.abs(given - wanted).mean() < most * wanted.std(), target


def test_a_table_has_a_number_where_a_function_has_none():
    model = Model()
    graph = model.subgraph()
    read = Quantization(scale=np.array([0.02], np.float32))
    written = Quantization(scale=np.array([0.05], np.float32), zero_point=30)
    x = graph.tensor((1, 4), TensorType.INT8, quantization=read)
    looked_up(graph, Activation(kind=LOG), x, written)
    (table,) = (one for one in model.buffers if np.size(one) == 256)
    assert (table[:128] == 30).all()  # of a number below zero there is no logarithm: 0
    assert table[128] == -128  # of zero it is the least there is
    assert table[178] == 30  # log(1)
