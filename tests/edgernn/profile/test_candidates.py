"""Which artefacts a path stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgernn.artefact import (
    Artefact,
    Port,
    Source,
    Verification,
    VerificationStatus,
    record,
    stored_file,
)
from edgernn.errors import ModelFileError
from edgernn.graph import State, TensorSpec
from edgernn.profile.candidates import find_candidates
from edgernn.profile.report import Training
from edgernn.scheme import Scheme
from edgernn.tasks.reading import AS_IT_IS
from edgernn.tasks.samples import Baselines
from edgernn.tasks.score import Score
from edgernn.tasks.training_log import Settings, TrainingLog, write_log

ARTEFACT = Artefact(
    model="gru",
    backend="onnx",
    scheme=Scheme.FLOAT16,
    files=(stored_file("gru.onnx", b"model"), stored_file("gru.onnx.data", b"weights")),
    inputs=(Port(name="x", spec=TensorSpec(shape=(None, 4, 2))),),
    outputs=(Port(name="y", spec=TensorSpec(shape=(None, 3))),),
    states=(State(input="h", output="h_next"),),
    streaming=True,
    source=Source(
        file="gru.keras", sha256="abc", bytes=100, keras_version="3.8.0", parameters=1234
    ),
    verification=Verification(status=VerificationStatus.PASSED, max_error=2e-7, cases=8),
)


@pytest.fixture
def folder(tmp_path):
    """A folder as an export leaves it."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "gru.onnx").write_bytes(b"model")
    (out / "gru.onnx.data").write_bytes(b"weights")
    record(out, [ARTEFACT])
    return out


def training_log(sha256: str) -> TrainingLog:
    score = Score(metric="accuracy", value=0.9, low=0.8, high=0.95, samples=100)
    return TrainingLog(
        settings=Settings(
            task="digits",
            data_sha256="",
            reading=AS_IT_IS,
            cell="gru",
            units=64,
            layers=1,
            epochs=40,
            patience=6,
            batch_size=128,
            learning_rate=1e-3,
            seed=0,
        ),
        model="gru.keras",
        model_sha256=sha256,
        parameters=1234,
        labels=(),
        features="",
        epochs_to_best=7,
        seconds_to_best=20.5,
        seconds=30.5,
        validation=score,
        test=score,
        baselines=Baselines(trivial=0.1, linear=0.9),
        epochs=(),
        versions={},
    )


def test_a_folder_stands_for_what_its_manifest_lists(folder):
    (candidate,) = find_candidates([folder])
    item = candidate.item
    assert (item.file, item.model, item.backend, item.scheme) == (
        "gru.onnx",
        "gru",
        "onnx",
        "float16",
    )
    assert (item.bytes, item.parameters, item.streaming) == (12, 1234, True)
    assert item.verification == "passed (2e-07)"
    assert item.outputs == ((3,),)
    assert candidate.extra_files == (folder / "gru.onnx.data",)
    assert candidate.states == (State(input="h", output="h_next"),)


def test_a_file_beside_its_manifest_is_known_by_it(folder):
    (candidate,) = find_candidates([folder / "gru.onnx"])
    assert candidate.item.source_sha256 == "abc"


def test_float16_is_said_to_be_as_far_off_as_it_is_from_float32(folder):
    passed = replace(ARTEFACT.verification, original_error=8e-5)
    record(folder, [replace(ARTEFACT, verification=passed)])
    assert find_candidates([folder])[0].item.verification == "passed (8e-05)"


def test_the_names_of_the_classes_come_from_the_manifest_or_else_from_the_training(
    folder, tmp_path
):
    log = replace(training_log("abc"), labels=("yes", "no"))
    write_log(tmp_path / "gru.train.json", log)
    assert find_candidates([folder])[0].labels == ("yes", "no")
    record(folder, [replace(ARTEFACT, labels=("on", "off"))])
    assert find_candidates([folder])[0].labels == ("on", "off")


def test_an_artefact_named_twice_is_profiled_once(folder):
    assert len(find_candidates([folder, folder / "gru.onnx", folder / ".." / "out"])) == 1


def test_the_files_of_one_model_come_together(tmp_path):
    for name in ("gru.onnx", "gru.tflite", "lstm.onnx", "lstm.tflite"):
        (tmp_path / name).write_bytes(b"model")
    order = ["lstm.onnx", "gru.onnx", "lstm.tflite", "gru.tflite"]
    found = find_candidates([tmp_path / name for name in order])
    assert [one.path.name for one in found] == [
        "lstm.onnx",
        "lstm.tflite",
        "gru.onnx",
        "gru.tflite",
    ]


def test_bare_files_need_no_manifest(tmp_path):
    (tmp_path / "b.tflite").write_bytes(b"12345")
    (tmp_path / "a.onnx").write_bytes(b"1")
    (tmp_path / "notes.txt").write_text("not a model")
    found = find_candidates([tmp_path])
    assert [(c.item.file, c.item.backend, c.item.bytes) for c in found] == [
        ("a.onnx", "onnx", 1),
        ("b.tflite", "tflite", 5),
    ]
    assert found[0].item.scheme == "unknown"
    assert not found[0].item.streaming


def test_the_training_log_of_the_same_model_is_found_beside_it_or_above(folder, tmp_path):
    write_log(tmp_path / "gru.train.json", training_log("abc"))
    (candidate,) = find_candidates([folder])
    assert candidate.item.training == Training(
        task="digits",
        cell="gru",
        units=64,
        layers=1,
        seconds=30.5,
        seconds_to_best=20.5,
        epochs_to_best=7,
    )
    write_log(folder / "gru.train.json", training_log("of another model"))
    (candidate,) = find_candidates([folder])
    assert candidate.item.training is not None


def test_the_log_of_another_model_of_that_name_is_not_taken(folder):
    write_log(folder / "gru.train.json", training_log("of another model"))
    (candidate,) = find_candidates([folder])
    assert candidate.item.training is None


def test_a_file_that_changed_since_its_export_is_refused(folder):
    (folder / "gru.onnx").write_bytes(b"tampered")
    with pytest.raises(ModelFileError, match=r"is not the file that .* describes"):
        find_candidates([folder])


def test_a_file_that_is_gone_is_refused(folder):
    (folder / "gru.onnx").unlink()
    with pytest.raises(ModelFileError, match="cannot read"):
        find_candidates([folder])


def test_a_folder_without_models_and_other_files_are_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"neither a model\.json nor a model file"):
        find_candidates([tmp_path])
    path = tmp_path / "gru.keras"
    path.write_bytes(b"")
    with pytest.raises(ModelFileError, match="is not an artefact"):
        find_candidates([path])


@pytest.mark.parametrize(
    ("verification", "text"),
    [
        (Verification(status=VerificationStatus.NOT_RUN), "not run"),
        (Verification(status=VerificationStatus.SKIPPED, reason="r"), "skipped"),
    ],
)
def test_what_was_not_verified_says_so(folder, verification, text):
    record(folder, [replace(ARTEFACT, verification=verification)])
    (candidate,) = find_candidates([folder])
    assert candidate.item.verification == text


def test_the_keras_file_is_at_hand_only_if_it_is_still_the_same(folder, tmp_path):
    source = tmp_path / "gru.keras"
    source.write_bytes(b"keras")
    same = replace(ARTEFACT.source, sha256=stored_file("", b"keras").sha256)
    record(folder, [replace(ARTEFACT, source=same)])
    (candidate,) = find_candidates([folder])
    assert candidate.source == source
    source.write_bytes(b"trained again")
    (candidate,) = find_candidates([folder])
    assert candidate.source is None
