"""A kit is written whole or not at all, and replaces nothing that edgernn did not write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import edgernn
from edgernn.cli import edgernn as program
from edgernn.errors import ModelFileError, OutputError, WrongOption
from edgernn.kits import TARGETS, package
from tests.edgernn.kits.models import other_model


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_kit_is_the_same_each_time(arrays: Path, tmp_path: Path) -> None:
    package(arrays, target="c", folder=tmp_path / "a")
    package(arrays, target="c", folder=tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_model_replaces_the_kit_and_leaves_other_files(
    arrays: Path, sound: Path, tmp_path: Path
) -> None:
    package(arrays, target="c", folder=tmp_path)
    (tmp_path / "mine.c").write_text("mine")
    made = edgernn.package(sound, target="c", folder=tmp_path)
    assert set(contents(tmp_path)) == {"mine.c", *(path.name for path in made.files)}
    assert (tmp_path / "mine.c").read_text() == "mine"
    assert not (tmp_path / "sensors.ernn").exists()


@pytest.mark.parametrize("name", ["CMakeLists.txt", "README.txt", "ernn.c"])
def test_a_file_of_someone_else_stops_it(name: str, arrays: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match=f"{name} is in the way: it is not of an earlier kit"):
        package(arrays, target="c", folder=tmp_path)
    assert contents(tmp_path) == {name: b"mine"}


def test_a_file_that_was_changed_since_stops_it(arrays: Path, sound: Path, tmp_path: Path) -> None:
    package(arrays, target="c", folder=tmp_path)
    (tmp_path / "example.c").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"example\.c is in the way: it was changed since"):
        package(sound, target="c", folder=tmp_path)
    assert contents(tmp_path) == before


def test_a_manifest_cannot_name_files_outside_of_the_folder(arrays: Path, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "kit"
    outside.write_text("mine")
    made = package(arrays, target="c", folder=inside)
    manifest = json.loads(made.files[-1].read_text())
    digest = "1aa44e718d5bc9b7ff2003dbbb6f154e16636d5c2128ffce4751af5124b65337"  # of "mine"
    manifest["files"]["../outside"] = digest
    made.files[-1].write_text(json.dumps(manifest))
    with pytest.raises(OutputError, match="outside of its folder"):
        package(arrays, target="c", folder=inside)
    assert outside.exists()


def test_a_kit_of_another_target_is_not_mixed_in(arrays: Path, tmp_path: Path) -> None:
    package(arrays, target="c", folder=tmp_path)
    manifest = tmp_path / "ernn-kit.json"
    manifest.write_text(manifest.read_text().replace('"target": "c"', '"target": "web"'))
    with pytest.raises(OutputError, match="holds a kit for web"):
        package(arrays, target="c", folder=tmp_path)


@pytest.mark.parametrize("suffix", ["tflite", "onnx", "keras"])
def test_a_model_of_another_format_is_refused(suffix: str, tmp_path: Path) -> None:
    other = tmp_path / f"words.{suffix}"
    other.write_bytes(b"whatever")
    ran = CliRunner().invoke(
        program, ["package", str(other), "--for", "c", "-o", str(tmp_path / "k")]
    )
    assert isinstance(ran.exception, ModelFileError)
    assert "kits hold the native runtime" in str(ran.exception)
    assert "--to native" in str(ran.exception)
    assert not (tmp_path / "k").exists()


def test_a_damaged_and_a_missing_model_are_refused(arrays: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.ernn"
    content = bytearray(arrays.read_bytes())
    content[500] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ModelFileError, match="checksum"):
        package(damaged, target="c", folder=tmp_path / "k")
    with pytest.raises(ModelFileError, match="cannot read"):
        package(tmp_path / "missing.ernn", target="c", folder=tmp_path / "k")
    assert not (tmp_path / "k").exists()


def test_options_that_fit_no_kit_are_refused(arrays: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongOption, match="there is no kit for 'tv'"):
        package(arrays, target="tv", folder=tmp_path / "k")
    with pytest.raises(WrongOption, match="no demo page"):
        package(arrays, target="c", folder=tmp_path / "k", demo=True)
    with pytest.raises(WrongOption, match="no recipe for sound"):
        package(arrays, target="web", folder=tmp_path / "k", demo=True)
    assert not (tmp_path / "k").exists()


def test_the_command_offers_each_target() -> None:
    help_text = CliRunner().invoke(program, ["package", "--help"]).output
    assert f"[{'|'.join(TARGETS)}]" in help_text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("words.int8.ernn", "words"),
        ("Über 2-Wörter.ernn", "ber_2_w_rter"),
        ("8ball.ernn", "model_8ball"),
        ("_.ernn", "model"),
    ],
)
def test_names_of_files_become_identifiers(name: str, expected: str, tmp_path: Path) -> None:
    model = tmp_path / name
    model.write_bytes(other_model())
    package(model, target="c", folder=tmp_path / "k")
    assert (tmp_path / "k" / f"{expected}.ernn").read_bytes() == model.read_bytes()
