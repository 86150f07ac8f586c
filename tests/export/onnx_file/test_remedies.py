"""What the reader says to do instead is read, and computes what ONNX Runtime computes.

Each row is a pair: what is refused, a word of its remedy, and the same model after the remedy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.onnx_file.file import read_onnx
from tests.export.onnx_file.agreement import assert_same
from tests.export.onnx_file.hand_made import model, recurrent, saved

RNG = np.random.default_rng(3)
TABLE = RNG.normal(size=(6, 3)).astype(np.float32)
MATRIX = RNG.normal(size=(4, 4)).astype(np.float32)
X = {"x": ["batch", 5, 4]}
IMAGE = {"x": ["batch", 2, 8, 8]}
VOLUME = {"x": ["batch", 2, 8, 8, 8]}


def chain(*nodes, constants=None, inputs=None, **options):
    """Operators one behind the other, from x to y: (kind, further inputs, attributes)."""
    made, name = [], "x"
    for at, (kind, further, attributes) in enumerate(nodes):
        result = "y" if at == len(nodes) - 1 else f"v{at}"
        where = f"/{kind.lower()}_{at}/{kind}"
        arguments = [further[0], name] if attributes.pop("second", False) else [name, *further]
        made.append(helper.make_node(kind, arguments, [result], name=where, **attributes))
        name = result
    arrays = {key: np.asarray(value) for key, value in (constants or {}).items()}
    return model(made, constants=arrays, inputs=inputs or X, **options)


def kernel(*shape):
    return {"w": RNG.normal(size=shape, scale=0.3).astype(np.float32)}


INTEGERS = TensorProto.INT64
TOKENS = {"x": ["batch", 5]}
#: The first element of the third axis.
FIRST: tuple[str, list[str], dict[str, Any]] = ("Slice", ["start", "stop", "axis"], {})
PART = {"start": [0], "stop": [1], "axis": [2]}


def look_up(tokens):
    return helper.make_node("Gather", ["w", tokens], ["y"], name="/e/Gather")


PAIRS = {
    "transA": (
        chain(("Gemm", ["w"], {"transA": 1}), constants=kernel(5, 4), inputs={"x": [5, 4]}),
        "Transpose the input before",
        chain(("Gemm", ["w"], {}), constants=kernel(4, 4), inputs={"x": ["batch", 4]}),
    ),
    "matrix first": (
        chain(("MatMul", ["w"], {"second": True}), constants=kernel(5, 5)),
        "the value first",
        chain(("MatMul", ["w"], {}), constants={"w": MATRIX}),
    ),
    "cubes": (
        chain(("Pow", ["w"], {}), constants={"w": np.float32(3)}),
        "squares, square roots and products",
        chain(("Mul", ["x"], {}), ("Mul", ["x"], {})),
    ),
    "whole batch": (
        chain(("Flatten", [], {"axis": 0})),
        "flatten(1)",
        chain(("Flatten", [], {"axis": 1})),
    ),
    "backwards": (
        chain(("Slice", ["a", "b", "c", "d"], {}),
              constants={"a": [3], "b": [0], "c": [1], "d": [-1]}),
        "Flip whole axes",
        chain(("Slice", ["a", "b", "c", "d"], {}),
              constants={"a": [-1], "b": [-(1 << 40)], "c": [1], "d": [-1]}),
    ),
    "places": (
        chain(("Gather", ["w"], {"axis": 1}), constants={"w": [0, 2, 3]}),
        "a range of neighbours",
        chain(("Gather", ["w"], {"axis": 1}), constants={"w": [1, 2, 3]}),
    ),
    "repeat": (
        chain(FIRST, ("Expand", ["w"], {}), ("Mul", ["x"], {}),
              constants=PART | {"w": [1, 5, 3, 4]}, inputs={"x": ["batch", 5, 3, 4]}),
        "broadcast",
        chain(FIRST, ("Mul", ["x"], {}), constants=PART, inputs={"x": ["batch", 5, 3, 4]}),
    ),
    "repeat of several": (
        chain(("Tile", ["w"], {}), constants={"w": [1, 2, 1]}),
        "with cat",
        chain(("Concat", ["x"], {"axis": 1})),
    ),
    "auto_pad": (
        chain(("Conv", ["w"], {"auto_pad": "SAME_LOWER"}), constants=kernel(2, 5, 3)),
        "in numbers",
        chain(("Conv", ["w"], {"pads": [1, 1]}), constants=kernel(2, 5, 3)),
    ),
    "arithmetic with tokens": (
        model([helper.make_node("Add", ["x", "one"], ["z"], name="/a/Add"), look_up("z")],
              constants={"w": TABLE, "one": np.int64(1)}, inputs=TOKENS, element=INTEGERS),
        "outside of the model",
        model([look_up("x")], constants={"w": TABLE}, inputs=TOKENS, element=INTEGERS),
    ),
    "one joined value": (
        chain(("Concat", ["x"], {"axis": 0})),
        "features or steps",
        chain(("Concat", ["x"], {"axis": 2})),
    ),
    "three axes": (
        chain(("Conv", ["w"], {}), constants=kernel(2, 2, 3, 3, 3), inputs=VOLUME),
        "Conv2d",
        chain(("Conv", ["w"], {}), constants=kernel(2, 2, 3, 3), inputs=IMAGE),
    ),
    "padding of one side": (
        chain(("Conv", ["w"], {"pads": [0, 1, 2, 1]}), constants=kernel(2, 2, 3, 3), inputs=IMAGE),
        "odd window and stride 1",
        chain(("Conv", ["w"], {"pads": [1, 1, 1, 1]}), constants=kernel(2, 2, 3, 3), inputs=IMAGE),
    ),
    "ceil_mode": (
        chain(("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
              inputs=IMAGE),
        "without them",
        chain(("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}), inputs=IMAGE),
    ),
    "padded pool": (
        chain(("MaxPool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}), inputs=IMAGE),
        "padding=0",
        chain(("MaxPool", [], {"kernel_shape": [3, 3]}), inputs=IMAGE),
    ),
    "pad with ones": (
        chain(("Pad", ["w", "v"], {}), constants={"w": [0, 2, 0, 0, 0, 0], "v": np.float32(1)}),
        "Pad with zeros",
        chain(("Pad", ["w", "v"], {}), constants={"w": [0, 2, 0, 0, 0, 0], "v": np.float32(0)}),
    ),
    "pad features": (
        chain(("Pad", ["w"], {}), constants={"w": [0, 1, 1, 0, 0, 0]}),
        "steps of time only",
        chain(("Pad", ["w"], {}), constants={"w": [0, 1, 0, 0, 0, 0]}),
    ),
    "sum of a free axis": (
        chain(("ReduceSum", ["w"], {"keepdims": 0}), constants={"w": [1]},
              inputs={"x": ["batch", "time", 4]}),
        "mean over time",
        chain(("ReduceMean", [], {"axes": [1], "keepdims": 0}),
              inputs={"x": ["batch", "time", 4]}),
    ),
    "norm of two axes": (
        chain(("LayerNormalization", ["w"], {"axis": -2}),
              constants={"w": np.ones((5, 4), np.float32)}),
        "the last axis",
        chain(("LayerNormalization", ["w"], {"axis": -1}), constants={"w": np.ones(4, np.float32)}),
    ),
    "clip of a cell": (
        recurrent("GRU", clip=1.0), "Leave out clip", recurrent("GRU", linear_before_reset=1),
    ),
    "peepholes": (
        recurrent("LSTM", extra=("", "", "", "p")), "without peepholes", recurrent("LSTM"),
    ),
    "other activations": (
        recurrent("GRU", activations=["HardSigmoid", "Tanh"]),
        "sigmoid, tanh or relu",
        recurrent("GRU", activations=["Sigmoid", "Relu"]),
    ),
    "layout": (recurrent("RNN", layout=1), "layout=0", recurrent("RNN", layout=0)),
    "tokens of floats": (
        model([look_up("x")], constants={"w": TABLE}, inputs=TOKENS),
        "type int64",
        model([look_up("x")], constants={"w": TABLE}, inputs=TOKENS, element=INTEGERS),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", PAIRS)
def test_the_remedy_of_a_refusal_is_read(what, tmp_path):
    refused, words, remedied = PAIRS[what]
    with pytest.raises((UnsupportedLayer, ModelFileError)) as refusal:
        read_onnx(saved(refused, tmp_path))
    assert words in refusal.value.remedy
    assert_same(remedied, tmp_path)
