"""What a Keras file means: names, shapes, versions, masks.  The files are written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import reference
from edgernn.export.keras.file import KerasModel, read_model
from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    SIGMOID,
    Affine,
    AnyNotEqual,
    Concatenate,
    Conv1D,
    Dense,
    DType,
    Gru,
    Lstm,
    Merge,
    MergeKind,
    NotEqual,
    Slice,
    TensorSpec,
)
from tests.export.keras.archives import (
    KERAS_2,
    KERAS_3,
    Json,
    call,
    called,
    functional,
    gru_weights,
    input_layer,
    layer,
    operation,
    ramp,
    sequential,
    tensor,
    write_h5,
    write_keras,
)


def read(tmp_path: Path, config: Json, weights: Any = None, version: str = KERAS_3) -> KerasModel:
    return read_model(write_keras(tmp_path / "m.keras", config, weights, version))


def dense(name: str = "dense", units: int = 3, **options: Any) -> Json:
    return layer("Dense", name, units=units, **options)


DENSE = {"kernel": ramp(2, 3), "bias": ramp(3)}


def small(*layers: Json, shape: tuple[int | None, ...] = (None, 5, 2)) -> Json:
    return sequential(input_layer("x", shape), *layers)


def test_inputs_and_outputs_keep_their_keras_names(tmp_path):
    graph = read(tmp_path, small(dense("answer")), {"answer": DENSE}).graph
    assert [entry.name for entry in graph.inputs] == ["x"]
    assert [entry.name for entry in graph.outputs] == ["answer"]
    assert graph.inputs[0].spec == TensorSpec(shape=(None, 5, 2))
    assert graph.output_specs["answer"].shape == (None, 5, 3)


def test_a_layer_called_twice_stores_its_weights_once_and_gets_two_names(tmp_path):
    layers = [
        called(input_layer("a", [None, 2])),
        called(input_layer("b", [None, 2])),
        called(dense("shared"), call(tensor("a")), call(tensor("b"))),
    ]
    config = functional(layers, ["a", "b"], [["shared", 0, 0], ["shared", 1, 0]])
    graph = read(tmp_path, config, {"shared": DENSE}).graph
    assert [entry.name for entry in graph.layers] == ["shared", "shared_1"]
    assert [entry.name for entry in graph.outputs] == ["shared", "shared_1"]
    assert graph.parameters == 9


def test_outputs_given_as_a_dict_are_named_by_its_keys(tmp_path):
    layers = [called(input_layer("a", [None, 2])), called(dense("d"), call(tensor("a")))]
    config = functional(layers, ["a"], [])
    config["config"]["output_layers"] = {"zeta": ["d", 0, 0], "alpha": ["d", 0, 0]}
    graph = read(tmp_path, config, {"d": DENSE}).graph
    assert [entry.name for entry in graph.outputs] == ["alpha", "zeta"]


def test_layers_of_a_nested_model_are_named_by_their_place(tmp_path):
    inner = sequential(input_layer("i", [None, 2]), dense("d"), name="head")
    graph = read(tmp_path, small(inner, shape=(None, 2)), {"head/d": DENSE}).graph
    assert [entry.name for entry in graph.layers] == ["head/d"]
    assert [entry.name for entry in graph.outputs] == ["head"]


def test_calls_of_nested_models_are_counted_from_one_by_keras_2(tmp_path):
    inner = sequential(input_layer("i", [None, 2]), dense("d"), name="head")
    layers = [
        called(input_layer("a", [None, 2])),
        called(inner, [["a", 0, 0, {}]]),
        called(dense("last", 1, use_bias=False), [["head", 1, 0, {}]]),
    ]
    config = functional(layers, ["a"], [["last", 0, 0], ["head", 1, 0]])
    weights = {"head/d": DENSE, "last": {"kernel": ramp(3, 1)}}
    graph = read_model(write_h5(tmp_path / "m.h5", config, weights)).graph
    assert [entry.name for entry in graph.outputs] == ["last", "head"]


def test_layers_may_be_listed_before_what_they_take(tmp_path):
    layers = [
        called(dense("second", 1, use_bias=False), call(tensor("first"))),
        called(dense("first"), call(tensor("a"))),
        called(input_layer("a", [None, 2])),
    ]
    weights = {"first": DENSE, "second": {"kernel": ramp(3, 1)}}
    graph = read(tmp_path, functional(layers, ["a"], ["second"]), weights).graph
    assert [entry.name for entry in graph.layers] == ["first", "second"]


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
def test_inputs_of_embeddings_are_tokens_whatever_the_config_says(tmp_path, dtype):
    config = sequential(
        input_layer("t", [None, None], dtype),
        layer("Embedding", "e", input_dim=4, output_dim=2),
    )
    graph = read(tmp_path, config, {"e": {"embeddings": ramp(4, 2)}}).graph
    assert graph.inputs[0].spec == TensorSpec(shape=(None, None), dtype=DType.INT32)


def test_integer_inputs_of_other_layers_are_numbers(tmp_path):
    config = sequential(input_layer("t", [None, 2], "uint8"), dense("d"))
    graph = read(tmp_path, config, {"d": DENSE}).graph
    assert graph.inputs[0].spec.dtype is DType.FLOAT32


def gru(name: str = "gru", units: int = 3, **options: Any) -> Json:
    return layer("GRU", name, units=units, **options)


@pytest.mark.parametrize(
    ("version", "reset_after", "activation"),
    [(KERAS_3, True, SIGMOID), (KERAS_2, False, HARD_SIGMOID_KERAS2)],
)
def test_what_a_config_leaves_out_is_that_version_s_default(
    tmp_path, version, reset_after, activation
):
    weights = {"gru": gru_weights(2, 3, reset_after=reset_after)}
    (found,) = read(tmp_path, small(gru()), weights, version).graph.layers
    assert isinstance(found, Gru)
    assert found.reset_after is reset_after
    assert found.recurrent_activation == activation


@pytest.mark.parametrize(
    ("version", "activation"),
    [
        ("2.2.4", HARD_SIGMOID_KERAS2),
        ("2.15.0", HARD_SIGMOID_KERAS2),
        ("3.0.0", HARD_SIGMOID_KERAS3),
    ],
)
def test_hard_sigmoid_changed_with_keras_3(tmp_path, version, activation):
    config = small(dense(activation="hard_sigmoid"))
    (found,) = read(tmp_path, config, {"dense": DENSE}, version).graph.layers
    assert isinstance(found, Dense)
    assert found.activation == activation


def test_an_activation_may_be_a_serialized_function_or_layer(tmp_path):
    function = {"module": "keras.activations", "class_name": "function", "config": "tanh"}
    slope = {"class_name": "LeakyReLU", "config": {"name": "l", "negative_slope": 0.125}}
    for given, alpha in ((function, 0.0), (slope, 0.125)):
        (found,) = read(tmp_path, small(dense(activation=given)), {"dense": DENSE}).graph.layers
        assert isinstance(found, Dense)
        assert found.activation.alpha == alpha


MASKED = [
    called(input_layer("a", [None, None, 2])),
    called(input_layer("b", [None, None, 2])),
    called(layer("Masking", "ma", mask_value=0.0), call(tensor("a"))),
    called(layer("Masking", "mb", mask_value=-1.0), call(tensor("b"))),
]


@pytest.mark.parametrize(
    ("version", "kind"), [("2.8.0", MergeKind.AND), ("3.4.0", MergeKind.OR), ("3.3.0", None)]
)
def test_masks_of_merged_tensors_are_combined_as_that_version_did(tmp_path, version, kind):
    layers = [
        *MASKED,
        called(layer("Add", "add"), call([tensor("ma"), tensor("mb")])),
        called(gru(reset_after=True), call(tensor("add"))),
    ]
    config = functional(layers, ["a", "b"], ["gru"])
    graph = read(tmp_path, config, {"gru": gru_weights(2, 3)}, version).graph
    masks = [
        entry.kind
        for entry in graph.layers
        if isinstance(entry, Merge) and entry.kind in (MergeKind.AND, MergeKind.OR)
    ]
    (found,) = (entry for entry in graph.layers if isinstance(entry, Gru))
    assert masks == ([] if kind is None else [kind])
    assert (found.mask is None) == (kind is None)


def test_masks_joined_in_time_are_joined(tmp_path):
    layers = [
        *MASKED,
        called(layer("Concatenate", "c", axis=1), call([tensor("ma"), tensor("mb")])),
        called(gru(), call(tensor("c"))),
    ]
    graph = read(
        tmp_path, functional(layers, ["a", "b"], ["gru"]), {"gru": gru_weights(2, 3)}
    ).graph
    axes = [entry.axis for entry in graph.layers if isinstance(entry, Concatenate)]
    assert axes == [1, 1]


@pytest.mark.parametrize(("version", "masked"), [(KERAS_3, False), (KERAS_2, True)])
def test_keras_3_drops_the_mask_beside_an_initial_state_and_we_say_so(tmp_path, version, masked):
    calls: Any = (
        call(tensor("ma"), initial_state=[tensor("h")])
        if version == KERAS_3
        else [["ma", 0, 0, {}], ["h", 0, 0, {}]]
    )
    layers = [
        *MASKED[:1],
        called(input_layer("h", [None, 3])),
        *MASKED[2:3],
        called(gru(reset_after=True), calls),
    ]
    model = read(
        tmp_path, functional(layers, ["a", "h"], ["gru"]), {"gru": gru_weights(2, 3)}, version
    )
    (found,) = (entry for entry in model.graph.layers if isinstance(entry, Gru))
    assert found.initial_h == "h"
    assert (found.mask is not None) == masked
    assert any("mask" in warning for warning in model.warnings) != masked


def test_a_recorded_mask_wins_over_the_rules(tmp_path):
    layers = [
        called(input_layer("a", [None, None, 2])),
        called(operation("NotEqual", "unequal"), call(tensor("a"), -1.0)),
        called(operation("Any", "any", axis=-1, keepdims=False), call(tensor("unequal"))),
        called(gru(), call(tensor("a"), mask=tensor("any"))),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["gru"]), {"gru": gru_weights(2, 3)}).graph
    (mask,) = (entry for entry in graph.layers if isinstance(entry, AnyNotEqual))
    (found,) = (entry for entry in graph.layers if isinstance(entry, Gru))
    assert mask.value == -1.0
    assert found.mask == mask.output


def test_the_same_mask_is_computed_once(tmp_path):
    layers = [
        called(input_layer("a", [None, None])),
        called(operation("NotEqual", "unequal"), call(tensor("a"), 0)),
        called(
            layer("Embedding", "e", input_dim=4, output_dim=2, mask_zero=True), call(tensor("a"))
        ),
        called(gru(return_sequences=True), call(tensor("e"), mask=tensor("unequal"))),
        called(gru("last"), call(tensor("gru"))),
    ]
    weights = {
        "e": {"embeddings": ramp(4, 2)}, "gru": gru_weights(2, 3), "last": gru_weights(3, 3),
    }  # fmt: skip
    graph = read(tmp_path, functional(layers, ["a"], ["last"]), weights).graph
    (mask,) = (entry for entry in graph.layers if isinstance(entry, NotEqual))
    assert [entry.mask for entry in graph.layers if isinstance(entry, Gru)] == [mask.output] * 2


def test_operations_that_only_a_dead_mask_reads_do_not_matter(tmp_path):
    layers = [
        called(input_layer("a", [None, 2])),
        called(operation("Einsum", "strange"), call(tensor("a"))),
        called(dense("d"), call(tensor("a"))),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["d"]), {"d": DENSE}).graph
    assert [entry.name for entry in graph.layers] == ["d"]


@pytest.mark.parametrize("version", ["2.2.4", "2.8.0", "3.15.1"])
def test_a_bidirectional_gives_zeros_at_masked_steps_since_keras_joined_tensorflow(
    tmp_path, version
):
    inner = layer("LSTM", "lstm", units=2, return_sequences=True)
    config = small(layer("Masking", "masking"), layer("Bidirectional", "both", layer=inner))
    weights = {"kernel": ramp(2, 8), "recurrent_kernel": ramp(2, 8), "bias": ramp(8)}
    halves = {"both/forward_layer": weights, "both/backward_layer": weights}
    graph = read(tmp_path, config, halves, version).graph
    found = [entry for entry in graph.layers if isinstance(entry, Lstm)]
    assert [entry.go_backwards for entry in found] == [False, True]
    assert [entry.zero_output_for_mask for entry in found] == [version != "2.2.4"] * 2


def test_arithmetic_with_constants_becomes_one_affine_layer_each(tmp_path):
    layers = [
        called(input_layer("a", [None, 2])),
        called(operation("Multiply", "twice"), call(tensor("a"), 2.0)),
        called(operation("Subtract", "less"), call(1.0, tensor("twice"))),
        called(operation("TrueDivide", "half"), call(tensor("less"), 4)),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["half"])).graph
    assert [type(entry) for entry in graph.layers] == [Affine] * 3
    x = np.array([[1.0, -3.0]], np.float32)
    np.testing.assert_allclose(reference.run(graph, {"a": x})["half"], (1 - 2 * x) / 4)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ([{"class_name": "__slice__", "config": {}}, -1], (2,)),
        ([{"class_name": "__ellipsis__", "config": {}}, 0], (5,)),
        (
            [
                {"class_name": "__slice__", "config": {}},
                {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": 2}},
            ],
            (2, 2),
        ),
    ],
)
def test_indexing_becomes_slices(tmp_path, key, expected):
    layers = [
        called(input_layer("a", [None, 5, 2])),
        called(operation("GetItem", "item"), call(tensor("a"), key)),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["item"])).graph
    assert all(isinstance(entry, Slice) for entry in graph.layers)
    assert graph.output_specs["item"].shape == (None, *expected)


def test_a_depthwise_convolution_is_a_grouped_one(tmp_path):
    config = small(layer("DepthwiseConv1D", "d", kernel_size=[3], depth_multiplier=2,
                         padding="same", use_bias=False))  # fmt: skip
    (found,) = read(tmp_path, config, {"d": {"depthwise_kernel": ramp(3, 2, 2)}}).graph.layers
    assert isinstance(found, Conv1D)
    assert (found.groups, found.kernel.shape) == (2, (3, 1, 4))


@pytest.mark.parametrize(("axis", "shape"), [(-1, (2,)), (1, (5, 1)), ([2], (2,))])
def test_batch_normalization_scales_the_axis_it_says(tmp_path, axis, shape):
    size = shape[0]
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {"n": {name: ramp(size) + 1 for name in names}}
    config = small(layer("BatchNormalization", "n", axis=axis, epsilon=0.01))
    (found,) = read(tmp_path, config, weights).graph.layers
    assert isinstance(found, Affine)
    assert found.scale.shape == shape
    variable = ramp(size) + 1
    expected = variable / np.sqrt(variable + 0.01)
    np.testing.assert_allclose(np.asarray(found.scale).ravel(), expected, rtol=1e-6)


def test_a_model_of_half_precision_is_read_as_float32_with_a_warning(tmp_path):
    policy = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    model = read(tmp_path, small(dense(dtype=policy)), {"dense": DENSE})
    (found,) = model.graph.layers
    assert found.weights["kernel"].dtype == np.float32  # type: ignore[union-attr]
    assert ["mixed_float16" in warning for warning in model.warnings] == [True]


def test_a_functional_model_of_a_class_of_one_s_own_is_read_with_a_warning(tmp_path):
    layers = [called(input_layer("a", [None, 2])), called(dense("d"), call(tensor("a")))]
    config = {**functional(layers, ["a"], ["d"]), "class_name": "Custom>MyModel", "module": "mine"}
    model = read(tmp_path, config, {"d": DENSE})
    assert [entry.name for entry in model.graph.layers] == ["d"]
    assert ["MyModel" in warning for warning in model.warnings] == [True]


def test_a_sequential_model_of_keras_2_takes_its_input_from_its_first_layer(tmp_path):
    config = sequential(dense("first", batch_input_shape=[None, 2]))
    graph = read_model(write_h5(tmp_path / "m.h5", config, {"first": DENSE})).graph
    assert [entry.name for entry in graph.inputs] == ["first_input"]


def test_weights_inside_the_archive_may_be_compressed(tmp_path):
    import zipfile

    path = write_keras(tmp_path / "m.keras", small(dense()), {"dense": DENSE})
    packed = tmp_path / "packed.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as to:
        for name in source.namelist():
            to.writestr(name, source.read(name))
    (plain,), (unpacked,) = read_model(path).graph.layers, read_model(packed).graph.layers
    np.testing.assert_array_equal(plain.weights["kernel"], unpacked.weights["kernel"])


def test_reading_needs_neither_keras_nor_tensorflow_nor_h5py(tmp_path):
    import subprocess
    import sys

    path = write_keras(tmp_path / "m.keras", small(dense()), {"dense": DENSE})
    program = (
        "import sys; from pathlib import Path; from edgernn.export.keras.file import read_model;"
        "read_model(Path(sys.argv[1]));"
        "print([name for name in ('keras', 'tf_keras', 'tensorflow', 'h5py', 'onnx')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
