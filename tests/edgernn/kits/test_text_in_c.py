"""The kit for C of a model that takes text: its example answers as Python does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgernn import Model
from edgernn.export.native import lower
from edgernn.kits.contents import read_contents
from edgernn.kits.for_c import files
from tests.edgernn.runtime.sensor_models import sensor_content
from tests.edgernn.runtime.text_models import text_graph
from tests.edgernn.runtime.toolchain import run, tool

LINES = ["Good film", "bad, 日本!", "film " * 300]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the kit, and the example built of them."""
    folder = tmp_path_factory.mktemp("kit")
    model = folder / "reviews.ernn"
    model.write_bytes(lower(text_graph(), metadata={"labels": '["bad", "good"]'}).content)
    for name, content in files(read_contents(model, all_layers=False)).items():
        (folder / name).write_bytes(content)
    flags = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
    quick = ("-O0", "-DERNN_PORTABLE")
    run([tool("gcc"), *flags, *quick, "example.c", "ernn.c", "-o", "example"], cwd=folder)
    return folder


def example(kit: Path, text: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [kit / "example"], input=text, capture_output=True, check=False, timeout=60
    )


def test_the_example_answers_as_python_does(kit: Path) -> None:
    done = example(kit, "\n".join(["--", *LINES]).encode())
    assert done.returncode == 0
    assert done.stderr == b"no words: --\n"
    model, found = Model(kit / "reviews.ernn"), done.stdout.decode().splitlines()
    for line, said in zip(LINES, found, strict=True):
        label, score, text = said.split(" ", 2)
        scores = model(line)[0]
        assert (label, text) == (model.labels[int(scores.argmax())], line)
        assert np.float32(score) == pytest.approx(scores.max(), rel=1e-5)


def test_what_is_no_text_is_one_clear_error(kit: Path) -> None:
    done = example(kit, b"good\n\xff\n")
    assert (done.returncode, done.stderr) == (1, b"error: the text is not UTF-8\n")


def test_a_line_that_is_too_long_is_not_cut_in_two(kit: Path) -> None:
    longest = b"good " * 13_106 + b"film"  # 65,534 bytes
    done = example(kit, longest + b"\n" + longest)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    done = example(kit, b"good\n" + longest + b"s\n")
    assert (done.returncode, done.stderr) == (1, b"error: a line has more than 65534 bytes\n")


def test_the_library_of_a_model_of_text_has_no_sound_and_of_another_no_text(
    kit: Path, tmp_path: Path
) -> None:
    assert "#define ERNN_WITHOUT_SOUND 1" in (kit / "ernn.c").read_text()
    assert "#define ERNN_WITHOUT_TEXT 1" not in (kit / "ernn.c").read_text()
    other = tmp_path / "tokens.ernn"
    other.write_bytes(lower(text_graph(None), metadata={}).content)
    assert "#define ERNN_WITHOUT_TEXT 1" in read_contents(other, all_layers=False).library["ernn.c"]


def test_the_readme_of_a_model_of_sensors_says_what_its_rows_are(tmp_path: Path) -> None:
    (tmp_path / "steps.ernn").write_bytes(sensor_content())
    made = files(read_contents(tmp_path / "steps.ernn", all_layers=False))
    readme = made["README.txt"].decode()
    assert "samples: [20, 3] float32, from sensors: x, y, z with their scaling, 50 " in readme
    assert "windows of 20 every 5\n" in readme
    assert "ernn_listener_feed_f32" in readme
    assert "#define ERNN_WITHOUT_SOUND 1" not in made["ernn.c"].decode()
