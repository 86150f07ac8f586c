"""Layers without a state against Keras, and how a graph is fed and run."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.graph import (
    HARD_SIGMOID_KERAS3,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    Concatenate,
    Conv1D,
    Dense,
    DType,
    Embedding,
    FoldTime,
    GlobalPool1D,
    Graph,
    Input,
    LayerNorm,
    Merge,
    MergeKind,
    Output,
    Padding,
    Pool1D,
    PoolKind,
    PRelu,
    Repeat,
    Reshape,
    Reverse,
    Slice,
    TensorSpec,
    Transpose,
    UnfoldTime,
    Upsample1D,
    ZeroPad1D,
)
from edgernn.reference import apply, execute, run
from tests.edgernn.reference.layers import XY, X, assert_same, computed, weight


@pytest.mark.parametrize("padding", list(Padding))
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)])
@pytest.mark.parametrize("window", [1, 2, 3])
def test_convolution(keras, padding, stride, dilation, window) -> None:
    layer = Conv1D(
        **XY,
        kernel=weight(window, 4, 6),
        bias=weight(6),
        stride=stride,
        dilation=dilation,
        padding=padding,
    )
    twin = keras.layers.Conv1D(
        6, window, strides=stride, dilation_rate=dilation, padding=padding.value
    )
    twin.build(X.shape)
    twin.set_weights([layer.kernel, layer.bias])
    assert_same(computed(layer), twin(X))


def test_convolution_in_groups_is_one_convolution_a_group() -> None:
    kernel, bias = weight(3, 2, 6), weight(6)
    joined = computed(Conv1D(**XY, kernel=kernel, bias=bias, groups=2))
    for group in range(2):
        columns = slice(3 * group, 3 * group + 3)
        alone = Conv1D(**XY, kernel=kernel[:, :, columns].copy(), bias=bias[columns])
        part = computed(alone, x=X[:, :, 2 * group : 2 * group + 2])
        assert_same(joined[:, :, columns], part)


def test_depthwise_convolution(keras) -> None:
    twin = keras.layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same")
    twin.build(X.shape)
    kernel, bias = weight(3, 4, 2), weight(8)
    twin.set_weights([kernel, bias])
    layer = Conv1D(**XY, kernel=kernel.reshape(3, 1, 8), bias=bias, groups=4, padding=Padding.SAME)
    assert_same(computed(layer), twin(X))


@pytest.mark.parametrize("kind", list(PoolKind))
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2), (4, 1), (2, 3)])
def test_pooling(keras, kind, padding, window, stride) -> None:
    layer = Pool1D(**XY, kind=kind, window=window, stride=stride, padding=Padding(padding))
    classes = {
        PoolKind.MAX: keras.layers.MaxPooling1D,
        PoolKind.AVERAGE: keras.layers.AveragePooling1D,
    }
    assert_same(computed(layer), classes[kind](window, strides=stride, padding=padding)(X))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_global_average(keras, keepdims, masked) -> None:
    mask = np.arange(9)[None, :] < np.array([[9], [4], [1]])
    values = {"x": X, "m": mask} if masked else {"x": X}
    layer = GlobalPool1D(
        **XY, mask="m" if masked else None, kind=PoolKind.AVERAGE, keepdims=keepdims
    )
    twin = keras.layers.GlobalAveragePooling1D(keepdims=keepdims)
    (result,) = apply(layer, values)
    assert_same(result, twin(X, mask=mask if masked else None))


def test_the_masked_average_of_nothing_is_nan_as_in_keras() -> None:
    layer = GlobalPool1D(**XY, mask="m", kind=PoolKind.AVERAGE)
    (result,) = apply(layer, {"x": X, "m": np.zeros((3, 9), bool)})
    assert np.isnan(result).all()


def test_global_maximum() -> None:
    assert_same(computed(GlobalPool1D(**XY, kind=PoolKind.MAX)), X.max(axis=1))


ACTIVATIONS = {
    "linear": Activation(kind=ActivationKind.LINEAR),
    "relu": Activation(kind=ActivationKind.RELU),
    "relu6": Activation(kind=ActivationKind.RELU, max_value=6.0),
    "leaky_relu": Activation(kind=ActivationKind.RELU, alpha=0.2),
    "sigmoid": Activation(kind=ActivationKind.SIGMOID),
    "hard_sigmoid": HARD_SIGMOID_KERAS3,
    "tanh": Activation(kind=ActivationKind.TANH),
    "softmax": Activation(kind=ActivationKind.SOFTMAX),
    "log_softmax": Activation(kind=ActivationKind.LOG_SOFTMAX),
    "softplus": Activation(kind=ActivationKind.SOFTPLUS),
    "softsign": Activation(kind=ActivationKind.SOFTSIGN),
    "elu": Activation(kind=ActivationKind.ELU, alpha=1.0),
    "selu": Activation(kind=ActivationKind.SELU),
    "gelu": Activation(kind=ActivationKind.GELU),
    "silu": Activation(kind=ActivationKind.SILU),
    "hard_silu": Activation(kind=ActivationKind.HARD_SILU),
    "mish": Activation(kind=ActivationKind.MISH),
    "exponential": Activation(kind=ActivationKind.EXPONENTIAL),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(keras, name) -> None:
    x = np.concatenate([X.ravel(), np.linspace(-60, 60, 241), [0.0]])[None].astype(np.float32)
    ours = computed(Activate(**XY, activation=ACTIVATIONS[name]), x=x)
    assert_same(ours, keras.activations.get(name)(x))


def test_the_tanh_form_of_gelu(keras) -> None:
    ours = computed(Activate(**XY, activation=Activation(kind=ActivationKind.GELU_TANH)))
    assert_same(ours, keras.activations.gelu(X, approximate=True))


@pytest.mark.parametrize("max_value", [None, 1.5])
@pytest.mark.parametrize(("slope", "threshold"), [(0.0, 0.5), (0.3, 0.0), (0.3, 0.5)])
def test_relu_with_slope_threshold_and_ceiling(keras, max_value, slope, threshold) -> None:
    relu = Activation(kind=ActivationKind.RELU, alpha=slope, beta=threshold, max_value=max_value)
    twin = keras.layers.ReLU(max_value=max_value, negative_slope=slope, threshold=threshold)
    assert_same(computed(Activate(**XY, activation=relu)), twin(X))


def test_extreme_arguments_neither_warn_nor_give_nan() -> None:
    x = np.array([[-1e4, -100, 0, 100, 1e4]], np.float32)
    for name in ("sigmoid", "softmax", "softplus", "silu", "mish", "tanh", "elu", "log_softmax"):
        assert np.isfinite(computed(Activate(**XY, activation=ACTIVATIONS[name]), x=x)).all(), name


@pytest.mark.parametrize("axes", [1, 2])
def test_layer_normalization(keras, axes) -> None:
    shape = X.shape[-axes:]
    layer = LayerNorm(**XY, gamma=weight(*shape), beta=weight(*shape), epsilon=1e-3, axes=axes)
    twin = keras.layers.LayerNormalization(axis=list(range(-axes, 0)))
    twin.build(X.shape)
    twin.set_weights([layer.gamma, layer.beta])
    assert_same(computed(layer), twin(X))


def test_root_mean_square_normalization(keras) -> None:
    layer = LayerNorm(**XY, gamma=weight(4), beta=None, epsilon=1e-6, rms=True)
    twin = keras.layers.RMSNormalization(epsilon=1e-6)
    twin.build(X.shape)
    twin.set_weights([layer.gamma])
    assert_same(computed(layer), twin(X))


def test_dense_works_on_the_last_axis(keras) -> None:
    layer = Dense(**XY, kernel=weight(4, 7), bias=weight(7), activation=ACTIVATIONS["tanh"])
    twin = keras.layers.Dense(7, activation="tanh")
    twin.build(X.shape)
    twin.set_weights([layer.kernel, layer.bias])
    assert_same(computed(layer), twin(X))


def test_affine_and_prelu_broadcast() -> None:
    scale, offset = weight(4), weight(1, 1, 4)
    assert_same(computed(Affine(**XY, scale=scale, offset=offset)), X * scale + offset)
    alpha = weight(9, 4)
    assert_same(computed(PRelu(**XY, alpha=alpha)), np.where(X > 0, X, alpha * X))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Reshape(**XY, target=(-1, 2)), X.reshape(3, 18, 2)),
        (Reshape(**XY, target=(36,)), X.reshape(3, 36)),
        (Transpose(**XY, permutation=(0, 2, 1)), X.transpose(0, 2, 1)),
        (Reverse(**XY), X[:, ::-1]),
        (Upsample1D(**XY, times=2), X.repeat(2, axis=1)),
        (ZeroPad1D(**XY, left=2, right=1), np.pad(X, ((0, 0), (2, 1), (0, 0)))),
        (Slice(**XY, axis=1, start=2, stop=-1), X[:, 2:-1]),
        (Slice(**XY, axis=-1, start=0, step=2), X[..., ::2]),
        (Slice(**XY, axis=1, start=-1, squeeze=True), X[:, -1]),
        (Concatenate(name="c", inputs=("x", "x"), output="y", axis=1), np.concatenate([X, X], 1)),
        (FoldTime(**XY), X.reshape(27, 4)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_move_elements(layer, expected) -> None:
    np.testing.assert_array_equal(computed(layer), expected)


def test_repeat_and_unfold() -> None:
    rows = X[:, 0]
    np.testing.assert_array_equal(
        computed(Repeat(**XY, times=2), x=rows), np.stack([rows, rows], axis=1)
    )
    unfold = UnfoldTime(name="unfold", input="f", like="x", output="y")
    np.testing.assert_array_equal(computed(unfold, f=X.reshape(27, 4), x=X), X)


def classifier(*, steps=None) -> Graph:
    return Graph(
        name="classifier",
        inputs=(Input(name="tokens", spec=TensorSpec(shape=(None, steps), dtype=DType.INT32)),),
        layers=(
            Embedding(name="words", input="tokens", output="e", table=weight(10, 4)),
            GlobalPool1D(name="mean", input="e", output="m", kind=PoolKind.AVERAGE),
            Dense(name="head", input="m", output="p", kernel=weight(4, 2), bias=None),
        ),
        outputs=(Output(name="scores", edge="p"), Output(name="mean", edge="m")),
    )


def test_run_gives_outputs_and_execute_gives_every_edge() -> None:
    tokens = np.arange(6, dtype=np.int64).reshape(2, 3)
    outputs = run(classifier(), {"tokens": tokens})
    edges = execute(classifier(), {"tokens": tokens})
    assert set(outputs) == {"scores", "mean"}
    assert set(edges) == {"tokens", "e", "m", "p"}


def test_an_empty_batch_gives_empty_outputs() -> None:
    outputs = run(classifier(), {"tokens": np.zeros((0, 3), np.int32)})
    assert outputs["scores"].shape == (0, 2)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, ["nothing", "'tokens'"]),
        ({"x": np.zeros((1, 3), np.int32)}, ["'x'", "'tokens'"]),
        ({"tokens": np.full((1, 3), 0.5, np.float32)}, ["whole numbers", "float32"]),
        ({"tokens": np.zeros((1, 4), np.int32)}, ["(any, 3)", "(1, 4)"]),
        ({"tokens": np.zeros((1, 3, 1), np.int32)}, ["(any, 3)", "(1, 3, 1)"]),
        ({"tokens": np.array([[1, 2, 3], [1, 10, 2]])}, ["row 1", "10", "'words'", "0 to 9"]),
        ({"tokens": np.array([[1, -1, 3]])}, ["row 0", "-1"]),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_both_sides_named(inputs, words) -> None:
    with pytest.raises(DataError) as refusal:
        run(classifier(steps=3), inputs)
    for word in words:
        assert word in str(refusal.value)


def test_inputs_of_different_batch_sizes_are_refused() -> None:
    spec = TensorSpec(shape=(None, 2))
    graph = Graph(
        name="sum",
        inputs=(Input(name="a", spec=spec), Input(name="b", spec=spec)),
        layers=(Merge(name="add", inputs=("a", "b"), output="y", kind=MergeKind.ADD),),
        outputs=(Output(name="y", edge="y"),),
    )
    with pytest.raises(DataError, match=r"'a': 2, 'b': 3"):
        run(graph, {"a": np.zeros((2, 2), np.float32), "b": np.zeros((3, 2), np.float32)})


def test_a_sequence_without_steps_is_refused() -> None:
    with pytest.raises(DataError, match=r"'tokens' has the shape \(2, 0\)"):
        run(classifier(), {"tokens": np.zeros((2, 0), np.int32)})


def test_a_sequence_shorter_than_a_window_is_refused() -> None:
    layer = Conv1D(**XY, kernel=weight(4, 4, 2), bias=None)
    with pytest.raises(DataError, match=r"window of 4 steps .* sequence of 3"):
        apply(layer, {"x": X[:, :3]})
