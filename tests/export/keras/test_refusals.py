"""What the reader refuses: by a typed error that names the layer, its place and what to do."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import h5py
import numpy as np
import pytest

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.keras.file import read_model
from tests.export.keras.archives import (
    GOLDEN,
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

SEQUENCE = input_layer("x", [None, 5, 2])
LSTM = {"kernel": ramp(2, 8), "recurrent_kernel": ramp(2, 8), "bias": ramp(8)}
FREE = input_layer("x", [None, None, 2])
VECTOR = input_layer("x", [None, 2])
X = tensor("x")
LOOKED_UP = called(layer("Embedding", "e", input_dim=4, output_dim=2), call(X))
COMPUTED = called(layer("Dense", "d", units=2), call(X))
ATTENTION = layer("MultiHeadAttention", "a", num_heads=1, key_dim=2, sliding_window=3)


def on(*layers: Json) -> Json:
    return sequential(SEQUENCE, *layers)


def nested(inner: Json) -> Json:
    return sequential(SEQUENCE, sequential(SEQUENCE, inner, name="inside"), name="outside")


UNSUPPORTED: list[tuple[Json, Any, str]] = [
    (on(layer("Lambda", "code", function="x")), {}, "never runs"),
    (on(layer("ConvLSTM1D", "clever", filters=2)), {}, "not a layer that edgernn supports"),
    (on(layer("MyOwn>Layer", "own")), {}, "is not supported: its class is not one of Keras' own"),
    (
        on(layer("GRU", "gru", units=3, activation="log_sigmoid")),
        {"gru": gru_weights(2, 3)},
        "activation 'log_sigmoid'",
    ),
    (
        on(layer("Bidirectional", "both", layer=layer("Dense", "d", units=2))),
        {"both/forward_layer": {"kernel": ramp(2, 2), "bias": ramp(2)}}
        | {"both/backward_layer": {"kernel": ramp(2, 2), "bias": ramp(2)}},
        "wraps a Dense",
    ),
    (on(layer("RNN", "rnn", cell=layer("ConvCell", "cell"))), {}, "is a cell"),
    (
        on(layer("LayerNormalization", "norm", axis=1, scale=False, center=False)),
        {},
        "over the axes",
    ),
    (on(layer("Softmax", "s", axis=[1, 2])), {}, "together"),
    (on(layer("Masking", "mask"), layer("Softmax", "soft")), {}, "masked steps"),
    (sequential(input_layer("s", [None, 1], "string"), layer("Flatten", "f")), {}, "strings"),
    (
        functional(
            [called(SEQUENCE), called(operation("Einsum", "sum"), call(tensor("x")))],
            ["x"],
            ["sum"],
        ),
        {},
        "operation Einsum",
    ),
    (
        functional(
            [called(FREE), called(operation("Reshape", "r", newshape=[-1, 3, 2]), call(X))],
            ["x"],
            ["r"],
        ),
        {},
        "has no known number of parts",
    ),
    (
        functional(
            [called(VECTOR), called(operation("Reshape", "r", newshape=[-1, 2, 2]), call(X))],
            ["x"],
            ["r"],
        ),
        {},
        "rows of 2 numbers would be joined to rows of 4",
    ),
    (
        functional(
            [called(VECTOR), called(operation("Reshape", "r", newshape=[2, -1]), call(X))],
            ["x"],
            ["r"],
        ),
        {},
        "the batch, has to stay open",
    ),
    (
        functional(
            [called(SEQUENCE), called(ATTENTION, call([tensor("x"), tensor("x")]))], ["x"], ["a"]
        ),
        {},
        "sliding window",
    ),
    (
        on(layer("Dense", "d", units=2, dtype={"class_name": "QuantizedDTypePolicy"})),
        {"d": {"kernel": ramp(2, 2), "bias": ramp(2)}},
        "quantized by Keras",
    ),
    (
        on(
            layer("Dense", "d", units=2),
            layer("Embedding", "tokens", input_dim=4, output_dim=2),
        ),
        {"d": {"kernel": ramp(2, 2), "bias": ramp(2)}, "tokens": {"embeddings": ramp(4, 2)}},
        "takes tokens",
    ),
    *(
        (
            functional([called(VECTOR), *readers], ["x"], ["e", "d"]),
            {"e": {"embeddings": ramp(4, 2)}, "d": {"kernel": ramp(2, 2), "bias": ramp(2)}},
            reason,
        )
        for readers, reason in (
            (
                (LOOKED_UP, COMPUTED),
                r"layer 'd' .*as numbers that is tokens elsewhere",
            ),
            ((COMPUTED, LOOKED_UP), r"'d' takes float32, not int32"),
        )
    ),
    (
        sequential(
            input_layer("x", [None, 4, 5, 2]),
            layer("Masking", "m"),
            layer("TimeDistributed", "each", layer=layer("LSTM", "lstm", units=2)),
        ),
        {"each/layer": LSTM},
        "through a TimeDistributed",
    ),
]


@pytest.mark.parametrize(
    ("config", "weights", "reason"), UNSUPPORTED, ids=[reason for *_, reason in UNSUPPORTED]
)
def test_what_cannot_be_expressed_is_refused_by_name_and_place(tmp_path, config, weights, reason):
    path = write_keras(tmp_path / "m.keras", config, weights)
    with pytest.raises(UnsupportedLayer, match=reason) as refusal:
        read_model(path)
    assert refusal.value.layer in json.dumps(config)
    assert refusal.value.where.startswith("model 'm'")
    assert refusal.value.remedy


def test_the_place_of_a_refused_layer_goes_down_into_nested_models(tmp_path):
    path = write_keras(tmp_path / "m.keras", nested(layer("Lambda", "code", function="x")))
    with pytest.raises(UnsupportedLayer) as refusal:
        read_model(path)
    assert refusal.value.where == "model 'outside' > nested 'inside'"


def test_the_code_in_a_genuine_lambda_layer_stays_data():
    with pytest.raises(UnsupportedLayer, match="never runs"):
        read_model(GOLDEN / "with_lambda.keras")


def test_a_subclassed_model_is_refused(tmp_path):
    config = {"module": "mine", "class_name": "Mine", "config": {"name": "m"}}
    with pytest.raises(ModelFileError, match="only its Python code knows"):
        read_model(write_keras(tmp_path / "m.keras", config))


def test_weights_without_a_model_are_refused(tmp_path):
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["dense/kernel:0"] = np.zeros((2, 2))
    for file in (path, GOLDEN / "small_gru.weights.h5"):
        with pytest.raises(ModelFileError, match="contains only weights"):
            read_model(file)


def test_a_folder_is_refused_and_a_saved_model_named(tmp_path):
    with pytest.raises(ModelFileError, match="is a folder"):
        read_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelFileError, match="SavedModel"):
        read_model(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" * 9])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "m.keras"
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        read_model(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_model(tmp_path / "none.keras")


@pytest.mark.parametrize("version", ["1.2.2", "", "unknown"])
def test_keras_1_and_files_of_unknown_version_are_refused(tmp_path, version):
    config = sequential(layer("Flatten", "f", batch_input_shape=[None, 2]))
    with pytest.raises(ModelFileError, match="Keras"):
        read_model(write_h5(tmp_path / "m.h5", config, {}, version))


def test_a_model_that_was_never_built_is_refused(tmp_path):
    config = sequential(layer("Flatten", "f"))
    with pytest.raises(ModelFileError, match="never called or built"):
        read_model(write_keras(tmp_path / "m.keras", config))


DENSE = {"kernel": ramp(2, 3), "bias": ramp(3)}
WRONG_WEIGHTS: list[tuple[Any, str]] = [
    ({}, "holds 0"),
    ({"d": {"kernel": ramp(2, 3)}}, "holds 1"),
    ({"d": {**DENSE, "kernel": ramp(3, 3)}}, r"shape \(3, 3\)"),
    ({"d": {**DENSE, "kernel": ramp(6)}}, r"shape \(6,\)"),
    ({"d": {**DENSE, "bias": ramp(2)}}, r"shape \(2,\)"),
    (
        {"d": {**DENSE, "bias": [np.nan, 0, 0]}},
        r"m\.keras: layer 'd' \(Dense, in .*\) has NaN or infinity in its bias",
    ),
]


@pytest.mark.parametrize(("weights", "reason"), WRONG_WEIGHTS)
def test_weights_that_contradict_the_config_are_refused(tmp_path, weights, reason):
    path = write_keras(tmp_path / "m.keras", on(layer("Dense", "d", units=3)), weights)
    with pytest.raises(ModelFileError, match=reason):
        read_model(path)


def test_of_a_damaged_archive_the_file_is_named_once(tmp_path):
    path = write_keras(tmp_path / "m.keras", on(layer("Dense", "d", units=3)), {"d": DENSE})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ModelFileError, match=r"^m\.keras: the \.keras archive is damaged"):
        read_model(path)
    with pytest.raises(ModelFileError) as refusal:
        read_model(tmp_path / "missing.keras")
    assert str(refusal.value).count("missing.keras") == 1


ABSURD: list[Json] = [
    on(layer("Dense", "d", units=10**12)),
    on(layer("Dense", "d", units=-1)),
    on(layer("Dense", "d", units="many")),
    on(layer("Dense", "d", units=True)),
    on(layer("Flatten", "f"), layer("RepeatVector", "r", n=10**9)),
    on(layer("Cropping1D", "c", cropping=[9, 9])),
    on(layer("MaxPooling1D", "p", pool_size=6)),
    on(layer("Reshape", "r", target_shape=[7])),
    on(layer("Reshape", "r", target_shape=[-1, -1])),
    on(layer("Permute", "p", dims=[1, 1])),
    on(layer("Rescaling", "s", scale=[1, [2]])),
    on(layer("Rescaling", "s", scale=float("inf"))),
    on(layer("Conv1D", "c", filters=2, kernel_size=3, padding="sideways")),
    sequential(input_layer("x", [None, -3])),
    sequential(input_layer("x", [])),
    sequential(input_layer("x", "wide")),  # type: ignore[arg-type]
    sequential(),
    functional([called(SEQUENCE)], ["x"], ["y"]),
    functional([called(SEQUENCE)], ["x"], [["x", 0, 7]]),
    functional([called(SEQUENCE)], ["z"], ["x"]),
    functional([called(SEQUENCE), called(SEQUENCE)], ["x"], ["x"]),
    functional(
        [
            called(SEQUENCE),
            called(layer("Flatten", "a"), call(tensor("b"))),
            called(layer("Flatten", "b"), call(tensor("a"))),
        ],
        ["x"],
        ["a"],
    ),
]


@pytest.mark.parametrize("config", ABSURD, ids=range(len(ABSURD)))
def test_absurd_configs_are_damage(tmp_path, config):
    path = tmp_path / "m.keras"
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file["layers/dense/vars/0"] = ramp(2, 3)
        file["layers/dense/vars/1"] = ramp(3)
        file["layers/conv1d/vars/0"] = ramp(3, 2, 2)
        file["layers/conv1d/vars/1"] = ramp(2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": KERAS_3}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", stored.getvalue())
    with pytest.raises(ModelFileError) as refusal:
        read_model(path)
    assert refusal.value.remedy


def test_nested_models_that_call_each_other_ten_to_the_nth_times_end(tmp_path):
    """A few kilobytes of config that would write out 10^8 layers."""
    config = sequential(SEQUENCE, layer("Activation", "tanh", activation="tanh"), name="level")
    for depth in range(8):
        calls = [call(tensor("x"))] + [call(tensor(f"inner{depth}", n)) for n in range(9)]
        inner = {**config, "config": {**config["config"], "name": f"inner{depth}"}}
        outputs = [[f"inner{depth}", 9, 0]]
        config = functional([called(SEQUENCE), called(inner, *calls)], ["x"], outputs, "level")
    with pytest.raises(ModelFileError, match="more than"):
        read_model(write_keras(tmp_path / "m.keras", config))


def test_a_config_nested_without_end_is_damage(tmp_path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": KERAS_3}))
        archive.writestr("config.json", '{"a":' * 100_000 + "1" + "}" * 100_000)
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(ModelFileError):
        read_model(path)
