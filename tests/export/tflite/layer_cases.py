"""All other layers with every option."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    LINEAR,
    RELU,
    SIGMOID,
    SOFTMAX,
    TANH,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyNotEqual,
    ApplyMask,
    Attention,
    Concatenate,
    Conv1D,
    Dense,
    Dot,
    Embedding,
    FoldTime,
    GlobalPool1D,
    Input,
    Layer,
    LayerNorm,
    Merge,
    MergeKind,
    NotEqual,
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
from tests.export.tflite.models import (
    FEATURES,
    STEPS,
    UNITS,
    Case,
    case,
    floats,
    gru,
    lstm,
    mask_input,
    row,
    sequence,
    single,
    tokens,
    weights,
)


def activation_cases() -> Iterator[tuple[str, Case]]:
    chosen = [
        RELU, SIGMOID, TANH, SOFTMAX, HARD_SIGMOID_KERAS2, HARD_SIGMOID_KERAS3, LINEAR,
        Activation(kind=ActivationKind.RELU, max_value=6.0),
        Activation(kind=ActivationKind.RELU, alpha=0.2),
        Activation(kind=ActivationKind.RELU, alpha=0.2, beta=0.5, max_value=1.0),
        Activation(kind=ActivationKind.RELU, beta=0.5),
        Activation(kind=ActivationKind.SOFTMAX, axis=1),
        Activation(kind=ActivationKind.ELU, alpha=1.0),
        Activation(kind=ActivationKind.ELU, alpha=0.7),
        *(
            Activation(kind=ActivationKind(kind))
            for kind in (
                "log_softmax", "softplus", "softsign", "selu", "gelu", "gelu_tanh", "silu",
                "hard_silu", "mish", "exponential",
            )
        ),
    ]  # fmt: skip
    for activation in chosen:
        name = "_".join(
            str(value)
            for value in (activation.kind.value, activation.alpha, activation.beta,
                          activation.max_value, activation.axis)
        )  # fmt: skip
        layer = Activate(name="a", input="x", output="y", activation=activation)
        yield f"activation {name}", single(layer)
    dense = Dense(
        name="d", input="x", output="y", kernel=weights(FEATURES, 4), bias=floats(4),
        activation=Activation(kind=ActivationKind.SILU),
    )  # fmt: skip
    yield "dense silu", single(dense)
    yield "dense relu", single(replace(dense, activation=RELU))
    yield "dense of rows", single(dense, row("x", FEATURES))
    yield "dense without bias", single(replace(dense, bias=None))


def window_cases() -> Iterator[tuple[str, Case]]:
    for steps in (None, STEPS):
        known = "" if steps is None else " known length"
        for padding in Padding:
            for options in ({}, {"stride": 2}, {"dilation": 2}, {"groups": 2}, {"groups": 4}):
                layer = Conv1D(
                    name="c", input="x", output="y", padding=padding, activation=RELU,
                    kernel=weights(3, 4 // options.get("groups", 1), 8), bias=floats(8), **options,
                )  # fmt: skip
                text = " ".join(f"{key} {value}" for key, value in options.items())
                yield (
                    f"convolution {padding.value} {text}{known}",
                    single(layer, sequence(features=4, steps=steps)),
                )
    depthwise = Conv1D(
        name="c", input="x", output="y", kernel=weights(3, 1, 4), bias=None, groups=4, dilation=2,
        activation=TANH,
    )  # fmt: skip
    yield "depthwise dilated", single(depthwise, sequence(features=4))
    for kind in PoolKind:
        for padding in (Padding.VALID, Padding.SAME):
            for window, stride in ((2, 2), (3, 1), (3, 2)):
                pool = Pool1D(
                    name="p", input="x", output="y", kind=kind, window=window, stride=stride,
                    padding=padding,
                )  # fmt: skip
                yield f"{kind.value} pool {padding.value} {window} {stride}", single(pool)
        for keepdims in (False, True):
            everything = GlobalPool1D(name="g", input="x", output="y", kind=kind, keepdims=keepdims)
            yield f"global {kind.value} pool keepdims {keepdims}", single(everything)
            inputs = [sequence(), mask_input()]
            yield (
                f"masked global {kind.value} pool keepdims {keepdims}",
                single(replace(everything, mask="m"), *inputs),
            )


def shaping_cases() -> Iterator[tuple[str, Case]]:
    x: dict[str, Any] = {"name": "s", "input": "x", "output": "y"}
    yield "flatten", single(Reshape(**x, target=(35,)), sequence(steps=STEPS))
    yield "reshape", single(Reshape(**x, target=(5, -1)), sequence(steps=STEPS))
    wide = sequence(features=6)
    yield "reshape of free time", single(Reshape(**x, target=(-1, 3, 2)), wide)
    yield "transpose", single(Transpose(**x, permutation=(0, 2, 1)))
    yield "reverse", single(Reverse(**x))
    yield "repeat", single(Repeat(**x, times=4), row("x"))
    yield "upsample", single(Upsample1D(**x, times=3))
    yield "upsample known length", single(Upsample1D(**x, times=3), sequence(steps=STEPS))
    yield "zero pad", single(ZeroPad1D(**x, left=2, right=1))
    yield "last step", single(Slice(**x, axis=1, start=-1, squeeze=True))
    yield "first step", single(Slice(**x, axis=1, start=0, squeeze=True))
    yield "crop", single(Slice(**x, axis=1, start=1, stop=-2))
    yield "every second", single(Slice(**x, axis=1, start=1, step=2))
    yield "last three", single(Slice(**x, axis=1, start=-3))
    yield "some features", single(Slice(**x, axis=-1, start=1, stop=4))
    yield "slice of a mask", single(Slice(**{**x, "input": "m"}, axis=1, stop=2), mask_input())
    fold: list[Layer] = [
        FoldTime(name="f", input="x", output="folded"),
        Dense(name="d", input="folded", output="z", kernel=weights(FEATURES, 4), bias=None),
        UnfoldTime(name="u", input="z", like="x", output="y"),
    ]
    yield "folded dense", case([sequence()], fold, "y")
    yield "folded dense known length", case([sequence(steps=STEPS)], fold, "y")
    inner = Input(name="x", spec=TensorSpec(shape=(None, 3, 4, FEATURES)))
    folded_rnn: list[Layer] = [
        FoldTime(name="f", input="x", output="folded"),
        gru("r", "folded"),
        UnfoldTime(name="u", input="r.y", like="x", output="y"),
    ]
    yield "folded gru", case([inner], folded_rnn, "y")
    yield "two names of one edge", case([sequence()], [Reverse(**x)], "y", "y", "x")


def merging_cases() -> Iterator[tuple[str, Case]]:
    inputs = [sequence(), sequence("z")]
    for kind in MergeKind:
        layer = Merge(name="m", inputs=("x", "z"), output="y", kind=kind)
        if kind in {MergeKind.AND, MergeKind.OR}:
            yield f"merge {kind.value}", single(layer, mask_input("x"), mask_input("z"))
        else:
            yield f"merge {kind.value}", single(layer, *inputs)
    three = Merge(name="m", inputs=("x", "z", "x"), output="y", kind=MergeKind.AVERAGE)
    yield "average of three", single(three, *inputs)
    row_and_step = [sequence(), Input(name="z", spec=TensorSpec(shape=(None, 1, FEATURES)))]
    product = Merge(name="m", inputs=("x", "z"), output="y", kind=MergeKind.MULTIPLY)
    yield "merge broadcast", single(product, *row_and_step)
    for axis in (1, -1):
        layer_ = Concatenate(name="c", inputs=("x", "z"), output="y", axis=axis)
        yield f"concatenate {axis}", single(layer_, *inputs)
    for left, right in ((2, 2), (1, 1)):
        for normalize in (False, True):
            dot = Dot(
                name="d", left="x", right="z", output="y", left_axis=left, right_axis=right,
                normalize=normalize,
            )  # fmt: skip
            yield f"dot {left} {right} {normalize}", single(dot, *inputs)
    rows = Dot(name="d", left="x", right="z", output="y", left_axis=1, right_axis=1)
    yield "dot of rows", single(rows, row("x"), row("z"))
    mixed = Dot(name="d", left="x", right="z", output="y", left_axis=2, right_axis=1)
    yield "dot of sequence and row", single(mixed, sequence(), row("z", FEATURES))
    yield "attention", _attention()
    yield "attention causal", _attention(causal=True, scale=0.5)
    yield "attention masked", _attention(key_mask="m", query_mask="n")
    yield "attention masked causal", _attention(key_mask="m", query_mask="n", causal=True)
    yield "attention known length", _attention(steps=STEPS, causal=True)


def _attention(steps: int | None = None, **options: Any) -> Case:
    layer = Attention(name="a", query="x", value="z", key="z", output="y", **options)
    masks = [mask_input(name) for name in ("m", "n") if name in options.values()]
    return single(layer, sequence(steps=steps), sequence("z", steps=steps), *masks)


def other_cases() -> Iterator[tuple[str, Case]]:
    embedding = Embedding(name="e", input="t", output="x", table=weights(9, FEATURES))
    yield "embedding", single(embedding, tokens())
    masked: list[Layer] = [
        embedding,
        NotEqual(name="n", input="t", output="m"),
        lstm("r", "x", mask="m"),
    ]
    yield "embedding with mask", case([tokens()], masked, "r.y", "m")
    masking: list[Layer] = [
        AnyNotEqual(name="n", input="x", output="m", value=0.0),
        ApplyMask(name="k", input="x", mask="m", output="z"),
        gru("r", "z", mask="m", return_sequences=True),
    ]
    made = case([sequence()], masking, "r.y", "m")
    made.inputs["x"][:, 2:4] = 0.0
    yield "masking", made
    x: dict[str, Any] = {"name": "n", "input": "x", "output": "y"}
    yield "affine", single(Affine(**x, scale=weights(FEATURES), offset=floats(FEATURES)))
    one, zero = np.ones(FEATURES, np.float32), np.zeros(FEATURES, np.float32)
    yield "affine without effect", single(Affine(**x, scale=one, offset=zero))
    yield "affine scale", single(Affine(**x, scale=weights(1, STEPS, 1), offset=zero))
    norm = LayerNorm(**x, gamma=floats(FEATURES), beta=floats(FEATURES), epsilon=1e-3)
    yield "layer norm", single(norm)
    yield "rms norm", single(replace(norm, rms=True, beta=None))
    yield "layer norm bare", single(replace(norm, gamma=None, beta=None))
    both = LayerNorm(
        **x, gamma=floats(STEPS, FEATURES), beta=floats(STEPS, FEATURES), epsilon=1e-3, axes=2
    )
    yield "layer norm of two axes", single(both, sequence(steps=STEPS))
    yield "prelu", single(PRelu(**x, alpha=floats(FEATURES)))
    yield "prelu of steps", single(PRelu(**x, alpha=floats(STEPS, FEATURES)), sequence(steps=STEPS))
    yield "shared layer", _shared_layer()
    yield "whole model", _whole_model()


def _shared_layer() -> Case:
    first = gru("a", "x")
    second = replace(first, name="b", input="z", output="b.y", state_h="b.h")
    return case([sequence(), sequence("z")], [first, second], "a.y", "b.y")


def _whole_model() -> Case:
    layers: list[Layer] = [
        Embedding(name="e", input="t", output="e.y", table=weights(9, 8)),
        NotEqual(name="n", input="t", output="m"),
        Conv1D(
            name="c", input="e.y", output="c.y", kernel=weights(3, 8, 8), bias=floats(8),
            padding=Padding.CAUSAL, activation=RELU,
        ),
        lstm("l1", "c.y", 8, mask="m", return_sequences=True),
        lstm("l2", "l1.y", UNITS, mask="m", return_sequences=True),
        GlobalPool1D(name="g", input="l2.y", output="g.y", kind=PoolKind.MAX),
        Dense(
            name="d", input="g.y", output="y", kernel=weights(UNITS, 4), bias=floats(4),
            activation=SOFTMAX,
        ),
    ]  # fmt: skip
    return case([tokens()], layers, "y")
