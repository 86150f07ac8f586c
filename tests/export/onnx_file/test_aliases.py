"""One value under several names, or with one axis twice, is still what ONNX Runtime computes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx_file.file import read_onnx
from tests.export.onnx_file.agreement import X, assert_same
from tests.export.onnx_file.hand_made import FEATURES, model, saved

RNG = np.random.default_rng(7)
CONSTANTS = {
    "w": RNG.normal(size=(FEATURES, 3)).astype(np.float32),
    "u": RNG.normal(size=(FEATURES, 3)).astype(np.float32),
    "b": RNG.normal(size=3).astype(np.float32),
    "one": np.array([1]), "two": np.array([2]),
    "three": np.array([3]), "zero": np.array([0]),
    "split": np.array([-1, 6, 3]),
}  # fmt: skip


def check(folder, lines, outputs=("y",)):
    """lines: "kind inputs -> outputs" with attributes."""
    nodes = []
    for text, attributes in lines:
        left, _, right = text.partition(" -> ")
        kind, *inputs = left.split()
        nodes.append(helper.make_node(kind, inputs, right.split(), **attributes))
    constants = {
        name: array
        for name, array in CONSTANTS.items()
        if any(name in node.input for node in nodes)
    }
    made = model(nodes, constants=constants, inputs={"x": ["batch", 6, FEATURES]}, outputs=outputs)
    assert_same(made, folder, x=X)


SCORES = [("MatMul x w -> q", {}), ("MatMul x u -> k", {}),
          ("Transpose k -> kt", {"perm": [0, 2, 1]}), ("MatMul q kt -> s", {})]  # fmt: skip


@pytest.mark.parametrize(
    "last",
    [
        [("Softmax s -> y", {"axis": 1})],
        [("Transpose s -> y", {"perm": [0, 2, 1]})],
        [("Transpose s -> t", {"perm": [0, 2, 1]}), ("MatMul t q -> y", {})],
        [("ReduceMean s -> y", {"axes": [2], "keepdims": 0})],
        [("ReduceMean s -> y", {"axes": [1], "keepdims": 0})],
    ],
)
def test_scores_of_steps_against_steps_keep_their_two_axes_apart(last, tmp_path):
    check(tmp_path, [*SCORES, *last])


@pytest.mark.parametrize("axis", [1, 2])
def test_differences_of_all_pairs_keep_their_two_axes_apart(axis, tmp_path):
    pairs = [("ReduceMax x -> m", {"axes": [1], "keepdims": 0}), ("MatMul m w -> d", {}),
             ("Unsqueeze d one -> rows", {}), ("Unsqueeze d two -> columns", {}),
             ("Sub rows columns -> p", {}), ("Relu p -> r", {}),
             ("ReduceMean r -> y", {"axes": [axis], "keepdims": 0})]  # fmt: skip
    check(tmp_path, pairs)


@pytest.mark.parametrize(
    "function", [("Relu t -> r", {}), ("Add v b -> r", {}), ("Tanh v -> r", {})]
)
def test_a_function_of_a_view_leaves_the_value_as_it_was(function, tmp_path):
    view = (
        ("Transpose d -> t", {"perm": [0, 2, 1]})
        if " t " in function[0]
        else ("Reshape d split -> v", {})
    )
    check(tmp_path, [("MatMul x w -> d", {}), view, function, ("Neg d -> n", {})], ("r", "n"))


def test_a_function_of_a_joined_part_leaves_the_whole_as_it_was(tmp_path):
    lines = [("MatMul x w -> a", {}), ("MatMul x u -> c", {}), ("Concat a c -> j", {"axis": 2}),
             ("Slice j zero three two -> p", {}), ("Relu p -> r", {}),
             ("Neg j -> n", {})]  # fmt: skip
    check(tmp_path, lines, ("r", "n"))


def test_computed_limits_are_refused(tmp_path):
    nodes = [helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0, axes=[1, 2]),
             helper.make_node("Clip", ["x", "zero", "m"], ["y"], name="/clip")]  # fmt: skip
    path = saved(model(nodes, constants={"zero": np.float32(0)}), tmp_path)
    with pytest.raises(UnsupportedLayer, match="limits that the model computes"):
        read_onnx(path)
