"""model.json remembers artefacts across exports and refuses what it does not understand."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace

import pytest

from edgernn.artefact import (
    Artefact,
    Port,
    Refusal,
    Source,
    Verification,
    VerificationStatus,
    read_manifest,
    read_refusals,
    record,
    stored_file,
)
from edgernn.errors import ModelFileError
from edgernn.graph import DType, State, TensorSpec
from edgernn.scheme import Scheme

GRU = Artefact(
    model="gru",
    backend="onnx",
    scheme=Scheme.FLOAT16,
    files=(stored_file("gru.float16.onnx", b"content"),),
    inputs=(Port(name="x", spec=TensorSpec(shape=(None, 40, 13))),),
    outputs=(Port(name="p", spec=TensorSpec(shape=(None, 10), dtype=DType.FLOAT32)),),
    states=(State(input="h", output="h_out"),),
    source=Source(file="gru.keras", sha256="ab", bytes=99, keras_version="3.15.1", parameters=7),
    labels=("zero", "one"),
    details={"opset": "7"},
    verification=Verification(
        status=VerificationStatus.PASSED, cases=8, max_error=1e-7, tolerance=1e-4
    ),
)


def test_a_recorded_artefact_is_read_back_equal(tmp_path):
    record(tmp_path, [GRU])
    assert read_manifest(tmp_path) == (GRU,)


def test_another_export_into_the_folder_adds_and_the_same_file_replaces(tmp_path):
    lstm = replace(GRU, model="lstm", files=(stored_file("lstm.onnx", b""),))
    record(tmp_path, [GRU])
    record(tmp_path, [lstm])
    newer = replace(GRU, labels=())
    record(tmp_path, [newer])
    assert read_manifest(tmp_path) == (newer, lstm)


def test_exports_of_several_processes_into_one_folder_are_all_listed(tmp_path):
    names = [f"model{number}.onnx" for number in range(40)]
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_record_each, args=(tmp_path, names[part::4])) for part in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {artefact.name for artefact in read_manifest(tmp_path)} == set(names)
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def _record_each(folder, names):
    for name in names:
        record(folder, [replace(GRU, files=(stored_file(name, b""),))])


def test_files_that_an_artefact_has_no_longer_go(tmp_path):
    data = stored_file("gru.onnx.data", b"weights")
    (tmp_path / data.name).write_bytes(b"weights")
    (tmp_path / "mine.txt").write_text("notes")
    record(tmp_path, [replace(GRU, files=(*GRU.files, data))])
    assert (tmp_path / data.name).exists()
    record(tmp_path, [GRU])
    assert {path.name for path in tmp_path.iterdir()} == {"model.json", "mine.txt"}


@pytest.mark.parametrize(
    "name", ["../victim.txt", "/victim.txt", "a/b", "..", ".", "", "a\0b", "\ud800.onnx"]
)
def test_a_file_outside_of_the_folder_is_no_artefacts_and_is_never_deleted(tmp_path, name):
    (tmp_path / "victim.txt").write_bytes(b"mine")
    outside = replace(GRU, files=(*GRU.files, stored_file(name, b"mine")))
    record(tmp_path / "out", [outside])  # as if written by a hostile hand
    with pytest.raises(ModelFileError, match=r"name of a file beside it|surrogates not allowed"):
        record(tmp_path / "out", [GRU])
    assert (tmp_path / "victim.txt").exists()


def test_a_file_that_was_replaced_by_hand_survives(tmp_path):
    data = stored_file("gru.onnx.data", b"weights")
    record(tmp_path, [replace(GRU, files=(*GRU.files, data))])
    for name in (GRU.name, data.name):
        (tmp_path / name).write_bytes(b"mine")
    (refused,) = record(tmp_path, [], [Refusal(file=GRU.name, backend="onnx", reason="new")])
    assert not refused.removed
    assert {path.name for path in tmp_path.iterdir()} == {"model.json", GRU.name, data.name}


def test_what_is_refused_now_is_no_artefact_any_longer_and_the_other_way_round(tmp_path):
    refusal = Refusal(file=GRU.name, backend="onnx", reason="layer 'l' is new. Wait")
    record(tmp_path, [GRU])
    record(tmp_path, [], [refusal])
    refused = replace(refusal, removed=True)
    assert (read_manifest(tmp_path), read_refusals(tmp_path)) == ((), (refused,))
    record(tmp_path, [GRU])
    assert (read_manifest(tmp_path), read_refusals(tmp_path)) == ((GRU,), ())


def test_a_folder_without_manifest_holds_no_artefacts(tmp_path):
    assert read_manifest(tmp_path) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "nonsense",
        '{"version": 1, "artefacts": [{"model": "gru"}]}',
        '{"version": 1, "artefacts": 7}',
        '{"version": "x", "artefacts": []}',
        '{"version": 2, "artefacts": []}',
    ],
)
def test_a_damaged_or_newer_manifest_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"model\.json"):
        read_manifest(tmp_path)


def test_the_manifest_says_what_it_is(tmp_path):
    record(tmp_path, [GRU])
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert (manifest["format"], manifest["version"]) == ("edgernn-model", 1)


def test_fields_that_a_later_version_added_are_ignored(tmp_path):
    record(tmp_path, [GRU], [Refusal(file="gru.ernn", backend="native", reason="new")])
    manifest = json.loads((tmp_path / "model.json").read_text())
    (entry,), (refused,) = manifest["artefacts"], manifest["refused"]
    added = [entry, refused, entry["verification"], entry["source"]]
    for part in (*added, *entry["files"], *entry["states"], *entry["inputs"]):
        part["added"] = 1
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    assert read_manifest(tmp_path) == (GRU,)
    assert [refusal.file for refusal in read_refusals(tmp_path)] == ["gru.ernn"]


def test_a_manifest_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "model.json").mkdir()
    with pytest.raises(ModelFileError, match=r"cannot read .*model\.json: it is a folder"):
        read_manifest(tmp_path)
