"""Files of both exporters of PyTorch compute what PyTorch computed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import edgernn
from edgernn.errors import OutputError, UnsupportedLayer, VerificationError, WrongOption
from edgernn.export.onnx_file.file import read_onnx
from edgernn.export.pipeline import export_model
from edgernn.export.request import Request
from edgernn.export.source_check import check_reading
from edgernn.graph import Dense, DType, Embedding, Gru, with_weights
from tests.export.onnx_file.golden import FILES, FOLDER, UNROLLED, answers, stored

#: Float sums in another order differ by a few 1e-7.
TOLERANCE = 1e-5


@pytest.mark.parametrize("file", UNROLLED)
def test_a_layer_that_the_exporter_unrolled_is_refused(file):
    with pytest.raises(UnsupportedLayer, match=r"MatMul|Add") as refusal:
        read_onnx(FOLDER / file)
    assert refusal.value.remedy


@pytest.mark.parametrize("file", [file for file in FILES if file not in UNROLLED])
def test_a_file_answers_as_pytorch_does(file):
    inputs, expected = stored(file)
    computed = answers(read_onnx(FOLDER / file), inputs)
    assert len(computed) == len(expected)
    for here, there in zip(computed, expected, strict=True):
        assert here.shape == there.shape
        assert np.abs(there).max() > 1e-3, "these outputs show nothing"
        assert np.abs(here - there).max() <= TOLERANCE


def test_there_are_files_of_each_exporter():
    kinds = [file.split(".")[1] for file in FILES]
    assert min(kinds.count(kind) for kind in ("legacy", "fixed", "dynamo", "dynamo_fixed")) >= 15


@pytest.mark.parametrize("file", ["bilstm_both.legacy.onnx", "stateful.legacy.onnx",
                                  "words.dynamo.onnx", "time_first.fixed.onnx"])  # fmt: skip
def test_onnx_runtime_agrees_with_the_reading(file):
    assert check_reading(read_onnx(FOLDER / file))


def test_onnx_runtime_finds_a_wrong_reading():
    model = read_onnx(FOLDER / "gru_all.legacy.onnx")
    *before, last = model.graph.layers
    assert isinstance(last, Dense)
    wrong = with_weights(last, {"kernel": np.asarray(last.kernel)[::-1]})
    graph = replace(model.graph, layers=(*before, wrong))
    with pytest.raises(VerificationError, match="differently from ONNX Runtime"):
        check_reading(replace(model, graph=graph))


def test_the_last_step_of_a_layer_is_its_output_alone():
    (gru, _) = read_onnx(FOLDER / "gru_last.legacy.onnx").graph.layers
    assert isinstance(gru, Gru)
    assert not gru.return_sequences


def test_tokens_are_int32_whatever_the_file_says():
    graph = read_onnx(FOLDER / "words.legacy.onnx").graph
    assert graph.inputs[0].spec.dtype is DType.INT32
    assert isinstance(graph.layers[0], Embedding)


def test_a_time_first_model_takes_its_batch_first():
    model = read_onnx(FOLDER / "time_first.legacy.onnx")
    assert model.ports["x"].permutation == (1, 0, 2)
    assert not [layer for layer in model.graph.layers if type(layer).__name__ == "Transpose"]


def test_outputs_without_a_name_get_that_of_what_computes_them():
    graph = read_onnx(FOLDER / "lstm_states.legacy.onnx").graph
    assert [output.name for output in graph.outputs] == ["fc", "rnn/state_h", "rnn/state_c"]


def test_layers_are_named_after_modules():
    graph = read_onnx(FOLDER / "gru_two_layers.legacy.onnx").graph
    assert [layer.name for layer in graph.layers] == ["rnn", "rnn_1", "fc"]


def test_the_source_says_who_made_the_file(tmp_path):
    path = FOLDER / "gru_last.legacy.onnx"
    model = read_onnx(path)
    assert model.source.origin.startswith("PyTorch ")
    assert model.source.origin.endswith("ONNX opset 17")
    assert model.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    export_model(model, tmp_path, Request(backends=("native",)))
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert manifest["artefacts"][0]["source"]["made_by"] == model.source.made_by


def test_an_export_never_writes_over_the_given_file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes((FOLDER / "gru_last.legacy.onnx").read_bytes())
    before = path.read_bytes()
    with pytest.raises(OutputError, match="write over the model"):
        edgernn.load(path).export(tmp_path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_reading_imports_neither_torch_nor_a_runtime():
    code = (
        "import sys; from pathlib import Path; from edgernn.export.reading import read_source;"
        f"read_source(Path({str(FOLDER / 'words.legacy.onnx')!r}));"
        "print([name for name in ('torch', 'onnxruntime', 'keras') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_an_onnx_file_is_not_compared_with_keras(tmp_path):
    with pytest.raises(WrongOption, match="needs a Keras model"):
        edgernn.load(FOLDER / "gru_last.legacy.onnx").export(tmp_path, against_keras=True)
