"""Every other layer of the graph, in each option, with free and with fixed lengths."""

from __future__ import annotations

from typing import Any

import pytest

from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyNotEqual,
    ApplyMask,
    Conv1D,
    Dense,
    Embedding,
    FoldTime,
    GlobalPool1D,
    Gru,
    Layer,
    LayerNorm,
    NotEqual,
    Padding,
    Pool1D,
    PoolKind,
    PRelu,
    Repeat,
    Reshape,
    Reverse,
    Slice,
    Transpose,
    UnfoldTime,
    Upsample1D,
    ZeroPad1D,
)
from tests.export.onnx.agreement import assert_agrees, operators
from tests.export.onnx.models import (
    FEATURES,
    UNITS,
    cell,
    floats,
    graph_of,
    numbers,
    sequence,
    tokens,
)

TIMES = pytest.mark.parametrize("time", [None, 11])
EDGES: dict[str, Any] = {"name": "layer", "input": "x", "output": "y"}

ACTIVATIONS = [
    *(
        Activation(kind=kind)
        for kind in ActivationKind
        if kind not in {ActivationKind.RELU, ActivationKind.ELU, ActivationKind.HARD_SIGMOID}
    ),
    HARD_SIGMOID_KERAS2,
    Activation(kind=ActivationKind.ELU, alpha=0.6),
    Activation(kind=ActivationKind.RELU),
    Activation(kind=ActivationKind.RELU, max_value=0.7),
    Activation(kind=ActivationKind.RELU, alpha=0.2),
    Activation(kind=ActivationKind.RELU, alpha=0.2, max_value=0.5),
    Activation(kind=ActivationKind.RELU, beta=0.3),
    Activation(kind=ActivationKind.RELU, alpha=0.1, beta=-0.3, max_value=0.9),
    Activation(kind=ActivationKind.SOFTMAX, axis=1),
    Activation(kind=ActivationKind.LOG_SOFTMAX, axis=1),
]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations(activation: Activation) -> None:
    assert_agrees(graph_of(sequence(), Activate(**EDGES, activation=activation)))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations_of_a_convolution(activation: Activation) -> None:
    kernel = numbers(3, FEATURES, 4)
    layer = Conv1D(**EDGES, kernel=kernel, bias=numbers(4), activation=activation)
    assert_agrees(graph_of(sequence(), layer))


@pytest.mark.parametrize(
    "shape", [(None, FEATURES), (None, None, FEATURES), (None, 3, 4, FEATURES)]
)
@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("kind", [ActivationKind.LINEAR, ActivationKind.SOFTMAX])
def test_dense(shape: tuple[int | None, ...], has_bias: bool, kind: ActivationKind) -> None:
    bias = numbers(6) if has_bias else None
    kernel = numbers(FEATURES, 6)
    layer = Dense(**EDGES, kernel=kernel, bias=bias, activation=Activation(kind=kind))
    assert_agrees(graph_of(floats("x", *shape), layer))


@pytest.mark.parametrize("shape", [(None,), (None, None), (2, 7)])
def test_embedding(shape: tuple[int | None, ...]) -> None:
    assert_agrees(graph_of(tokens("x", *shape), Embedding(**EDGES, table=numbers(20, 6))))


@TIMES
@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize(
    ("window", "stride", "dilation", "groups"),
    [(1, 1, 1, 1), (2, 1, 1, 1), (3, 2, 1, 1), (4, 3, 1, 2), (3, 1, 2, 1), (2, 1, 4, 6)],
)
def test_convolution(
    time: int | None, padding: Padding, window: int, stride: int, dilation: int, groups: int
) -> None:
    layer = Conv1D(
        **EDGES,
        kernel=numbers(window, 6 // groups, 12),
        bias=numbers(12),
        stride=stride,
        dilation=dilation,
        groups=groups,
        padding=padding,
    )
    assert_agrees(graph_of(sequence(time, 6), layer))


@TIMES
@pytest.mark.parametrize("padding", [Padding.VALID, Padding.SAME])
@pytest.mark.parametrize("kind", PoolKind)
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 1), (3, 2), (2, 3)])
def test_pooling(
    time: int | None, padding: Padding, kind: PoolKind, window: int, stride: int
) -> None:
    layer = Pool1D(**EDGES, kind=kind, window=window, stride=stride, padding=padding)
    assert_agrees(graph_of(sequence(time), layer))


@pytest.mark.parametrize("kind", PoolKind)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_global_pooling(kind: PoolKind, keepdims: bool, masked: bool) -> None:
    layer = GlobalPool1D(**EDGES, mask="mask" if masked else None, kind=kind, keepdims=keepdims)
    mask = AnyNotEqual(name="mask", input="x", output="mask")
    assert_agrees(graph_of(sequence(), mask, layer))


@pytest.mark.parametrize("shape", [(), (1,), (FEATURES,), (1, 1, FEATURES), (11, FEATURES)])
def test_affine(shape: tuple[int, ...]) -> None:
    layer = Affine(**EDGES, scale=numbers(*shape), offset=numbers(*shape, seed=1))
    assert_agrees(graph_of(sequence(11), layer))


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("rms", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
def test_layer_normalization(axes: int, rms: bool, has_weights: bool) -> None:
    shape = (6, FEATURES)[-axes:]
    layer = LayerNorm(
        **EDGES,
        gamma=numbers(*shape) if has_weights else None,
        beta=numbers(*shape, seed=1) if has_weights else None,
        epsilon=1e-3,
        axes=axes,
        rms=rms,
    )
    assert_agrees(graph_of(sequence(6), layer))


@pytest.mark.parametrize("shape", [(FEATURES,), (1, FEATURES), (11, FEATURES)])
def test_prelu(shape: tuple[int, ...]) -> None:
    assert_agrees(graph_of(sequence(11), PRelu(**EDGES, alpha=numbers(*shape))))


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((None, 6, 4), (24,)),
        ((None, 6, 4), (-1,)),
        ((None, 6, 4), (3, -1)),
        ((None, 24), (4, 6)),
        ((None, None, 4), (-1, 2)),
        ((3, 6, 4), (2, 12)),
    ],
)
def test_reshape(shape: tuple[int | None, ...], target: tuple[int, ...]) -> None:
    assert_agrees(graph_of(floats("x", *shape), Reshape(**EDGES, target=target)))


@pytest.mark.parametrize("permutation", [(0, 2, 1), (0, 1, 2)])
def test_transpose(permutation: tuple[int, ...]) -> None:
    assert_agrees(graph_of(sequence(6), Transpose(**EDGES, permutation=permutation)))


def test_a_transposed_convolution_is_left_channels_first() -> None:
    layers: list[Layer] = [
        Conv1D(name="conv", input="x", output="c", kernel=numbers(2, FEATURES, 4), bias=None),
        Transpose(name="there", input="c", output="t", permutation=(0, 2, 1)),
        Transpose(name="back", input="t", output="y", permutation=(0, 2, 1)),
    ]
    both = assert_agrees(graph_of(sequence(), *layers, outputs=["t", "y"]))
    assert operators(both).count("Transpose") == 2


@pytest.mark.parametrize("shape", [(None, None, 4), (None, None), (2, 5, 3)])
def test_reverse(shape: tuple[int | None, ...]) -> None:
    assert_agrees(graph_of(floats("x", *shape), Reverse(**EDGES)))


def test_repeat() -> None:
    assert_agrees(graph_of(floats("x", None, FEATURES), Repeat(**EDGES, times=4)))


def test_repeat_in_front_of_a_decoder_is_time_first() -> None:
    repeat = Repeat(name="repeat", input="x", output="r", times=4)
    decoder = cell(Gru, "decoder", "r", return_sequences=True)
    lowered = assert_agrees(graph_of(floats("x", None, FEATURES), repeat, decoder))
    assert operators(lowered).count("Transpose") == 1


@TIMES
def test_upsampling(time: int | None) -> None:
    assert_agrees(graph_of(sequence(time), Upsample1D(**EDGES, times=3)))


@pytest.mark.parametrize(("left", "right"), [(2, 0), (0, 3), (1, 1)])
def test_zero_padding(left: int, right: int) -> None:
    assert_agrees(graph_of(sequence(), ZeroPad1D(**EDGES, left=left, right=right)))


@TIMES
@pytest.mark.parametrize("reversed_first", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"axis": 1, "start": 1},
        {"axis": 1, "start": 0, "stop": -1},
        {"axis": 1, "start": -1, "squeeze": True},
        {"axis": 1, "start": 0, "squeeze": True},
        {"axis": 1, "start": 0, "step": 2},
        {"axis": 2, "start": 1, "stop": 3},
        {"axis": -1, "start": 2, "squeeze": True},
        {"axis": 2, "start": -2, "squeeze": True},
    ],
    ids=str,
)
def test_slice(time: int | None, reversed_first: bool, options: dict[str, Any]) -> None:
    gru = cell(Gru, "gru", return_sequences=True, go_backwards=reversed_first)
    layer = Slice(name="slice", input="gru", output="y", **options)
    assert_agrees(graph_of(sequence(time), gru, layer))


@TIMES
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("inner", [(), (4,), (4, 3)])
def test_a_dense_layer_distributed_over_time(
    time: int | None, batch: int | None, inner: tuple[int, ...]
) -> None:
    layers: list[Layer] = [
        FoldTime(name="fold", input="x", output="folded"),
        Dense(name="dense", input="folded", output="d", kernel=numbers(FEATURES, 3), bias=None),
        UnfoldTime(name="unfold", input="d", like="x", output="y"),
    ]
    assert_agrees(graph_of(floats("x", batch, time, *inner, FEATURES), *layers))


def test_folding_a_sequence_of_sequences_of_any_length() -> None:
    layers = [
        FoldTime(name="fold", input="x", output="folded"),
        cell(Gru, "gru", "folded", return_sequences=True),
        UnfoldTime(name="unfold", input="gru", like="x", output="y"),
        cell(Gru, "words", "folded"),
        UnfoldTime(name="unfold words", input="words", like="x", output="w"),
    ]
    assert_agrees(graph_of(floats("x", None, None, None, FEATURES), *layers, outputs=["y", "w"]))


@pytest.mark.parametrize("value", [0, 3])
def test_a_mask_from_tokens(value: int) -> None:
    assert_agrees(graph_of(tokens("x", None, None), NotEqual(**EDGES, value=value)))


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_mask_from_features(value: float) -> None:
    layers: list[Layer] = [
        AnyNotEqual(name="mask", input="x", output="mask", value=value),
        ApplyMask(name="apply", input="x", mask="mask", output="y"),
    ]
    assert_agrees(graph_of(sequence(), *layers, outputs=["mask", "y"]))


def test_a_keyword_spotter_of_many_layers_moves_its_axes_three_times() -> None:
    """Convolutions are channels first, recurrent layers time first, and nothing goes back early."""
    layers: list[Layer] = [
        Conv1D(
            name="conv1",
            input="x",
            output="c1",
            kernel=numbers(3, FEATURES, 8),
            bias=numbers(8),
            activation=Activation(kind=ActivationKind.RELU),
            padding=Padding.SAME,
        ),
        Affine(name="norm", input="c1", output="n1", scale=numbers(8), offset=numbers(8, seed=1)),
        Pool1D(name="pool", input="n1", output="p1", kind=PoolKind.MAX, window=2, stride=2),
        Conv1D(name="conv2", input="p1", output="c2", kernel=numbers(3, 8, 8), bias=numbers(8)),
        cell(Gru, "gru1", "c2", features=8, return_sequences=True),
        LayerNorm(
            name="ln",
            input="gru1",
            output="ln",
            gamma=numbers(UNITS),
            beta=numbers(UNITS, seed=1),
            epsilon=1e-3,
        ),
        cell(Gru, "gru2", "ln", features=UNITS, return_sequences=True),
        Dense(name="dense", input="gru2", output="d", kernel=numbers(UNITS, 4), bias=numbers(4)),
        Activate(
            name="softmax",
            input="d",
            output="s",
            activation=Activation(kind=ActivationKind.SOFTMAX),
        ),
    ]
    lowered = assert_agrees(graph_of(sequence(32), *layers))
    assert operators(lowered).count("Transpose") == 3
