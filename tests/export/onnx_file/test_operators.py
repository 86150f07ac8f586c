"""Operators made by hand compute what ONNX Runtime computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from edgernn.export.onnx_file.file import read_onnx
from edgernn.graph import Gru, Lstm
from tests.export.onnx_file.agreement import assert_same
from tests.export.onnx_file.hand_made import FEATURES, model, recurrent, saved


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("GRU", {"linear_before_reset": 0}), ("GRU", {"linear_before_reset": 1}), ("LSTM", {}),
     ("RNN", {}), ("RNN", {"activations": ["Relu"]})],
)  # fmt: skip
def test_recurrent_layers_of_each_direction(kind, options, direction, tmp_path):
    if "activations" in options and direction == "bidirectional":
        options = {"activations": options["activations"] * 2}
    assert_same(recurrent(kind, direction=direction, **options), tmp_path)


def one(kind, *constants, opset=17, view=None, steps="time", **attributes):
    """x -> kind -> y, with constants as the other arguments."""
    arrays = {f"c{at}": array for at, array in enumerate(constants)}
    before = [] if view is None else [helper.make_node("Transpose", ["x"], ["v"], perm=view)]
    node = helper.make_node(kind, ["x" if view is None else "v", *arrays], ["y"], **attributes)
    return model(
        [*before, node], constants=arrays, opset=opset, inputs={"x": ["batch", steps, FEATURES]}
    )


def f(*shape):
    return np.random.default_rng(len(shape)).uniform(0.5, 2, shape).astype(np.float32)


def i(*numbers):
    return np.array(numbers, np.int64)


#: Named, so that a failure says which spelling is read wrongly.
SPELLINGS = {
    "relu": one("Relu"), "elu": one("Elu", alpha=0.7), "selu": one("Selu"),
    "leaky": one("LeakyRelu", alpha=0.2), "softplus": one("Softplus"), "softsign": one("Softsign"),
    "hard_sigmoid": one("HardSigmoid", alpha=0.3, beta=0.4), "hard_swish": one("HardSwish"),
    "relu6": one("Clip", np.float32(0).reshape(()), np.float32(1.5).reshape(())),
    "clip both": one("Clip", np.float32(-0.5).reshape(()), np.float32(0.75).reshape(())),
    "clip above": one("Clip", opset=9, max=0.5), "clip below": one("Clip", opset=9, min=-0.25),
    "clip far": one("Clip", np.float32(-1e9).reshape(()), np.float32(1e6).reshape(())),
    "clip nowhere": one("Clip", opset=9, min=-3.4028234663852886e38, max=3.4028234663852886e38),
    "max far": one("Max", np.full(1, -1e9, np.float32)),
    "min far": one("Min", np.full(1, 1e9, np.float32)),
    "max": one("Max", f(FEATURES) - 1), "min": one("Min", np.full(1, 0.25, np.float32)),
    "max steps": one("Max", f(6, 1) - 1, steps=6),
    "abs": one("Abs"), "square": one("Pow", np.float32(2).reshape(())),
    "prelu": one("PRelu", f(FEATURES)), "neg": one("Neg"), "exp": one("Exp"),
    "softmax last": one("Softmax", axis=-1), "softmax time": one("Softmax", axis=1),
    "log_softmax": one("LogSoftmax", axis=-1),
    "softmax old": one("Softmax", axis=2, opset=11),
    "add scalar": one("Add", f(1)), "add features": one("Add", f(FEATURES)),
    "mul steps": one("Mul", f(6, 1), steps=6), "sub": one("Sub", f(FEATURES)),
    "div": one("Div", f(FEATURES)), "flatten free": one("Reshape", i(0, -1)),
    "flatten": one("Flatten", steps=6),
    "mul seen as channels": one("Mul", f(FEATURES, 1), view=[0, 2, 1]),
    "matmul": one("MatMul", f(FEATURES, 5)), "matmul to one": one("MatMul", f(FEATURES, 1)),
    "squeezed slice": one("Gather", i(2).reshape(()), axis=1),
    "gather last": one("Gather", i(-1).reshape(()), axis=1),
    "gather range": one("Gather", i(1, 2, 3), axis=1), "gather one": one("Gather", i(-1), axis=1),
    "slice": one("Slice", i(1), i(5), i(1), i(2)),
    "slice end": one("Slice", i(-3), i(1 << 40), i(1)),
    "slice two axes": one("Slice", i(1, 1), i(4, 3), i(1, 2)),
    "slice attributes": one("Slice", opset=9, starts=[1], ends=[3], axes=[2]),
    "flip": one("Slice", i(-1), i(-(1 << 40)), i(1), i(-1)),
    "flip features": one("Slice", i(-1), i(-(1 << 40)), i(2), i(-1)),
    "reduce mean": one("ReduceMean", axes=[1], keepdims=0),
    "reduce mean kept": one("ReduceMean", axes=[1]),
    "reduce max": one("ReduceMax", axes=[1], keepdims=0),
    "reduce features": one("ReduceMean", axes=[2]), "reduce both": one("ReduceMean", axes=[1, 2]),
    "layer_norm": one("LayerNormalization", f(FEATURES), f(FEATURES), axis=-1, epsilon=1e-3),
    "batch_norm": one("BatchNormalization", f(FEATURES), f(FEATURES), f(FEATURES), f(FEATURES),
                      view=[0, 2, 1]),
    "conv": one("Conv", f(5, FEATURES, 3), f(5), view=[0, 2, 1]),
    "conv same": one("Conv", f(5, FEATURES, 3), pads=[1, 1], view=[0, 2, 1]),
    "conv causal": one("Conv", f(5, FEATURES, 3), pads=[4, 0], dilations=[2], view=[0, 2, 1]),
    "conv padded": one("Conv", f(5, FEATURES, 3), pads=[1, 1], strides=[2], view=[0, 2, 1]),
    "conv same as Keras": one("Conv", f(5, FEATURES, 3), auto_pad="SAME_UPPER", view=[0, 2, 1]),
    "conv same, stride": one("Conv", f(5, FEATURES, 4), auto_pad="SAME_UPPER", strides=[3],
                             view=[0, 2, 1]),
    "conv groups": one("Conv", f(8, 2, 2), f(8), group=2, view=[0, 2, 1]),
    "max_pool": one("MaxPool", kernel_shape=[2], strides=[2], view=[0, 2, 1]),
    "average_pool": one("AveragePool", kernel_shape=[3], view=[0, 2, 1]),
    "global pool": one("GlobalAveragePool", view=[0, 2, 1]),
    "global max": one("GlobalMaxPool", view=[0, 2, 1]),
    "pad": one("Pad", i(0, 2, 0, 0, 1, 0)),
    "flatten after slice": one("Reshape", i(0, -1, 2)),
    "reshape split": one("Reshape", i(0, 0, 2, 2)),
    "transpose": one("Transpose", perm=[0, 2, 1]),
    "unsqueeze": one("Unsqueeze", i(1)), "old unsqueeze": one("Unsqueeze", opset=11, axes=[2]),
    "sum old": one("ReduceSum", opset=11, axes=[2], keepdims=0),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["Sqrt", "Log", "Reciprocal"])
def test_functions_of_positive_numbers(kind, tmp_path):
    nodes = [helper.make_node("Exp", ["x"], ["e"]), helper.make_node(kind, ["e"], ["y"])]
    assert_same(model(nodes), tmp_path)


@pytest.mark.parametrize("exponent", [0.5, -0.5, -1.0, 2.0, 1.0])
def test_powers_of_positive_numbers(exponent, tmp_path):
    nodes = [helper.make_node("Exp", ["x"], ["e"]), helper.make_node("Pow", ["e", "n"], ["y"])]
    assert_same(model(nodes, constants={"n": np.float32(exponent)}), tmp_path)


@pytest.mark.parametrize("order", [["x", "e"], ["one", "e"], ["e", "one"]])
def test_quotients(order, tmp_path):
    nodes = [helper.make_node("Exp", ["x"], ["e"]), helper.make_node("Div", order, ["y"])]
    assert_same(model(nodes, constants={"one": f(FEATURES)}), tmp_path)


def test_a_sum_divides_each_step(tmp_path):
    nodes = [helper.make_node("Exp", ["x"], ["e"]),
             helper.make_node("ReduceMean", ["e"], ["mean"], axes=[2]),
             helper.make_node("Div", ["e", "mean"], ["y"])]  # fmt: skip
    assert_same(model(nodes), tmp_path)


@pytest.mark.parametrize("kind", ["Tile", "Expand"])
def test_a_row_repeated_as_steps(kind, tmp_path):
    nodes = [helper.make_node("ReduceMean", ["x"], ["row"], axes=[1]),
             helper.make_node(kind, ["row", "times"], ["y"])]  # fmt: skip
    made = model(nodes, constants={"times": i(1, 4, 1)})
    assert_same(made, tmp_path)
    assert type(read_onnx(tmp_path / "made.onnx").graph.layers[-1]).__name__ == "Repeat"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_operator_is_read_as_onnx_runtime_runs_it(spelling, tmp_path):
    assert_same(SPELLINGS[spelling], tmp_path)


def test_a_softmax_of_a_merged_axis(tmp_path):
    made = model(
        [
            helper.make_node("Reshape", ["x", "s"], ["a"]),
            helper.make_node("Softmax", ["a"], ["y"], axis=-1),
        ],
        constants={"s": i(2, -1)},
        inputs={"x": [2, 6, FEATURES]},
    )
    assert_same(made, tmp_path)


def test_two_values_meet_in_unlike_orders_of_axes(tmp_path):
    made = model(
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["x", "w"], ["d"]),
            helper.make_node("Transpose", ["d"], ["dt"], perm=[0, 2, 1]),
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["t", "dt"], ["p"]),
            helper.make_node("Transpose", ["p"], ["pt"], perm=[0, 2, 1]),
            helper.make_node("Sub", ["pt", "m"], ["y"]),
        ],
        constants={"w": f(FEATURES, FEATURES)},
    )
    assert_same(made, tmp_path)


def test_parts_of_a_split_are_joined_in_another_order(tmp_path):
    made = model(
        [
            helper.make_node("Split", ["x", "s"], ["a", "b"], axis=2),
            helper.make_node("Concat", ["b", "a"], ["c"], axis=2),
            helper.make_node("Concat", ["c", "x"], ["y"], axis=1),
        ],
        constants={"s": i(1, 3)},
    )
    assert_same(made, tmp_path)


def test_gelu_and_layer_norm_in_the_spelling_of_old_exporters(tmp_path):
    n = helper.make_node
    made = model(
        [
            n("ReduceMean", ["x"], ["m"], axes=[-1]), n("Sub", ["x", "m"], ["c"]),
            n("Pow", ["c", "two"], ["q"]), n("ReduceMean", ["q"], ["v"], axes=[-1]),
            n("Add", ["v", "eps"], ["ve"]), n("Sqrt", ["ve"], ["sd"]), n("Div", ["c", "sd"], ["u"]),
            n("Mul", ["u", "g"], ["ug"]), n("Add", ["ug", "b"], ["l"]),
            n("Div", ["l", "root"], ["a"]), n("Erf", ["a"], ["e"]), n("Add", ["e", "one"], ["p"]),
            n("Mul", ["l", "p"], ["lp"]), n("Mul", ["lp", "half"], ["y"]),
        ],
        constants={
            "two": np.float32(2).reshape(()), "eps": np.float32(1e-5).reshape(()),
            "g": f(FEATURES), "b": f(FEATURES), "root": np.float32(2**0.5).reshape(()),
            "one": np.float32(1).reshape(()), "half": np.float32(0.5).reshape(()),
        },
        opset=13,
    )  # fmt: skip
    assert_same(made, tmp_path)
    kinds = [type(layer).__name__ for layer in read_onnx(saved(made, tmp_path)).graph.layers]
    assert kinds == ["LayerNorm", "Activate"]


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_zero_states_are_recognised_where_the_batch_is_free(kind, tmp_path):
    """Shape, Gather, Concat, Expand: exporters compute the shape of the zeros."""
    made = recurrent(kind, extra=("", "h0", *(["h0"] if kind == "LSTM" else [])))
    n = helper.make_node
    states = [
        n("Shape", ["x"], ["shape"]),
        n("Gather", ["shape", "zero"], ["rows"]),
        n("Unsqueeze", ["rows", "first"], ["row"]),
        n("Concat", ["ones", "row", "units"], ["wanted"], axis=0),
        n("Expand", ["nought", "wanted"], ["h0"]),
    ]
    for name, array in {
        "zero": np.int64(0).reshape(()), "first": i(0), "ones": i(1), "units": i(3),
        "nought": np.float32(0).reshape(()),
    }.items():  # fmt: skip
        made.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    nodes = [*states, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    assert_same(made, tmp_path)
    (layer, *_) = read_onnx(saved(made, tmp_path)).graph.layers
    assert isinstance(layer, Gru | Lstm)
    assert layer.initial_h is None
