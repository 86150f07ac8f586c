"""What edgernn does not read is refused by name, with a remedy; damaged files are errors."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.onnx_file.file import read_onnx
from tests.export.onnx_file.golden import FOLDER
from tests.export.onnx_file.hand_made import model, recurrent, saved


def test_a_gru_that_onnxscript_wrote_wrongly_is_refused(tmp_path):
    wrong = recurrent("GRU", producer="pytorch", linear_before_reset=0)
    with pytest.raises(UnsupportedLayer, match=r"onnxscript 0\.7\.1") as refusal:
        read_onnx(saved(wrong, tmp_path))
    assert refusal.value.layer == "/rnn/GRU"
    assert read_onnx(saved(recurrent("GRU", producer="tf2onnx"), tmp_path))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (recurrent("GRU", clip=1.0), "clip"),
        (recurrent("LSTM", input_forget=1), "input_forget"),
        (recurrent("LSTM", extra=("", "", "", "p")), "peepholes"),
        (recurrent("GRU", extra=("lengths",)), "sequence_lens"),
        (recurrent("GRU", layout=1), "layout"),
        (recurrent("GRU", activations=["HardSigmoid", "Tanh"]), "HardSigmoid"),
        (recurrent("LSTM", activations=["Sigmoid", "Tanh", "Relu"]), "Relu"),
        (recurrent("RNN", activation_alpha=[0.1]), "parameters"),
    ],
)
def test_options_of_recurrent_layers_are_refused_by_name(made, words, tmp_path):
    with pytest.raises(UnsupportedLayer, match=words) as refusal:
        read_onnx(saved(made, tmp_path))
    assert "/rnn/" in refusal.value.layer
    assert refusal.value.remedy


@pytest.mark.parametrize("kind", ["If", "Loop", "Scan", "Einsum", "Where", "QuantizeLinear", "Foo"])
def test_other_operators_are_refused_with_a_remedy(kind, tmp_path):
    made = model([helper.make_node(kind, ["x", "x", "x"], ["y"], name=f"/a/{kind}")])
    with pytest.raises(UnsupportedLayer, match=kind) as refusal:
        read_onnx(saved(made, tmp_path))
    assert refusal.value.remedy


def one(kind, *constants, outputs=("y",), **options):
    arrays = {f"c{at}": np.asarray(array) for at, array in enumerate(constants)}
    made = {key: options.pop(key) for key in ("inputs", "element", "opset") if key in options}
    node = helper.make_node(kind, ["x", *arrays], list(outputs), **options)
    return model([node], constants=arrays, **made)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (one("Squeeze", np.array([0]), inputs={"x": [1, 5, 4]}), "axis of the batch"),
        (one("Reshape", np.array([-1])), "batch"),
        (one("Reshape", np.array([-1, 2])), "batch|follow"),
        (one("ReduceMean", axes=[0]), "rows of the batch"),
        (one("Softmax", axis=0), "mixes the rows|batch"),
        (one("Slice", np.array([0]), np.array([1]), np.array([0]), inputs={"x": [3, 5]}),
         "part of the batch"),
        (one("Conv", np.zeros((2, 3, 3, 3, 3), np.float32), inputs={"x": [1, 3, 8, 8, 8]}),
         "Conv1d"),
        (one("Conv", np.zeros((2, 3, 3, 3), np.float32), pads=[0, 1, 2, 1],
             inputs={"x": [1, 3, 8, 8]}), "pads an axis by 0 and 2"),
        (one("Add", np.zeros((3, 1, 1), np.float32)), "does not fit each row"),
        (one("Clip", np.float32(1), np.float32(-1)), r"clips from 1\.0 to -1\.0"),
        (one("Cast", to=TensorProto.FLOAT16), "precision"),
        (one("Mod", np.float32(2), fmod=1), "is an operator that edgernn does not read"),
    ],
)  # fmt: skip
def test_what_rows_do_not_do_alone_is_refused(made, words, tmp_path):
    with pytest.raises((UnsupportedLayer, ModelFileError), match=words) as refusal:
        read_onnx(saved(made, tmp_path))
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (one("Relu", element=TensorProto.DOUBLE), "neither float32 nor integers"),
        (one("Relu", opset=6), "opset 6"),
        (one("MatMul", np.zeros((7, 2), np.float32)), "contradicts itself"),
        (model([helper.make_node("Relu", ["nowhere"], ["y"])]), "which nothing wrote"),
        (model([]), "no operators"),
        (model([helper.make_node("Identity", ["c"], ["y"])], constants={"c": np.ones(2)}),
         "does not depend on the inputs"),
    ],
)  # fmt: skip
def test_files_that_are_damaged_or_of_another_kind(made, words, tmp_path):
    with pytest.raises(ModelFileError, match=words):
        read_onnx(saved(made, tmp_path))


def test_bytes_that_are_no_onnx_file(tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(ModelFileError, match=r"not a whole \.onnx file"):
        read_onnx(path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_onnx(tmp_path / "missing.onnx")


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand", "Range"])
def test_a_small_file_cannot_ask_for_gigabytes(kind, tmp_path):
    big = np.array([1 << 20, 1 << 14], np.int64)
    nodes = {
        "ConstantOfShape": helper.make_node("ConstantOfShape", ["big"], ["c"]),
        "Expand": helper.make_node("Expand", ["one", "big"], ["c"]),
        "Range": helper.make_node("Range", ["zero", "far", "one_i"], ["c"]),
    }
    made = model(
        [
            nodes[kind],
            helper.make_node("Mul", ["c", "c"], ["d"]),
            helper.make_node("Add", ["x", "d"], ["y"]),
        ],
        constants={
            "big": big, "one": np.float32(1).reshape(()), "zero": np.int64(0).reshape(()),
            "far": np.int64(1 << 40).reshape(()), "one_i": np.int64(1).reshape(()),
        },
    )  # fmt: skip
    with pytest.raises(ModelFileError, match="more than edgernn computes"):
        read_onnx(saved(made, tmp_path))


# -- external data


def with_external_data(folder, location):
    made = onnx.load(FOLDER / "gru_last.legacy.onnx")
    onnx.save(
        made, folder / "m.onnx", save_as_external_data=True, location="data.bin", size_threshold=0
    )
    made = onnx.load(folder / "m.onnx", load_external_data=False)
    for tensor in made.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    return saved(made, folder, "m.onnx")


def test_external_data_beside_the_file_is_read(tmp_path):
    graph = read_onnx(with_external_data(tmp_path, "data.bin")).graph
    assert graph.parameters == read_onnx(FOLDER / "gru_last.legacy.onnx").graph.parameters


@pytest.mark.parametrize("location", ["../data.bin", "/etc/passwd", "", "a/../../data.bin", "."])
def test_external_data_elsewhere_is_not_read(location, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    path = with_external_data(folder, location)
    (folder / "data.bin").replace(tmp_path / "data.bin")
    with pytest.raises(ModelFileError, match="outside of the model's folder"):
        read_onnx(path)


def test_external_data_behind_a_link_out_of_the_folder_is_not_read(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    path = with_external_data(folder, "data.bin")
    (folder / "data.bin").replace(tmp_path / "data.bin")
    (folder / "data.bin").symlink_to(tmp_path / "data.bin")
    with pytest.raises(ModelFileError, match="outside of the model's folder"):
        read_onnx(path)


def test_external_data_that_is_cut_off_or_missing(tmp_path):
    path = with_external_data(tmp_path, "data.bin")
    data = tmp_path / "data.bin"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ModelFileError, match="beyond the end"):
        read_onnx(path)
    data.unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_onnx(path)


def test_a_file_cut_at_any_place_is_an_error_of_ours(tmp_path):
    whole = (FOLDER / "convolved.legacy.onnx").read_bytes()
    for end in range(0, len(whole), 97):
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[:end])
        with pytest.raises((ModelFileError, UnsupportedLayer)):
            read_onnx(path)


def test_changed_bytes_are_read_or_refused(tmp_path):
    whole = bytearray((FOLDER / "bigru_all.legacy.onnx").read_bytes())
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        changed = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            changed[at] = rng.integers(0, 256)
        path = tmp_path / "changed.onnx"
        path.write_bytes(changed)
        try:
            read_onnx(path)
        except (ModelFileError, UnsupportedLayer):
            refused += 1
    assert refused > 10
