"""Masks that a model computes from its data choose what ONNX Runtime chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx_file.file import read_onnx
from tests.export.onnx_file.agreement import ROWS, STEPS, assert_same
from tests.export.onnx_file.hand_made import FEATURES, model, saved
from tests.zoo.runtimes import open_session

#: Whole numbers: many are equal.  Some steps are padding.
X = np.random.default_rng(2).integers(-2, 3, (ROWS, STEPS, FEATURES)).astype(np.float32)
X[0, -2:] = 0
X[1, 0] = [0, -1, 0, 0]
NUMBERS = {"half": 0.5, "one": 1.0, "far": -1e9, "per": np.arange(FEATURES) - 1.5}
CONSTANTS = {name: np.array(value, np.float32) for name, value in NUMBERS.items()}
CONSTANTS |= {"last": np.array([-1], np.int64)}


def made(*steps: str, **options: Any) -> onnx.ModelProto:
    """Operators as text: "kind first second -> result", the last result being y."""
    nodes = []
    for step in steps:
        words, _, result = step.partition(" -> ")
        kind, *given = words.split()
        further: dict[str, Any] = {
            "Cast": {"to": TensorProto.FLOAT},
            "ReduceL1": {"axes": [2], "keepdims": 0},
        }
        nodes.append(helper.make_node(kind, given, [result], **further.get(kind, {})))
    return model(nodes, constants=CONSTANTS, **options)


MASKED = "Where m far x -> y"
SPELLINGS = {
    "filled": made("Greater x one -> m", MASKED),
    "the number first": made("Less one x -> m", MASKED),
    "at least": made("GreaterOrEqual x one -> m", MASKED),
    "at most": made("LessOrEqual x one -> m", MASKED),
    "equal": made("Equal x one -> m", MASKED),
    "two values": made("Relu x -> r", "Less x r -> m", "Where m x r -> y"),
    "equal values": made("Relu x -> r", "Equal x r -> m", MASKED),
    "not": made("Greater x one -> n", "Not n -> m", MASKED),
    "and": made("Greater x half -> a", "Less x one -> b", "And a b -> m", MASKED),
    "or": made("Less x half -> a", "Greater x one -> b", "Or a b -> m", MASKED),
    "as numbers": made("Greater x half -> m", "Cast m -> n", "Mul x n -> y"),
    "a number for each feature": made("Greater x half -> m", "Where m x per -> y"),
    "two numbers": made("Greater x half -> m", "Where m one half -> y"),
    "padded steps": made(
        "ReduceL1 x -> n", "Greater n one -> k", "Not k -> j", "Unsqueeze j last -> m", MASKED,
        inputs={"x": ["batch", STEPS, FEATURES]},
    ),
    "steps before a layer": made(
        "ReduceL1 x -> n", "Greater n one -> m", "Cast m -> c", "Unsqueeze c last -> k",
        "Mul x k -> y",
    ),
    "log where it is finite": made("Greater x half -> m", "Log x -> l", "Where m l far -> y"),
    "reciprocals where they are finite": made(
        "ReduceL1 x -> n", "Sub n one -> o", "Relu o -> p", "Reciprocal p -> r",
        "Unsqueeze r last -> q", "Add x q -> z", "Greater n one -> k", "Unsqueeze k last -> m",
        "Where m z half -> y", inputs={"x": ["batch", STEPS, FEATURES]},
    ),
    "zeros like": made(
        "Greater x half -> m", "Shape x -> s", "ConstantOfShape s -> z", "Where m x z -> y"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_masks_of_data(name, tmp_path):
    assert_same(SPELLINGS[name], tmp_path, x=X)


@pytest.mark.parametrize("backend", ["onnx", "tflite", "native"])
@pytest.mark.parametrize(
    "name",
    [
        "filled",
        "padded steps",
        "two values",
        "log where it is finite",
        "reciprocals where they are finite",
    ],
)
def test_every_format_chooses_alike(name, backend, tmp_path):
    graph = read_onnx(saved(SPELLINGS[name], tmp_path)).graph
    own = onnxruntime.InferenceSession(
        SPELLINGS[name].SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = own.run(None, {"x": X})
    given = open_session(backend, graph)({"x": X})
    assert np.array_equal(given["y"], expected)


def test_tokens_hide_their_steps(tmp_path):
    table = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["v"]),
        helper.make_node("Equal", ["x", "zero"], ["e"]),
        helper.make_node("Unsqueeze", ["e", "last"], ["m"]),
        helper.make_node("Where", ["m", "far", "v"], ["y"]),
    ]
    constants = {**CONSTANTS, "table": table, "zero": np.array(0, np.int64)}
    inputs = {"x": ["batch", "time"]}
    tokens = model(nodes, constants=constants, inputs=inputs, element=TensorProto.INT64)
    assert_same(tokens, tmp_path)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (["Greater x per -> m", MASKED], "several numbers.*Compare with one number"),
        (["Greater x half -> m", "Where m one last -> y"], "whole numbers"),
    ],
)
def test_other_choices_are_refused_with_a_remedy(steps, words, tmp_path):
    with pytest.raises(UnsupportedLayer, match=words):
        read_onnx(saved(made(*steps), tmp_path))


def test_a_mask_that_is_a_constant_is_refused(tmp_path):
    constants = {**CONSTANTS, "m": np.ones((STEPS, FEATURES), bool)}
    node = helper.make_node("Where", ["m", "x", "far"], ["y"])
    with pytest.raises(UnsupportedLayer, match=r"mask that is a constant.*multiply"):
        read_onnx(saved(model([node], constants=constants), tmp_path))
