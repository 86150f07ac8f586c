"""`edgernn export`: artefacts or one clear line, nothing in between."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edgernn import errors
from edgernn.artefact import VerificationStatus, read_manifest, read_refusals
from edgernn.devices import runners
from edgernn.devices.runners.outcome import Skipped
from edgernn.export import backend_named, one_format, verify
from edgernn.formats import FORMATS, suffixes
from tests.edgernn.cli.exported import SMALL, names
from tests.formats import RUN
from tests.golden import GOLDEN


def test_a_model_becomes_checked_artefacts_and_a_manifest(edgernn, tmp_path):
    ran = edgernn("export", SMALL, "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    made = {f"small_gru{suffix}" for suffix in suffixes()}
    assert names(tmp_path / "out") == {*made, "model.json"}
    for artefact in read_manifest(tmp_path / "out"):
        assert artefact.name in ran.out
        if artefact.backend not in RUN:
            continue
        assert artefact.verification.status is VerificationStatus.PASSED
        assert artefact.verification.max_error is not None
        assert artefact.verification.max_error < 1e-6


def test_schemes_and_steps_of_one_model_lie_side_by_side(edgernn, tmp_path):
    for options in ([], ["--scheme", "float16"], ["--streaming"]):
        assert edgernn("export", SMALL, "-o", tmp_path, "--to", "onnx", *options).code == 0
    assert names(tmp_path) == {
        "small_gru.onnx",
        "small_gru.float16.onnx",
        "small_gru.step.onnx",
        "model.json",
    }


@pytest.mark.parametrize("backend", RUN)
def test_float16_tells_its_distance_from_the_float32_model(edgernn, tmp_path, backend):
    arguments = ("export", SMALL, "-o", tmp_path, "--to", backend)
    ran = edgernn(*arguments, "--scheme", "float16")
    (artefact,) = read_manifest(tmp_path)
    found = artefact.verification
    assert found.max_error is not None
    assert found.original_error is not None
    assert found.max_error < 1e-6 < 1e-5 < found.original_error < 1e-3
    assert f"max error {found.original_error:.0e} in" in ran.out
    assert edgernn(*arguments).code == 0
    assert read_manifest(tmp_path)[-1].verification.original_error is None


def test_json_on_stdout_is_the_manifests_entries(edgernn, tmp_path):
    ran = edgernn("export", SMALL, "-o", tmp_path, "--json", "--labels", "a, b,c")
    told, written = json.loads(ran.out), json.loads((tmp_path / "model.json").read_text())
    entries = told["artefacts"]
    assert [entry["backend"] for entry in entries] == list(FORMATS)
    assert entries == written["artefacts"]
    assert told["refused"] == written["refused"] == []
    assert entries[0]["labels"] == ["a", "b", "c"]


def test_labels_and_the_sources_checksum_are_in_the_files(edgernn, tmp_path):
    edgernn("export", SMALL, "-o", tmp_path, "--labels", "a,b,c")
    for suffix in ("onnx", "tflite", "ernn"):
        told = edgernn("inspect", tmp_path / f"small_gru.{suffix}", "--json")
        metadata = json.loads(told.out)[0]["metadata"]
        assert json.loads(metadata["labels"]) == ["a", "b", "c"]
        assert metadata["source_sha256"] == read_manifest(tmp_path)[0].source.sha256


@pytest.mark.parametrize("labels", ["a,b", "a,b,c,d", "a"])
def test_labels_of_another_number_than_the_model_has_classes_are_wrong_usage(
    edgernn, tmp_path, labels
):
    ran = edgernn("export", SMALL, "-o", tmp_path / "out", "--labels", labels)
    assert ran.code == 2
    assert f"{len(labels.split(','))} labels are given, and output " in ran.err
    assert "has 3 classes" in ran.err
    assert not (tmp_path / "out").exists()


def test_no_verify_is_said_in_the_manifest(edgernn, tmp_path):
    edgernn("export", SMALL, "-o", tmp_path, "--no-verify")
    statuses = {artefact.verification.status for artefact in read_manifest(tmp_path)}
    assert statuses == {VerificationStatus.NOT_RUN}


def damaged(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("missing.keras", None, errors.ModelFileError),
        ("notes.keras", b"not a model", errors.ModelFileError),
        ("empty.h5", b"", errors.ModelFileError),
        ("cut.keras", SMALL.read_bytes()[:-400], errors.ModelFileError),
        ("photo.jpg", b"\xff\xd8\xff", errors.ModelFileError),
        ("weights.h5", (GOLDEN / "small_gru.weights.h5").read_bytes(), errors.ModelFileError),
        ("lambda.keras", (GOLDEN / "with_lambda.keras").read_bytes(), errors.UnsupportedLayer),
    ],
)
def test_a_model_that_cannot_be_read_is_one_line_an_exit_code_and_no_file(
    edgernn, tmp_path, name, content, error
):
    path = tmp_path / name if content is None else damaged(tmp_path, name, content)
    ran = edgernn("export", path, "-o", tmp_path / "out")
    assert ran.code == error.code
    assert ran.err.startswith("edgernn: ")
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert not (tmp_path / "out").exists()


def softmax_gates(path: Path) -> Path:
    """The small model as a file whose gates go through softmax: all but the native runtime do."""
    config = '"recurrent_activation": "sigmoid"'
    with zipfile.ZipFile(SMALL) as given, zipfile.ZipFile(path, "w") as made:
        for entry in given.namelist():
            content = given.read(entry)
            if entry == "config.json":
                assert content.count(config.encode()) == 1
                content = content.replace(
                    config.encode(), config.replace("sigmoid", "softmax").encode()
                )
            made.writestr(entry, content)
    return path


def test_a_format_that_nobody_named_is_left_out_with_one_line_and_an_entry(edgernn, tmp_path):
    model, out = softmax_gates(tmp_path / "odd.keras"), tmp_path / "out"
    edgernn("export", SMALL, "-o", out)
    ran = edgernn("export", model, "-o", out)
    assert ran.code == 0
    (warning,) = ran.err.splitlines()
    assert "odd.ernn is left out: layer " in warning
    assert "softmax" in warning
    assert {"odd.onnx", "odd.tflite"} <= names(out)
    assert "odd.ernn" not in names(out)
    (refusal,) = read_refusals(out)
    assert (refusal.file, refusal.backend) == ("odd.ernn", "native")
    assert refusal.reason in warning
    assert len(read_manifest(out)) == 2 * len(FORMATS) - 1


def test_a_layer_that_a_named_format_cannot_express_is_an_error_with_a_remedy(edgernn, tmp_path):
    model = softmax_gates(tmp_path / "odd.keras")
    ran = edgernn("export", model, "-o", tmp_path / "out", "--to", "onnx,native")
    assert ran.code == errors.UnsupportedLayer.code
    assert "layer 'gru' (Gru, in the native runtime) has softmax" in ran.err
    assert "Export it to ONNX or TFLite" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_model_that_no_format_can_express_is_an_error(edgernn, tmp_path, monkeypatch):
    def lower(*_, **__):
        raise errors.UnsupportedLayer(
            layer="l", kind="K", where="here", reason="is new", remedy="Wait"
        )

    refusing = replace(backend_named("native"), lower=lower)
    monkeypatch.setattr(one_format, "backend_named", lambda _name: refusing)
    ran = edgernn("export", SMALL, "-o", tmp_path / "out")
    assert ran.code == errors.UnsupportedLayer.code
    assert not (tmp_path / "out").exists()


def test_a_step_model_of_a_bidirectional_layer_is_refused(edgernn, tmp_path):
    model = GOLDEN / "bidirectional_gru.keras"
    ran = edgernn("export", model, "-o", tmp_path / "out", "--streaming")
    assert ran.code == errors.UnsupportedLayer.code
    assert "both" in ran.err


def test_a_format_that_is_refused_now_takes_the_file_of_an_earlier_export_with_it(
    edgernn, tmp_path
):
    out = tmp_path / "out"
    (tmp_path / "before").mkdir()
    model = shutil.copy(SMALL, tmp_path / "before" / "odd.keras")
    assert edgernn("export", model, "-o", out, "--no-verify").code == 0
    assert "odd.ernn" in names(out)
    model = softmax_gates(tmp_path / "odd.keras")
    ran = edgernn("export", model, "-o", out, "--no-verify")
    assert ran.code == 0
    assert "odd.ernn is left out, and that of an earlier export is removed: layer" in ran.err
    others = {f"odd{suffix}" for suffix in suffixes()} - {"odd.ernn"}
    assert names(out) == {*others, "model.json"}
    assert read_refusals(out)[0].removed


def test_a_damaged_manifest_stops_the_export_before_anything_is_replaced(edgernn, tmp_path):
    (tmp_path / "model.json").write_text("{")
    ran = edgernn("export", SMALL, "-o", tmp_path)
    assert ran.code not in (0, 1)
    assert "model.json" in ran.err
    assert names(tmp_path) == {"model.json"}


def test_a_runtime_that_is_not_installed_is_a_reason_in_the_manifest(
    edgernn, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        verify, "run_cases", lambda *_, **__: Skipped(reason="onnxruntime is not installed")
    )
    ran = edgernn("export", SMALL, "-o", tmp_path, "--to", "onnx")
    assert ran.code == 0
    assert "onnxruntime is not installed" in ran.out
    assert ran.out.splitlines()[-1].endswith(
        "NOT CHECKED: small_gru.onnx (onnxruntime is not installed)."
    )
    (artefact,) = read_manifest(tmp_path)
    assert artefact.verification.status is VerificationStatus.SKIPPED


def test_require_verify_makes_a_check_that_cannot_be_run_an_error(edgernn, tmp_path, monkeypatch):
    real = runners.run_cases

    def run(device, path, backend, *given, **options):
        if backend == "onnx":
            return Skipped(reason="onnxruntime is not installed")
        return real(device, path, backend, *given, **options)

    monkeypatch.setattr(verify, "run_cases", run)
    ran = edgernn("export", SMALL, "-o", tmp_path, "--to", "onnx,native", "--require-verify")
    assert ran.code == errors.MissingRuntime.code
    assert "small_gru.onnx cannot be checked: onnxruntime is not installed" in ran.err
    assert ran.err.splitlines()[-1].endswith(
        "Passed the check: small_gru.ernn. FAILED, not written: small_gru.onnx."
    )
    assert [artefact.backend for artefact in read_manifest(tmp_path)] == ["native"]
    contradiction = edgernn("export", SMALL, "-o", tmp_path, "--require-verify", "--no-verify")
    assert contradiction.code == 2


def test_a_folder_that_cannot_be_written_is_named(edgernn, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    ran = edgernn("export", SMALL, "-o", tmp_path / "file" / "out")
    assert ran.code == errors.OutputError.code
    assert "Choose another folder" in ran.err


def test_a_typo_in_a_format_lists_the_formats(edgernn, tmp_path):
    ran = edgernn("export", SMALL, "-o", tmp_path, "--to", "onnx,tflit")
    assert ran.code == 2
    assert "'tflit' is not one of onnx, tflite, native" in ran.err
