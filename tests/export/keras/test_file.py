"""What a Keras file means: names, shapes, versions, masks.  The files are written by hand."""

from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest

from edgernn import reference
from edgernn.errors import ModelFileError
from edgernn.export.keras.file import read_model
from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    SIGMOID,
    Affine,
    Cast,
    Conv1D,
    Dense,
    DType,
    Gru,
    TensorSpec,
)
from tests.export.keras.archives import (
    KERAS_2,
    KERAS_3,
    call,
    called,
    dense,
    functional,
    gru,
    gru_weights,
    input_layer,
    layer,
    ramp,
    read,
    sequential,
    small,
    tensor,
    write_h5,
    write_keras,
)

DENSE = {"kernel": ramp(2, 3), "bias": ramp(3)}


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


@pytest.mark.parametrize("name", ["cell", "cells", "layer", "forward_layer"])
def test_a_layer_may_have_the_name_of_a_part_of_a_wrapper(tmp_path, name):
    graph = read(tmp_path, small(gru(name, units=3)), {name: gru_weights(2, 3)}).graph
    assert [entry.name for entry in graph.layers] == [name]


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


def test_a_layer_shared_with_a_nested_model_is_stored_once_and_found(tmp_path):
    """Keras stores it with whichever of the two it comes to first."""
    shared = dense("shared") | {"shared_object_id": 7}
    inner = functional([called(input_layer("i", [None, 5, 2])), called(shared, call(tensor("i")))],
                       ["i"], ["shared"], name="inner")  # fmt: skip
    layers = [
        called(input_layer("a", [None, 5, 2])),
        called(shared, call(tensor("a"))),
        called(inner, call(tensor("a"))),
        called(layer("Subtract", "less"), call([tensor("shared"), tensor("inner")])),
    ]
    x = np.ones((2, 5, 2), np.float32)
    for place in ("shared", "inner/shared"):
        graph = read(tmp_path, functional(layers, ["a"], ["less"]), {place: DENSE}).graph
        assert not reference.run(graph, {"a": x})["less"].any()
        assert graph.parameters == 9
    with pytest.raises(ModelFileError, match="holds none"):
        read(tmp_path, functional(layers, ["a"], ["less"]))


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


def test_integer_inputs_of_other_layers_stay_integers_and_become_numbers_there(tmp_path):
    config = sequential(input_layer("t", [None, 2], "uint8"), dense("d"))
    graph = read(tmp_path, config, {"d": DENSE}).graph
    assert graph.inputs[0].spec.dtype is DType.INT32
    cast, multiplied = graph.layers
    assert isinstance(cast, Cast)
    assert isinstance(multiplied, Dense)


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


def test_the_type_of_a_first_layer_s_input_is_no_precision(tmp_path):
    """Keras 2.0 wrote the input's type into the first layer: int32 for tokens."""
    tokens = layer(
        "Embedding", "e", input_dim=4, output_dim=2, dtype="int32", batch_input_shape=[None, 5]
    )
    model = read_model(
        write_h5(tmp_path / "m.h5", sequential(tokens), {"e": {"embeddings": ramp(4, 2)}}, "2.0.8")
    )
    assert model.graph.inputs[0].spec.dtype is DType.INT32
    assert model.warnings == ()


@pytest.mark.parametrize("root", ["layers", "_layer_checkpoint_dependencies"])
def test_weights_saved_on_windows_have_backslashes_in_their_places(tmp_path, root):
    """Keras 2.12 to 2.15 joined the names of groups as Windows joins those of folders."""
    both = layer("Bidirectional", "both", layer=gru("g", return_sequences=True, reset_after=True))
    weights = {
        "both/forward_layer": gru_weights(2, 3),
        "both/backward_layer": {name: -w for name, w in gru_weights(2, 3).items()},
        "dense": {"kernel": ramp(6, 3), "bias": ramp(3)},
    }
    path = write_keras(tmp_path / "m.keras", small(both, dense()), weights, "2.15.0")
    windows = tmp_path / "windows.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(windows, "w") as to:
        for name in source.namelist():
            content = source.read(name)
            to.writestr(name, _on_windows(content, root) if name.endswith(".h5") else content)
    for plain, joined in zip(
        read_model(path).graph.layers, read_model(windows).graph.layers, strict=True
    ):
        assert plain.weights.keys() == joined.weights.keys()
        for name, array in plain.weights.items():
            np.testing.assert_array_equal(array, joined.weights[name])


def _on_windows(content: bytes, root: str) -> bytes:
    r"""The same arrays, each group as one name below the root: layers\\gru\\cell."""
    written = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as source, h5py.File(written, "w") as file:

        def copy(name: str, found: h5py.Dataset | h5py.Group) -> None:
            place, _, rest = name.partition("/vars/")
            if isinstance(found, h5py.Dataset):
                place = place.replace("layers/", f"{root}/", 1).replace("/", "\\")
                file[f"{place}/vars/{rest}"] = found[()]

        source.visititems(copy)
    return written.getvalue()


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
