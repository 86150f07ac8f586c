"""The kit for the web in Node gives the bits of Python, and its errors say what is wrong."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import Model
from edgernn.errors import MissingTool
from edgernn.export.native import lower
from edgernn.kits import package
from edgernn.runtime.listening import Deciding
from tests.edgernn.kits.heard import DECIDING, heard_by_python, sensed_by_python, sound_of
from tests.edgernn.kits.models import (
    NO_SOUND,
    RATE_HZ,
    SENSOR_ERRORS,
    rhythmic_model,
    rows,
    samples_of_sensors,
    sensor_model,
)
from tests.edgernn.runtime.models import random_integer_cell
from tests.edgernn.runtime.nibble_models import in_nibbles
from tests.edgernn.runtime.text_models import text_graph
from tests.edgernn.runtime.toolchain import node_with_relaxed_simd, run, tool

DRIVER = Path(__file__).parent / "kit.mjs"


@pytest.fixture(scope="module")
def kits(arrays: Path, sound: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tool("clang"), tool("wasm-ld")
    folder = tmp_path_factory.mktemp("web")
    package(arrays, target="web", folder=folder / "arrays")
    package(sound, target="web", folder=folder / "sound", demo=True, all_layers=True)
    return {"arrays": folder / "arrays", "sound": folder / "sound"}


def node(*words: str | Path) -> bytes:
    command = [tool("node"), str(DRIVER), *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("entry", ["node.js", "inline.js"])
@pytest.mark.parametrize("way", ["run", "step"])
def test_none_of_10000_numbers_differs_from_python(
    entry: str, way: str, kits: dict[str, Path], arrays: Path, tmp_path: Path
) -> None:
    x = rows()
    x.tofile(tmp_path / "x.bin")
    given = np.frombuffer(node(kits["arrays"] / entry, way, tmp_path / "x.bin"), np.float32)
    expected = Model(arrays)(x[None])[0].ravel()
    assert given.size == 10_000
    assert (given != expected).sum() == 0


def heard_by_node(kit: Path, pcm: Path, deciding: Deciding, *, piece: int, kind: str) -> Any:
    options = {
        "threshold": deciding.threshold,
        "smooth": deciding.smooth,
        "pause": deciding.pause_s,
        "every": deciding.every_s,
    }
    words = (pcm, str(RATE_HZ), str(piece), json.dumps(options), kind)
    return json.loads(node(kit / "node.js", "listen", *words))


@pytest.mark.parametrize(("piece", "kind"), [(128, "f32"), (50_000, "s16")])
def test_it_hears_what_python_hears(
    piece: int, kind: str, kits: dict[str, Path], sound: Path, tmp_path: Path
) -> None:
    pcm = sound_of()
    pcm.tofile(tmp_path / "pcm")
    heard, whole = heard_by_python(sound, pcm, DECIDING)
    found = heard_by_node(kits["sound"], tmp_path / "pcm", DECIDING, piece=piece, kind=kind)
    assert len(found) > 4
    assert [one["label"] for one in found] == [one.label for one in [*heard, whole]]
    for one, expected in zip(found, [*heard, whole], strict=True):
        assert one["seconds"] == pytest.approx(expected.seconds, abs=1e-6)
        assert one["score"] == pytest.approx(expected.score, abs=1e-5)


def test_a_step_without_a_result_gives_null(kits: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "step.ernn").write_bytes(rhythmic_model())
    rows(9, 40).tofile(tmp_path / "x")
    words = ("rhythm", tmp_path / "step.ernn", tmp_path / "x")
    found = json.loads(node(kits["sound"] / "node.js", *words))
    session = Model(tmp_path / "step.ernn").session()
    expected = [session.step(row) for row in rows(9, 40)]
    assert [answer is None for answer in expected] == [True, True, False] * 3
    assert found == [None if answer is None else answer.tolist() for answer in expected]


def test_a_closed_session_gives_its_memory_back(kits: dict[str, Path]) -> None:
    assert node(kits["arrays"] / "node.js", "sessions") == b"same\n"


def test_bad_input_is_an_error_that_says_what_to_give(
    kits: dict[str, Path], arrays: Path, tmp_path: Path
) -> None:
    other = tmp_path / "words.tflite"
    other.write_bytes(b"\x1c\0\0\0TFL3" + bytes(200))
    found = json.loads(node(kits["arrays"] / "node.js", "errors", other, arrays))
    assert found == {
        "null array": "TypeError: input x needs a Float32Array, not null",
        "other type": "TypeError: input x needs a Float32Array, not Float64Array",
        "half a row": "RangeError: input x needs a multiple of 16 elements, not 17",
        "two rows": "RangeError: input x of a step needs 16 elements",
        "no array": "TypeError: the model takes 1 inputs, not 0",
        "other file": "ErnnError: the model: this is not an .ernn file. "
        "Give the .ernn file that an export to native wrote",
        "no bytes": "TypeError: the model must be an ArrayBuffer or a typed array with the bytes "
        "of an .ernn file",
        "no recipe": f"ErnnError: {NO_SOUND}",
        "bytes at an odd address": "no error",
        "closed session": "ErnnError: this session or listener is closed: make another one",
        "closed model": "ErnnError: the model is closed: load it again",
        "type": True,
    }


def test_sound_that_cannot_be_heard_is_an_error(kits: dict[str, Path]) -> None:
    found = json.loads(node(kits["sound"] / "node.js", "sound_errors"))
    assert "the sample rate is below the model's" in found["low rate"]
    assert found["no rate"].startswith("TypeError: the sample rate must be a whole number")
    assert found["null sound"].startswith("TypeError: sound must be a Float32Array in -1 to 1")
    assert "far outside of -1 to 1" in found["too loud"]


def test_a_listener_of_sensors_hears_what_python_hears(
    kits: dict[str, Path], tmp_path: Path
) -> None:
    model = tmp_path / "sensors.ernn"
    model.write_bytes(sensor_model())
    samples_of_sensors().tofile(tmp_path / "samples")
    told = json.loads(node(kits["sound"] / "node.js", "sensors", model, tmp_path / "samples"))
    expected = sensed_by_python(model, samples_of_sensors())
    assert len(expected) > 4
    assert [one["label"] for one in told["found"]] == [one.label for one in expected]
    for one, wanted in zip(told["found"], expected, strict=True):
        assert one["seconds"] == pytest.approx(wanted.seconds, abs=1e-6)
        assert one["score"] == pytest.approx(wanted.score, abs=1e-5)
    assert told["same"]
    for said, error in zip(told["errors"], SENSOR_ERRORS, strict=True):
        assert said.startswith(f"TypeError: {error}")


def test_with_all_layers_it_runs_any_other_model(kits: dict[str, Path], tmp_path: Path) -> None:
    """One with weights of 4 bits, say, which the packaged model has not."""
    graph, inputs = random_integer_cell(1)
    model, (x,) = tmp_path / "other.ernn", inputs.values()
    model.write_bytes(lower(in_nibbles(graph, 1), metadata={}).content)
    np.asarray(x[0], np.float32).tofile(tmp_path / "x.bin")
    given = node(kits["sound"] / "node.js", "run_other", model, tmp_path / "x.bin")
    np.testing.assert_array_equal(
        np.frombuffer(given, np.float32), np.ravel(Model(model)(x[:1])[0])
    )


def test_with_all_layers_it_makes_tokens_of_text(kits: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "reviews.ernn"
    path.write_bytes(lower(text_graph(), metadata={}).content)
    text = "Good film, bad 日本!"
    assert json.loads(node(kits["sound"] / "node.js", "tokens", path, text)) == {
        "tokens": Model(path).tokenize(text).tolist(),
        "null text": "TypeError: the text must be a string, not null",
        "no vocabulary": "ErnnError: the model has no front end for text: give it tokens",
        "closed model": "ErnnError: the model is closed: load it again",
    }


def test_it_is_as_small_as_promised(kits: dict[str, Path], pages: Path) -> None:
    """Both with the front end for sound; a page loads one of the two files."""
    for name in ("ernn.wasm", "ernn-relaxed.wasm"):
        own_layers = (pages / name).read_bytes()
        every_layer = (kits["sound"] / name).read_bytes()
        assert len(gzip.compress(own_layers, 9)) <= 26_000
        assert len(gzip.compress(every_layer, 9)) <= 40_000


@pytest.mark.parametrize("way", ["run", "step"])
@pytest.mark.parametrize("kit", ["arrays", "sound"])
def test_with_relaxed_simd_none_of_10000_numbers_differs(
    way: str, kit: str, kits: dict[str, Path], arrays: Path, tmp_path: Path
) -> None:
    """The library of the model's layers, and that of every layer with this model."""
    x = rows()
    x.tofile(tmp_path / "x.bin")
    words = (kits[kit] / "node.js", way, tmp_path / "x.bin", arrays)
    command = [*node_with_relaxed_simd(), str(DRIVER), *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    given = np.frombuffer(done.stdout, np.float32)
    expected = Model(arrays)(x[None])[0].ravel()
    assert given.size == 10_000
    assert (given != expected).sum() == 0


def test_a_page_loads_the_library_that_its_engine_knows(kits: dict[str, Path]) -> None:
    core = (kits["arrays"] / "ernn.js").as_uri()
    script = (
        f"const core = await import('{core}'); const {{ readFileSync }} = await import('node:fs');"
        f"const bytes = readFileSync('{kits['arrays'] / 'ernn-relaxed.wasm'}');"
        "console.log(core.knowsRelaxedSimd(), WebAssembly.validate(bytes));"
    )
    for command in ([tool("node")], node_with_relaxed_simd()):
        known, runs = run([*command, "--input-type=module", "-e", script]).split()
        assert known == runs


@pytest.mark.parametrize("entry", ["node.js", "index.js"])
@pytest.mark.parametrize("served", [None, b"<!doctype html>"], ids=["missing", "another file"])
def test_where_only_the_plain_library_was_deployed_it_is_loaded(
    served: bytes | None, entry: str, kits: dict[str, Path], tmp_path: Path
) -> None:
    """Some servers answer with a page of their own where a file is missing."""
    kit = tmp_path / "kit"
    shutil.copytree(kits["arrays"], kit)
    (kit / "ernn-relaxed.wasm").unlink()
    if served is not None:
        (kit / "ernn-relaxed.wasm").write_bytes(served)
    script = (
        "const { readFile } = await import('node:fs/promises');"
        "globalThis.fetch = (url) => readFile(url).then((bytes) => new Response(bytes),"
        " () => new Response('', { status: 404 }));"
        f"const {{ Model }} = await import('{(kit / entry).as_uri()}');"
        "console.log((await Model.load()).inputs[0].width);"
    )
    assert run([*node_with_relaxed_simd(), "--input-type=module", "-e", script]).split() == ["16"]


def test_another_project_installs_and_imports_the_package(
    kits: dict[str, Path], tmp_path: Path
) -> None:
    """As npm does for a folder: a link in node_modules."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "sensors").symlink_to(kits["arrays"])
    (tmp_path / "app.mjs").write_text(
        "import { Model } from 'sensors';\nimport { Model as Inline } from 'sensors/inline';\n"
        "for (const kind of [Model, Inline]) console.log((await kind.load()).inputs[0].width);\n"
    )
    assert run([tool("node"), tmp_path / "app.mjs"]).split() == ["16", "16"]


def test_the_worklet_is_a_script_of_its_own(kits: dict[str, Path]) -> None:
    run([tool("node"), "--check", kits["sound"] / "worklet.js"])
    worklet = (kits["sound"] / "worklet.js").read_text()
    assert "import " not in worklet.replace("WebAssembly", "")
    assert "registerProcessor('ernn-listener'" in worklet
    assert len(worklet) > 4096  # smaller ones become data: URLs in bundlers


def test_a_missing_compiler_is_named(
    arrays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match=r"wasm-ld, which is not installed.*apt-get install lld"):
        package(arrays, target="web", folder=tmp_path / "kit")
    assert not (tmp_path / "kit").exists()
