"""`edgernn run` on texts and on tables of samples: a label a line, one clear error else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgernn import Model
from edgernn.cli import edgernn
from edgernn.errors import EdgernnError
from edgernn.export.native import lower
from edgernn.runtime.classifying import classified
from edgernn.runtime.listening import Deciding
from edgernn.runtime.sensing import SensorListener
from tests.edgernn.runtime.sensor_models import sensor_content, sensor_graph
from tests.edgernn.runtime.text_models import text_graph

TEXTS = lower(text_graph(), metadata={"labels": '["bad", "good"]'}).content


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.ernn"
    path.write_bytes(TEXTS)
    return path


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    path = tmp_path / "steps.ernn"
    path.write_bytes(sensor_content())
    return path


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(edgernn, ["run", *map(str, arguments)], input=stdin)


def refused(*arguments: str | Path, stdin: bytes | None = None) -> str:
    result = run(*arguments, stdin=stdin)
    assert isinstance(result.exception, EdgernnError), result.output
    return str(result.exception)


def test_each_text_gets_a_line(reviews: Path) -> None:
    expected = classified(Model(reviews), "Good film")
    result = run(reviews, "--text", "Good film", "--text", "日本")
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert first == f"{expected.label}  {100 * expected.score:.0f} %  Good film"
    assert second.endswith("日本")


def test_lines_of_standard_input_are_texts(reviews: Path) -> None:
    stdin = "Good film\r\n日本\n".encode("utf-8-sig")  # as Windows writes it
    result = run(reviews, "--text", "-", "--json", stdin=stdin)
    found = [json.loads(line) for line in result.output.splitlines()]
    assert [one["text"] for one in found] == ["Good film", "日本"]
    assert all(set(one["scores"]) == {"bad", "good"} for one in found)
    assert all(abs(sum(one["scores"].values()) - 1) < 1e-6 for one in found)


def test_what_is_no_text_is_one_clear_error(reviews: Path, steps: Path) -> None:
    assert "line 2 of standard input is not UTF-8" in refused(
        reviews, "--text", "-", stdin=b"Good\n\xff\n"
    )
    assert "the text has no words" in refused(reviews, "--text", "--!")
    latin = refused(reviews, "--text", "caf\udce9")  # as Python reads an argument of other bytes
    assert "the text is not Unicode. Decode it as what it is" in latin
    assert "steps.ernn has no front end for text" in refused(steps, "--text", "Good")
    assert "reviews.ernn has no front end for sensors" in refused(reviews, "--csv", "x.csv")
    assert "reviews.ernn has no front end for sound" in refused(reviews, "--microphone", stdin=b"")


def test_a_table_of_samples_gets_labels_with_their_times(steps: Path, tmp_path: Path) -> None:
    samples = np.random.default_rng(2).standard_normal((90, 3)).astype(np.float32) * 4
    table = tmp_path / "stream.csv"
    lines = [f"{n},{z!r},{x!r},{y!r}" for n, (x, y, z) in enumerate(samples.tolist())]
    table.write_text("\n".join(["time,z,x,y", *lines]))
    listener = SensorListener(Model(steps), Deciding(threshold=0.3, smooth=1, pause_s=0.0))
    expected = [(one.seconds, one.label) for one in listener.feed(samples)]
    given = ("--threshold", "30", "--smooth", "1", "--pause", "0", "--json")
    result = run(steps, "--csv", table, *given)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.output.splitlines()]
    assert [(one["seconds"], one["label"]) for one in found[:-1]] == expected
    assert len(expected) > 5
    assert (found[-1]["at_end"], found[-1]["seconds"]) == (True, 1.8)


def test_a_table_without_a_channel_or_with_a_hole_is_refused(steps: Path, tmp_path: Path) -> None:
    table = tmp_path / "stream.csv"
    table.write_text("x,y\n1,2\n")
    assert "has no column z. The model takes x, y, z" in refused(steps, "--csv", table)
    table.write_text("x,y,z\n1,2,3\n1,,3\n")
    assert "line 3: no number in 'y'. Fill the gap" in refused(steps, "--csv", table)
    table.write_text("x,y,z\n1,2,3\n1,inf,3\n")
    assert "line 3: 'inf' in column 'y' is not a finite number" in refused(steps, "--csv", table)
    table.write_text("x,y,z\n0,5,1,2\n")  # a decimal comma
    assert "line 2: 4 columns, not 3" in refused(steps, "--csv", table)
    table.write_text("x,y,y,z\n1,2,3,4\n")
    assert "several columns 'y'" in refused(steps, "--csv", table)
    table.write_text("x,y,z\n1,2," + "9" * 200_000)
    assert "field limit" in refused(steps, "--csv", table)
    table.write_text("x,y,z\n")
    assert "has no lines" in refused(steps, "--csv", table)
    table.write_text("x,y,z\n1,2,3\n")
    assert "fewer samples than a window of 20" in refused(steps, "--csv", table)


def test_one_kind_of_input_is_given(reviews: Path) -> None:
    assert run(reviews).exit_code == 2
    both = run(reviews, "--text", "a", "--microphone")
    assert "Give one of --wav FILE, --microphone, --text TEXT and --csv FILE" in both.output
    assert run(reviews, "--text", "a", "--rate", "8000").exit_code == 2


def test_the_small_model_itself_takes_samples() -> None:
    assert Model(lower(sensor_graph(20), metadata={}).content).sensors is None
