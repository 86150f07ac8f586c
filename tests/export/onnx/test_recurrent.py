"""GRU, LSTM and SimpleRNN in every option."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx import lower
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    LINEAR,
    RELU,
    SIGMOID,
    TANH,
    Activation,
    ActivationKind,
    Concatenate,
    Graph,
    Gru,
    Layer,
    Lstm,
    Recurrent,
    Reverse,
    SimpleRnn,
    at_shapes,
)
from edgernn.scheme import Scheme
from tests.export.onnx.agreement import assert_agrees, operators
from tests.export.onnx.models import (
    FEATURES,
    UNITS,
    cell,
    floats,
    graph_of,
    masked_input,
    sequence,
    states_of,
)

OPERATOR = {Gru: "GRU", Lstm: "LSTM", SimpleRnn: "RNN"}
CELLS = {*OPERATOR.values(), "DynamicQuantizeLSTM"}
KINDS = pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])

_EXPRESSIBLE = [
    LINEAR,
    RELU,
    SIGMOID,
    TANH,
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    Activation(kind=ActivationKind.SOFTSIGN),
    Activation(kind=ActivationKind.SOFTPLUS),
    Activation(kind=ActivationKind.ELU, alpha=0.7),
    Activation(kind=ActivationKind.RELU, alpha=0.2),
    Activation(kind=ActivationKind.RELU, beta=0.1),
]


@KINDS
@pytest.mark.parametrize("mask", [None, "carry", "zero"])
@pytest.mark.parametrize("time", [None, 1])
@pytest.mark.parametrize(
    ("return_sequences", "go_backwards", "has_initial_state"),
    list(product([False, True], repeat=3)),
)
def test_output_and_states_are_those_of_the_reference(
    kind: type[Recurrent],
    mask: str | None,
    time: int | None,
    return_sequences: bool,
    go_backwards: bool,
    has_initial_state: bool,
) -> None:
    inputs = [sequence(time)]
    options: dict[str, Any] = {}
    if has_initial_state:
        names = ["initial_h", "initial_c"] if kind is Lstm else ["initial_h"]
        inputs += [floats(name, None, UNITS) for name in names]
        options |= {name: name for name in names}
    if mask is not None:
        options |= {"source": "masked", "mask": "mask", "zero_output_for_mask": mask == "zero"}
    layer = cell(kind, return_sequences=return_sequences, go_backwards=go_backwards, **options)
    layers = [*masked_input(), layer] if mask else [layer]
    assert_agrees(graph_of(inputs, *layers, outputs=[layer.output, *states_of(layer)]))


@KINDS
@pytest.mark.parametrize("activation", _EXPRESSIBLE, ids=str)
def test_activations_that_the_operator_has_are_its_own(
    kind: type[Recurrent], activation: Activation
) -> None:
    layer = cell(kind, activation=activation, return_sequences=True)
    assert_agrees(graph_of(sequence(), layer))


@pytest.mark.parametrize("kind", [Gru, Lstm])
@pytest.mark.parametrize("activation", _EXPRESSIBLE, ids=str)
@pytest.mark.parametrize("inner", [TANH, Activation(kind=ActivationKind.RELU, alpha=0.3)], ids=str)
def test_gates_may_have_another_activation_than_the_candidate(
    kind: type[Recurrent], activation: Activation, inner: Activation
) -> None:
    layer = cell(kind, recurrent_activation=activation, activation=inner)
    assert_agrees(graph_of(sequence(time=4), layer))


@KINDS
@pytest.mark.parametrize(
    "activation",
    [
        Activation(kind=ActivationKind.GELU),
        Activation(kind=ActivationKind.SELU),
        Activation(kind=ActivationKind.SOFTMAX),
        Activation(kind=ActivationKind.RELU, max_value=0.8),
    ],
    ids=str,
)
@pytest.mark.parametrize("time", [None, 1])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("mask", [False, True])
def test_an_activation_that_the_operator_lacks_runs_step_by_step(
    kind: type[Recurrent], activation: Activation, time: int | None, go_backwards: bool, mask: bool
) -> None:
    options: dict[str, Any] = {"source": "masked", "mask": "mask"} if mask else {}
    layer = cell(
        kind, activation=activation, return_sequences=True, go_backwards=go_backwards, **options
    )
    layers = [*(masked_input() if mask else []), layer]
    graph = graph_of(sequence(time), *layers, outputs=["rnn", *states_of(layer)])
    lowered = assert_agrees(graph)
    assert not {"GRU", "LSTM", "RNN", "Loop"} & set(operators(lowered))
    assert "lacks its activation" in lowered.details["layer rnn"]


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("reset_after", [False, True])
def test_a_gru_step_by_step_has_all_options(has_bias: bool, reset_after: bool) -> None:
    options: dict[str, Any] = {} if has_bias else {"bias": None, "recurrent_bias": None}
    layer = cell(
        Gru,
        activation=Activation(kind=ActivationKind.MISH),
        recurrent_activation=HARD_SIGMOID_KERAS2,
        reset_after=reset_after,
        initial_h="h",
        **options,
    )
    assert_agrees(graph_of([sequence(), floats("h", None, UNITS)], layer))


@KINDS
def test_a_stateful_layer_is_refused_until_its_states_are_exposed(kind: type[Recurrent]) -> None:
    with pytest.raises(UnsupportedLayer, match="expose_states"):
        lower(graph_of(sequence(), cell(kind, stateful=True)), metadata={})


@pytest.mark.parametrize("has_bias", [False, True])
def test_a_gru_that_resets_before_the_product(has_bias: bool) -> None:
    options: dict[str, Any] = {} if has_bias else {"bias": None}
    layer = cell(Gru, reset_after=False, return_sequences=True, **options)
    assert_agrees(graph_of(sequence(), layer))


@KINDS
def test_a_layer_without_bias(kind: type[Recurrent]) -> None:
    options: dict[str, Any] = {"recurrent_bias": None} if kind is Gru else {}
    assert_agrees(graph_of(sequence(), cell(kind, bias=None, **options)))


@KINDS
def test_a_layer_whose_result_nobody_reads_is_left_out(kind: type[Recurrent]) -> None:
    dead, alive = cell(kind, "dead"), cell(kind, "alive")
    lowered = assert_agrees(graph_of(sequence(), dead, alive))
    assert operators(lowered).count({Gru: "GRU", Lstm: "LSTM", SimpleRnn: "RNN"}[kind]) == 1


def test_recurrent_layers_in_a_row_stay_time_first() -> None:
    layers = [
        cell(Gru, "a", return_sequences=True),
        cell(Lstm, "b", "a", features=UNITS, return_sequences=True),
        cell(SimpleRnn, "c", "b", features=UNITS),
    ]
    lowered = assert_agrees(graph_of(sequence(), *layers))
    assert operators(lowered).count("Transpose") == 1


@pytest.mark.parametrize("back_kind", [Gru, Lstm])
def test_a_bidirectional_stack_reverses_nothing(back_kind: type[Recurrent]) -> None:
    layers: list[Layer] = []
    source, features = "x", FEATURES
    for depth in ("a", "b"):
        there = cell(Gru, f"{depth}1", source, features=features, return_sequences=True)
        back = cell(
            back_kind,
            f"{depth}2",
            source,
            features=features,
            return_sequences=True,
            go_backwards=True,
        )
        layers += [
            there,
            back,
            Reverse(name=f"{depth}3", input=back.output, output=f"{depth}3"),
            Concatenate(name=depth, inputs=(there.output, f"{depth}3"), output=depth),
        ]
        source, features = depth, 2 * UNITS
    lowered = assert_agrees(graph_of(sequence(), *layers))
    assert "Slice" not in operators(lowered)
    assert operators(lowered).count("Transpose") == 2
    assert sum(name in CELLS for name in operators(lowered)) == (2 if back_kind is Gru else 4)


def _halves(
    kind: type[Recurrent],
    *,
    back: dict[str, Any] | None = None,
    states_too: bool = True,
    **options: Any,
) -> Graph:
    """Two layers that read x from both ends; their outputs, and final states."""
    states = [f"{name}_{end}" for end in ("there", "back") for name in ("h", "c")[: _states(kind)]]
    initial = options.pop("initial", False)

    def half(end: str, **more: Any) -> Recurrent:
        names = ("h", "c")[: _states(kind)]
        given: dict[str, Any] = (
            {f"initial_{name}": f"{name}_{end}" for name in names} if initial else {}
        )
        return cell(kind, end, seed=len(end), **given, **{**options, **more})

    there, again = half("there"), half("back", go_backwards=True, **(back or {}))
    inputs = [sequence(), *(floats(name, None, UNITS) for name in states if initial)]
    final = [*states_of(there), *states_of(again)] if states_too else []
    return graph_of(inputs, there, again, outputs=[there.output, again.output, *final])


def _states(kind: type[Recurrent]) -> int:
    return 2 if kind is Lstm else 1


@KINDS
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize(
    ("activation", "scheme"),
    [
        (TANH, Scheme.FLOAT32),
        (HARD_SIGMOID_KERAS2, Scheme.FLOAT32),
        (RELU, Scheme.FLOAT16),
        (TANH, Scheme.DYNAMIC),
    ],
)
def test_halves_that_agree_are_one_operator(
    kind: type[Recurrent], sequences: bool, initial: bool, activation: Activation, scheme: Scheme
) -> None:
    """OpenCV 5.0 is wrong with two operators, one of them reversed."""
    graph = _halves(
        kind,
        return_sequences=sequences,
        initial=initial,
        activation=activation,
        states_too=initial,
    )
    if scheme is not Scheme.FLOAT32:
        graph = quantize(graph, None, scheme)
    is_integer = scheme is Scheme.DYNAMIC and kind is Lstm
    lowered = assert_agrees(graph, tolerance=0.05 if is_integer else 1e-5)
    cells = [name for name in operators(lowered) if name in CELLS]
    assert cells == ["DynamicQuantizeLSTM" if is_integer else OPERATOR[kind]]


@pytest.mark.parametrize("steps", [1, 4])
@KINDS
def test_one_half_may_be_wanted_at_each_step_and_the_other_at_the_end(
    kind: type[Recurrent], steps: int
) -> None:
    graph = _halves(kind, return_sequences=True, back={"return_sequences": False})
    graph = at_shapes(graph, {"x": (None, steps, FEATURES)})
    assert sum(name in CELLS for name in operators(assert_agrees(graph))) == 1


@pytest.mark.parametrize(
    "unlike",
    [
        {"activation": RELU},
        {"recurrent_activation": HARD_SIGMOID_KERAS2},
        {"units": UNITS + 1},
        {"bias": None, "recurrent_bias": None},
        {"reset_after": False, "recurrent_bias": None},
    ],
    ids=str,
)
def test_halves_that_disagree_are_two_operators(unlike: dict[str, Any]) -> None:
    lowered = assert_agrees(_halves(Gru, back=unlike, return_sequences=True))
    assert sum(name in CELLS for name in operators(lowered)) == 2


def test_a_half_that_starts_from_the_other_s_state_waits_for_it() -> None:
    there = cell(Gru, "there")
    back = cell(Gru, "back", go_backwards=True, initial_h=there.state_h)
    lowered = assert_agrees(graph_of(sequence(), there, back, outputs=["there", "back"]))
    assert operators(lowered).count("GRU") == 2


def test_a_reversed_layer_reads_a_reversed_sequence_from_the_other_end() -> None:
    layers = [
        cell(Gru, "a", return_sequences=True, go_backwards=True),
        cell(Gru, "b", "a", features=UNITS, return_sequences=True, go_backwards=True),
    ]
    lowered = assert_agrees(graph_of(sequence(), *layers))
    assert "Slice" not in operators(lowered)


def test_one_mask_for_two_layers_is_worked_out_once() -> None:
    layers = [
        *masked_input(),
        cell(Gru, "a", "masked", mask="mask", return_sequences=True),
        cell(Gru, "b", "a", mask="mask", features=UNITS),
    ]
    assert operators(assert_agrees(graph_of(sequence(), *layers))).count("TopK") == 1


def test_weights_that_two_layers_share_are_stored_once() -> None:
    first = cell(Lstm, "a", units=40)
    second = cell(
        Lstm,
        "b",
        "y",
        units=40,
        kernel=first.kernel,
        recurrent_kernel=first.recurrent_kernel,
        bias=first.bias,
    )
    inputs = [sequence(name="x"), sequence(name="y")]
    shared = assert_agrees(graph_of(inputs, first, second, outputs=["a", "b"]))
    weights = sum(np.asarray(weight).nbytes for weight in first.weights.values())
    assert len(shared.content) < 1.05 * weights + 2000


def test_steps_are_not_set_to_zero_for_a_layer_that_skips_them() -> None:
    lowered = assert_agrees(
        graph_of(sequence(), *masked_input(), cell(Gru, mask="mask", source="masked"))
    )
    assert operators(lowered).count("Where") == 1  # for rows without a valid step
