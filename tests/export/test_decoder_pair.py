"""Models that write sequences: split into two files, and run by the loop that devices run."""

from __future__ import annotations

import os

import numpy as np
import pytest

import edgernn
from edgernn.artefact import read_manifest
from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Outputs
from edgernn.errors import DataError, UnsupportedLayer, WrongOption
from edgernn.export.decoder_pair import decoded, examples_for
from edgernn.export.pipeline import float_graph, quantized
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.graph import Decoding
from edgernn.measures import edit_distance_rate, value
from edgernn.reference import integer
from edgernn.scheme import Scheme
from edgernn.streaming import halved
from tests.export.sequences import DECODE, LONGEST, REVERSAL, reversals, rows_of, said_by_keras

DECODING = Decoding(input="previous", start=0, stop=0, longest=LONGEST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("reversal")
    made = edgernn.load(REVERSAL).export(
        out, scheme=["float32", "int8"], calibrate=reversals(64, seed=1), decode=DECODE
    )
    assert made.outcome
    return out


@pytest.fixture(scope="module")
def fresh():
    return reversals(40, seed=2)


@pytest.fixture(scope="module")
def said(fresh):
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    keras = pytest.importorskip("keras")
    return said_by_keras(keras.models.load_model(REVERSAL, compile=False), fresh.x, LONGEST)


def written(folder, name, x, *, batch=1):
    artefact = next(one for one in read_manifest(folder) if one.name == name)
    with open_device("cpu") as device:
        answer = run_cases(
            device,
            folder / artefact.name,
            artefact.backend,
            [{"tokens": x[row : row + batch]} for row in range(0, len(x), batch)],
            extra_files=[folder / file.name for file in artefact.files[1:]],
            decoder=artefact.decoder,
        )
    assert isinstance(answer, Outputs), answer
    return np.concatenate([case["tokens"] for case in answer.cases])


SUFFIXES = ("onnx", "tflite", "ernn")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("batch", [1, 7])
def test_a_file_writes_the_tokens_that_keras_chooses_itself(folder, fresh, said, suffix, batch):
    tokens = written(folder, f"reversal_gru_lstm.encoder.{suffix}", fresh.x, batch=batch)
    assert tokens.shape == (40, LONGEST)
    assert rows_of(tokens) == said


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_int8_is_within_three_tenths_of_a_point_of_error(folder, suffix):
    rows = reversals(400, seed=3)
    truth = rows_of(np.asarray(rows.y))
    rates = [
        value(edit_distance_rate(truth, rows_of(written(folder, name, rows.x, batch=100))), 400)
        for name in (
            f"reversal_gru_lstm.encoder.{suffix}",
            f"reversal_gru_lstm.encoder.int8.{suffix}",
        )
    ]
    assert rates[0] < 0.05
    assert abs(rates[1] - rates[0]) < 0.003


def test_the_manifest_names_both_files_and_the_rules_of_the_loop(folder):
    artefact = next(one for one in read_manifest(folder) if one.name.endswith("encoder.ernn"))
    step = artefact.decoder
    assert step is not None
    assert [file.name for file in artefact.files] == [
        "reversal_gru_lstm.encoder.ernn",
        "reversal_gru_lstm.decoder.ernn",
    ]
    assert (step.file, step.input, step.output) == (
        "reversal_gru_lstm.decoder.ernn",
        "previous",
        "probabilities",
    )
    assert (step.start, step.stop, step.longest) == (0, 0, LONGEST)
    assert {state.input for state in step.states} == {"state_h", "state_c"}
    assert [port.name for port in artefact.inputs] == ["tokens"]
    assert [(port.name, port.spec.shape) for port in artefact.outputs] == [("tokens", (None, 7))]


def test_the_integer_reference_writes_what_the_native_file_writes(folder, fresh):
    graph = float_graph(edgernn.load(REVERSAL).model.graph)
    # As the export does it: one row of four decides about the file and is not calibrated on.
    rows = examples_for(reversals(64, seed=1), graph, DECODING)
    kept = np.linspace(0, 63, 18).astype(np.intp)[1:-1]
    seen = rows.take(np.setdiff1d(np.arange(64), kept), rows.origin)
    request = Request(scheme=Scheme.INT8, ranges=calibrate(graph, seen.inputs))
    tokens = decoded(quantized(graph, request), fresh.x, DECODING, integer.run)
    found = written(folder, "reversal_gru_lstm.encoder.int8.ernn", fresh.x)
    assert rows_of(found) == rows_of(tokens)


def test_a_decoder_needs_something_of_its_encoder():
    graph = float_graph(edgernn.load(REVERSAL).model.graph)
    with pytest.raises(UnsupportedLayer, match="which is not a vector but float32 of 3 axes"):
        halved(graph, Decoding(input="tokens", start=0, stop=0, longest=3))


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        ("before,0,0,7", "names the input 'before', and the inputs of the model are tokens, prev"),
        (
            "previous,0,9,7",
            "has start 0, stop 9, at most 7 tokens; the model knows the tokens 0 to 8",
        ),
        ("previous,0", "cannot be 'previous,0'"),
        ("previous,0,0,0", "at most 0 tokens"),
        ("previous,a,b,7", "cannot be 'previous,a,b,7'"),
    ],
)
def test_a_loop_that_cannot_be_is_refused_before_anything_is_written(tmp_path, decode, message):
    with pytest.raises(WrongOption, match=message):
        edgernn.load(REVERSAL).export(tmp_path / "out", decode=decode)
    assert not (tmp_path / "out").exists()


def test_calibration_needs_sequences(tmp_path):
    rows = reversals(20, seed=1)
    with pytest.raises(DataError, match="has no sequences for answers"):
        edgernn.load(REVERSAL).export(
            tmp_path / "out", scheme="int8", calibrate=(rows.x,), decode=DECODE
        )


def test_a_stream_is_refused(tmp_path):
    with pytest.raises(WrongOption, match="reads a whole sequence before it writes"):
        edgernn.load(REVERSAL).export(tmp_path / "out", decode=DECODE, streaming=True)
