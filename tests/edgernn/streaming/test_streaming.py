"""A step at a time equals the whole sequence; what cannot be streamed is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.graph import (
    RELU,
    SOFTMAX,
    Activate,
    Affine,
    ApplyMask,
    Concatenate,
    Conv1D,
    Dense,
    Embedding,
    FoldTime,
    GlobalPool1D,
    Graph,
    Gru,
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
    SimpleRnn,
    Slice,
    Transpose,
    UnfoldTime,
    ZeroPad1D,
)
from edgernn.streaming import to_streaming, warm_up_steps
from tests.edgernn.streaming.runs import (
    KINDS,
    RUNTIMES,
    Run,
    assert_streams,
    call_inputs,
    in_reference,
    step_by_step,
)
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
    assert_streams(graph_of(inputs, *layers, outputs=[layer.output, *states_of(layer)]), runtime)


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
    assert_streams(graph, runtime, inputs=call_inputs(graph, steps=14))


@RUNTIMES
def test_a_causal_convolution_behind_one_without_padding(runtime: Callable[[Graph], Run]) -> None:
    """What the first one answers before its window is full never enters the second's window."""
    one = Conv1D(name="a", input="x", output="a", kernel=numbers(3, FEATURES, 4), bias=numbers(4))
    two = Conv1D(
        name="b", input="a", output="b", kernel=numbers(3, 4, 4), bias=None, padding=Padding.CAUSAL
    )
    assert_streams(graph_of(sequence(), one, two), runtime)


@RUNTIMES
@pytest.mark.parametrize("left", [1, 2])
def test_zeros_in_front_of_a_convolution(runtime: Callable[[Graph], Run], left: int) -> None:
    pad = ZeroPad1D(name="pad", input="x", output="p", left=left, right=0)
    conv = Conv1D(
        name="conv", input="p", output="c", kernel=numbers(3, FEATURES, 4), bias=numbers(4)
    )
    graph = graph_of(sequence(), pad, conv, cell(Gru, "gru", "c", features=4))
    assert warm_up_steps(graph) == {"gru_out": 2 - left}
    assert_streams(graph, runtime)


@RUNTIMES
@pytest.mark.parametrize("kind", PoolKind)
def test_pooling_over_a_window(runtime: Callable[[Graph], Run], kind: PoolKind) -> None:
    pool = Pool1D(name="pool", input="x", output="p", kind=kind, window=3, stride=1)
    assert_streams(graph_of(sequence(), pool, cell(Gru, "gru", "p")), runtime)


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
    assert_streams(
        graph_of(sequence(), *layers, pool, below_zero, lower_pool, outputs=["l", "p"]), runtime
    )


def test_a_running_average_stays_exact_over_many_steps() -> None:
    pool = GlobalPool1D(name="pool", input="x", output="p", kind=PoolKind.AVERAGE)
    graph = graph_of(sequence(), pool)
    inputs = {"x": 3 + numbers(1, 2000, FEATURES, scale=1)}
    last = step_by_step(graph, inputs, in_reference)[-1]["p_out"]
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
    assert_streams(graph_of(tokens("words", None, None), *layers, outputs=["w", "y"]), runtime)


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
    assert_streams(graph_of(sequence(), *layers), in_reference, inputs={"x": x})


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
