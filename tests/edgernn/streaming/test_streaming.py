"""A step at a time equals the whole sequence; what cannot be streamed is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn import reference
from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx import lower
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    RELU,
    SOFTMAX,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyArray,
    AnyNotEqual,
    ApplyMask,
    Attention,
    Concatenate,
    Conv1D,
    Dense,
    Embedding,
    FoldTime,
    GlobalPool1D,
    Graph,
    Gru,
    Input,
    Layer,
    LayerNorm,
    Lstm,
    Merge,
    MergeKind,
    NotEqual,
    Padding,
    Pool1D,
    PoolKind,
    Recurrent,
    Reshape,
    Reverse,
    SimpleRnn,
    Slice,
    Transpose,
    UnfoldTime,
    Upsample1D,
    ZeroPad1D,
)
from edgernn.scheme import Scheme
from edgernn.streaming import expose_states, to_streaming, warm_up_steps
from tests.export.onnx import agreement
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

Arrays = Mapping[str, AnyArray]
Run = Callable[[Arrays], Mapping[str, AnyArray]]

STEPS = 9
KINDS = pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])


def _in_reference(graph: Graph) -> Run:
    return lambda inputs: reference.run(graph, inputs)


def _in_onnx(graph: Graph) -> Run:
    opened = agreement.session(lower(graph, metadata={}).content)
    return lambda inputs: agreement.run(opened, inputs)


RUNTIMES = pytest.mark.parametrize("runtime", [_in_reference, _in_onnx])


def _call_inputs(graph: Graph, *, batch: int = 2, steps: int = STEPS, seed: int = 0) -> Arrays:
    """Arguments of the whole model, with steps of zeros (masked, where the model masks)."""
    random = np.random.default_rng(seed)
    made: dict[str, AnyArray] = {}
    for entry in graph.inputs:
        shape = (batch, *(steps if size is None else size for size in entry.spec.shape[1:]))
        if entry.spec.dtype.numpy == np.int32:
            made[entry.name] = random.integers(0, 4, shape, dtype=np.int32)
        else:
            made[entry.name] = random.normal(size=shape).astype(np.float32)
            if len(shape) == 3:
                made[entry.name][random.random(shape[:2]) < 0.3] = 0
    return made


def _streamed(graph: Graph, inputs: Arrays, runtime: Callable[[Graph], Run]) -> list[Arrays]:
    """What the step model answers in each call."""
    step = to_streaming(graph)
    run = runtime(step)
    batch = len(next(iter(inputs.values())))
    states: dict[str, AnyArray] = {}
    for entry in step.inputs:
        if any(state.input == entry.name for state in step.states):
            shape = (batch, *entry.spec.shape[1:])
            states[entry.name] = inputs.get(
                entry.name, np.zeros(tuple(n or 0 for n in shape), entry.spec.dtype.numpy)
            )
    streams = {name for name in inputs if name not in states}
    answers: list[Arrays] = []
    for time in range(next(iter(inputs.values())).shape[1]):
        newest = {name: inputs[name][:, time : time + 1] for name in streams}
        answer = run({**newest, **states})
        states = {state.input: answer[state.output] for state in step.states}
        answers.append(answer)
    return answers


def _assert_streams(
    graph: Graph, runtime: Callable[[Graph], Run], *, inputs: Arrays | None = None
) -> None:
    """Each answer is the whole model's, for the sequence so far."""
    whole_inputs = _call_inputs(graph) if inputs is None else inputs
    warm_up = warm_up_steps(graph)
    streamed = {entry.name for entry in graph.inputs if entry.spec.rank > 2}
    streamed |= {entry.name for entry in graph.inputs if entry.spec.dtype.value != "float32"}
    compared = 0
    for time, answer in enumerate(_streamed(graph, whole_inputs, runtime)):
        if time < max(warm_up.values()):
            continue
        so_far = {
            name: array[:, : time + 1] if name in streamed else array
            for name, array in whole_inputs.items()
        }
        for name, whole in reference.run(graph, so_far).items():
            edge = next(output.edge for output in graph.outputs if output.name == name)
            is_sequence = graph.specs[edge].rank > 2 or graph.specs[edge].dtype.value == "bool"
            wanted = whole[:, -1:] if is_sequence else whole
            valid = ~np.isnan(wanted) if wanted.dtype == np.float32 else np.ones(wanted.shape, bool)
            np.testing.assert_allclose(answer[name][valid], wanted[valid], atol=3e-6, rtol=1e-5)
            compared += 1
    assert compared


@RUNTIMES
@KINDS
@pytest.mark.parametrize("mask", [None, "carry", "zero"])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("chosen_start", [False, True])
def test_a_recurrent_layer(
    runtime: Callable[[Graph], Run],
    kind: type[Recurrent],
    mask: str | None,
    return_sequences: bool,
    chosen_start: bool,
) -> None:
    options: dict[str, Any] = {}
    inputs = [sequence()]
    if mask is not None:
        options |= {"source": "masked", "mask": "mask", "zero_output_for_mask": mask == "zero"}
    if chosen_start:
        names = ["initial_h", "initial_c"] if kind is Lstm else ["initial_h"]
        inputs += [floats(name, None, UNITS) for name in names]
        options |= {name: name for name in names}
    layer = cell(kind, return_sequences=return_sequences, **options)
    layers = [*(masked_input() if mask else []), layer]
    _assert_streams(graph_of(inputs, *layers, outputs=[layer.output, *states_of(layer)]), runtime)


@RUNTIMES
@pytest.mark.parametrize("padding", [Padding.VALID, Padding.CAUSAL])
@pytest.mark.parametrize(("window", "dilation"), [(1, 1), (2, 1), (3, 2)])
def test_convolutions_in_front_of_a_recurrent_layer(
    runtime: Callable[[Graph], Run], padding: Padding, window: int, dilation: int
) -> None:
    """The recurrent layer does not move before the first full windows."""

    def convolution(name: str, source: str, channels: int) -> Conv1D:
        return Conv1D(
            name=name,
            input=source,
            output=name,
            kernel=numbers(window, channels, 6),
            bias=numbers(6),
            dilation=dilation,
            padding=padding,
            activation=RELU,
        )

    layers = [
        convolution("one", "x", FEATURES),
        convolution("two", "one", 6),
        cell(Gru, "gru", "two", features=6, return_sequences=True),
        cell(Lstm, "lstm", "gru", features=UNITS),
    ]
    graph = graph_of(sequence(), *layers, outputs=["two", "gru", "lstm"])
    span = (window - 1) * dilation
    warm_up = 2 * span if padding is Padding.VALID else 0
    assert warm_up_steps(graph) == dict.fromkeys(("two_out", "gru_out", "lstm_out"), warm_up)
    _assert_streams(graph, runtime, inputs=_call_inputs(graph, steps=14))


@RUNTIMES
def test_a_causal_convolution_behind_one_without_padding(runtime: Callable[[Graph], Run]) -> None:
    """What the first one answers before its window is full never enters the second's window."""
    one = Conv1D(name="a", input="x", output="a", kernel=numbers(3, FEATURES, 4), bias=numbers(4))
    two = Conv1D(
        name="b", input="a", output="b", kernel=numbers(3, 4, 4), bias=None, padding=Padding.CAUSAL
    )
    _assert_streams(graph_of(sequence(), one, two), runtime)


@RUNTIMES
@pytest.mark.parametrize("left", [1, 2])
def test_zeros_in_front_of_a_convolution(runtime: Callable[[Graph], Run], left: int) -> None:
    pad = ZeroPad1D(name="pad", input="x", output="p", left=left, right=0)
    conv = Conv1D(
        name="conv", input="p", output="c", kernel=numbers(3, FEATURES, 4), bias=numbers(4)
    )
    graph = graph_of(sequence(), pad, conv, cell(Gru, "gru", "c", features=4))
    assert warm_up_steps(graph) == {"gru_out": 2 - left}
    _assert_streams(graph, runtime)


@RUNTIMES
@pytest.mark.parametrize("kind", PoolKind)
def test_pooling_over_a_window(runtime: Callable[[Graph], Run], kind: PoolKind) -> None:
    pool = Pool1D(name="pool", input="x", output="p", kind=kind, window=3, stride=1)
    _assert_streams(graph_of(sequence(), pool, cell(Gru, "gru", "p")), runtime)


@RUNTIMES
@pytest.mark.parametrize("kind", PoolKind)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("warm_up", [False, True])
@pytest.mark.parametrize("keepdims", [False, True])
def test_pooling_over_all_of_time(
    runtime: Callable[[Graph], Run], kind: PoolKind, masked: bool, warm_up: bool, keepdims: bool
) -> None:
    if masked and warm_up:
        return  # a convolution that drops steps would have to drop them from the mask too
    layers: list[Layer] = list(masked_input()) if masked else []
    source = "x"
    if warm_up:
        kernel = numbers(3, FEATURES, FEATURES)
        layers.append(Conv1D(name="conv", input="x", output="c", kernel=kernel, bias=None))
        source = "c"
    pool = GlobalPool1D(
        name="pool",
        input=source,
        output="p",
        kind=kind,
        mask="mask" if masked else None,
        keepdims=keepdims,
    )
    below_zero = Affine(
        name="shift", input=source, output="s", scale=numbers(1), offset=numbers(1) - 5
    )
    lower_pool = GlobalPool1D(name="low", input="s", output="l", kind=kind)
    _assert_streams(
        graph_of(sequence(), *layers, pool, below_zero, lower_pool, outputs=["l", "p"]), runtime
    )


def test_a_running_average_stays_exact_over_many_steps() -> None:
    pool = GlobalPool1D(name="pool", input="x", output="p", kind=PoolKind.AVERAGE)
    graph = graph_of(sequence(), pool)
    inputs = {"x": 3 + numbers(1, 2000, FEATURES, scale=1)}
    last = _streamed(graph, inputs, _in_reference)[-1]["p_out"]
    np.testing.assert_allclose(last, inputs["x"].mean(axis=1), rtol=3e-6)


@RUNTIMES
def test_layers_that_look_at_one_step_only(runtime: Callable[[Graph], Run]) -> None:
    layers: list[Layer] = [
        Embedding(name="embedding", input="words", output="e", table=numbers(4, FEATURES)),
        NotEqual(name="mask", input="words", output="m"),
        Affine(
            name="affine", input="e", output="a", scale=numbers(FEATURES), offset=numbers(FEATURES)
        ),
        LayerNorm(
            name="norm", input="a", output="n", gamma=None, beta=numbers(FEATURES), epsilon=1e-3
        ),
        Merge(name="add", inputs=("n", "e"), output="s", kind=MergeKind.ADD),
        ApplyMask(name="apply", input="s", mask="m", output="k"),
        Concatenate(name="join", inputs=("k", "s"), output="j"),
        FoldTime(name="fold", input="j", output="f"),
        Dense(name="dense", input="f", output="d", kernel=numbers(10, 6), bias=numbers(6)),
        UnfoldTime(name="unfold", input="d", like="j", output="u"),
        Reshape(name="split", input="u", output="r", target=(-1, 2, 3)),
        Transpose(name="turn", input="r", output="t", permutation=(0, 1, 3, 2)),
        Reshape(name="merge", input="t", output="v", target=(-1, 6)),
        Slice(name="first", input="v", output="w", axis=2, start=1),
        cell(Gru, "gru", "w", features=5, mask="m", return_sequences=True),
        Slice(name="last", input="gru", output="l", axis=1, start=-1, squeeze=True),
        Activate(name="softmax", input="l", output="y", activation=SOFTMAX),
    ]
    _assert_streams(graph_of(tokens("words", None, None), *layers, outputs=["w", "y"]), runtime)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_mask_in_front_of_a_stack(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([Gru, Lstm, SimpleRnn]))
    batch, steps = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 8))
    flags = st.lists(st.booleans(), min_size=batch * steps, max_size=batch * steps)
    kept: npt.NDArray[np.bool_] = np.array(data.draw(flags)).reshape(batch, steps)
    layers = [
        *masked_input(),
        cell(kind, "a", "masked", mask="mask", return_sequences=True),
        cell(Gru, "b", "a", features=UNITS, mask="mask"),
    ]
    x = numbers(batch, steps, FEATURES) * kept[:, :, None]
    _assert_streams(graph_of(sequence(), *layers), _in_reference, inputs={"x": x})


def test_the_step_model_names_its_states_after_the_layers() -> None:
    conv = Conv1D(
        name="conv",
        input="x",
        output="c",
        kernel=numbers(3, FEATURES, 4),
        bias=None,
        padding=Padding.CAUSAL,
    )
    step = to_streaming(graph_of(sequence(), conv, cell(Lstm, "lstm", "c", features=4)))
    assert [(state.input, state.output) for state in step.states] == [
        ("conv_window", "conv_window_out"),
        ("lstm_h", "lstm_h_out"),
        ("lstm_c", "lstm_c_out"),
    ]
    assert step.specs["x"].shape == (None, 1, FEATURES)
    assert step.specs["conv_window"].shape == (None, 2, FEATURES)


def test_an_output_that_is_the_state_already_is_not_doubled() -> None:
    layer = cell(Gru, "gru")
    step = to_streaming(graph_of(sequence(), layer, outputs=["gru", "gru.h"]))
    assert [output.name for output in step.outputs] == ["gru_out", "gru.h_out"]
    assert step.states[0].output == "gru.h_out"


def _conv(**options: Any) -> Layer:
    return Conv1D(
        name="layer", input="x", output="y", kernel=numbers(3, FEATURES, 4), bias=None, **options
    )


_DENSE_OVER_TIME = Affine(
    name="layer", input="x", output="y", scale=numbers(6, FEATURES), offset=numbers(FEATURES)
)


@pytest.mark.parametrize(
    "layer",
    [
        _conv(padding=Padding.SAME),
        _conv(stride=2),
        Pool1D(name="layer", input="x", output="y", kind=PoolKind.MAX, window=2, stride=2),
        cell(Gru, "layer", go_backwards=True),
        Reverse(name="layer", input="x", output="y"),
        Upsample1D(name="layer", input="x", output="y", times=2),
        ZeroPad1D(name="layer", input="x", output="y", left=0, right=1),
        Reshape(name="layer", input="x", output="y", target=(-1,)),
        Transpose(name="layer", input="x", output="y", permutation=(0, 2, 1)),
        Slice(name="layer", input="x", output="y", axis=1, start=1),
        Concatenate(name="layer", inputs=("x", "x"), output="y", axis=1),
        Attention(name="layer", query="x", key="x", value="x", output="y"),
        LayerNorm(name="layer", input="x", output="y", gamma=None, beta=None, epsilon=1e-3, axes=2),
        Activate(
            name="layer",
            input="x",
            output="y",
            activation=Activation(kind=ActivationKind.SOFTMAX, axis=1),
        ),
        _DENSE_OVER_TIME,
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_needs_more_than_one_step_is_refused_with_a_remedy(layer: Layer) -> None:
    with pytest.raises(UnsupportedLayer, match="'layer'") as refusal:
        to_streaming(graph_of(sequence(time=6), layer))
    assert refusal.value.remedy


def test_a_decoder_that_starts_from_its_encoder_is_refused() -> None:
    layers = [
        cell(Gru, "encoder", "x"),
        cell(Gru, "decoder", "y", initial_h="encoder.h", return_sequences=True),
    ]
    with pytest.raises(UnsupportedLayer, match=r"'decoder'.*other layers compute"):
        to_streaming(graph_of([sequence(name="x"), sequence(name="y")], *layers))


def test_zeros_in_front_of_a_recurrent_layer_are_refused() -> None:
    pad = ZeroPad1D(name="pad", input="x", output="p", left=2, right=0)
    with pytest.raises(UnsupportedLayer, match=r"'gru'.*zeros added in front"):
        to_streaming(graph_of(sequence(), pad, cell(Gru, "gru", "p")))


@KINDS
def test_a_stateful_layer_in_chunks_equals_the_whole(kind: type[Recurrent]) -> None:
    layers = [
        cell(kind, "a", return_sequences=True, stateful=True),
        cell(kind, "b", "a", features=UNITS, stateful=True),
    ]
    graph = expose_states(graph_of(sequence(), *layers))
    chunks = np.split(numbers(2, 12, FEATURES), 3, axis=1)
    states: dict[str, AnyArray] = {
        state.input: np.zeros((2, UNITS), np.float32) for state in graph.states
    }
    run = _in_onnx(graph)
    for chunk in chunks:
        answer = run({"x": chunk, **states})
        states = {state.input: answer[state.output] for state in graph.states}
    free = graph_of(
        sequence(),
        cell(kind, "a", return_sequences=True),
        cell(kind, "b", "a", features=UNITS),
    )
    whole = reference.run(free, {"x": np.concatenate(chunks, axis=1)})
    np.testing.assert_allclose(answer["b_out"], whole["b_out"], atol=2e-6)


def test_a_stateful_layer_with_an_initial_state_starts_there_each_time() -> None:
    inputs: list[Input] = [sequence(), floats("h", None, UNITS)]
    graph = expose_states(graph_of(inputs, cell(Gru, stateful=True, initial_h="h")))
    assert not graph.states


def test_states_do_not_take_the_names_of_others() -> None:
    first = cell(Gru, "gru", stateful=True)
    graph = expose_states(graph_of([sequence(), floats("gru_h", None, 3)], first))
    assert graph.states[0].input == "gru_h_2"


def test_a_model_without_stateful_layers_is_left_as_it_is() -> None:
    graph = graph_of(sequence(), AnyNotEqual(name="m", input="x", output="m"), cell(Gru))
    assert expose_states(graph).layers == graph.layers


def test_integer_parameters_stay_with_their_layers() -> None:
    graph = graph_of(sequence(), cell(Gru, "gru", stateful=True))
    inputs = {"x": numbers(16, 20, FEATURES)}
    small = quantize(graph, calibrate(graph, inputs), Scheme.INT8)
    for converted in (to_streaming(small), expose_states(small)):
        assert converted.quantization is not None
        assert set(converted.quantization.plans) == {"gru"}
