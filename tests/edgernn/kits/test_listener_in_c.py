"""The listener of the C library decides as the one of Python does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgernn import Model
from edgernn.runtime.listening import Deciding, Listener
from tests.edgernn.kits.heard import DECIDING, heard_by_python, sound_of
from tests.edgernn.kits.models import (
    LABELS,
    RATE_HZ,
    array_model,
    sound_model,
    strided_sound_model,
)
from tests.edgernn.runtime.toolchain import C_TESTS, HOST


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return HOST.build(tmp_path_factory.mktemp("c") / "listen", C_TESTS / "listen.c", flags=("-O0",))


def heard_by_c(
    program: Path, model: Path, pcm: Any, deciding: Deciding, *, piece: int, rate_hz: int = RATE_HZ
) -> list[str]:
    numbers = (deciding.threshold, deciding.smooth, deciding.pause_s, deciding.every_s, piece)
    command = [str(program), str(model), str(rate_hz), *map(str, numbers)]
    done = subprocess.run(command, input=pcm.tobytes(), capture_output=True, timeout=60)
    assert done.returncode == 0
    lines: list[str] = done.stdout.decode().splitlines()
    return lines


@pytest.mark.parametrize("fixed", [None, 30])
@pytest.mark.parametrize("piece", [1, 777, 1 << 20])
def test_it_hears_what_python_hears(
    fixed: int | None, piece: int, program: Path, tmp_path: Path
) -> None:
    model = tmp_path / "words.ernn"
    model.write_bytes(sound_model(fixed))
    pcm = sound_of()
    for deciding in (DECIDING, Deciding(), Deciding(threshold=0, smooth=1, pause_s=0)):
        expected, whole = heard_by_python(model, pcm, deciding)
        lines = [*map(str.split, heard_by_c(program, model, pcm, deciding, piece=piece))]
        names = ("no", "yes", "go", "stop", "left")
        assert [names[int(label)] for _, label, _ in lines] == [
            *(heard.label for heard in expected),
            whole.label,
        ]
        for (seconds, _, score), heard in zip(lines, [*expected, whole], strict=True):
            assert float(seconds) == pytest.approx(heard.seconds, abs=1e-6)
            assert float(score) == pytest.approx(heard.score, abs=1e-5)


def test_the_sound_brings_more_than_one_label(tmp_path: Path) -> None:
    """Otherwise the test above would not see much."""
    model = tmp_path / "words.ernn"
    model.write_bytes(sound_model())
    heard, _ = heard_by_python(model, sound_of(), DECIDING)
    assert len(heard) > 4
    assert len({each.label for each in heard}) > 1


def test_a_class_of_silence_is_never_decided(program: Path, tmp_path: Path) -> None:
    model = tmp_path / "words.ernn"
    model.write_bytes(sound_model())
    pcm = sound_of()
    before, _ = heard_by_python(model, pcm, DECIDING)
    silent = min(one.label for one in before)
    labels = tuple(f"_{label}" if label == silent else label for label in LABELS)
    model.write_bytes(sound_model(labels=labels))
    expected, whole = heard_by_python(model, pcm, DECIDING)
    assert 0 < len(expected) < len(before)
    lines = [*map(str.split, heard_by_c(program, model, pcm, DECIDING, piece=777))]
    decided = [labels[int(label)] for _, label, _ in lines]
    assert decided == [*(one.label for one in expected), whole.label]
    assert not [label for label in decided[:-1] if label.startswith("_")]


@pytest.mark.parametrize("stride", [2, 4])
def test_a_score_that_is_due_in_a_step_without_a_result_comes_with_the_next(
    stride: int, program: Path, tmp_path: Path
) -> None:
    """Results come in steps 3, 5, 7, … of which none is a multiple of ten."""
    model = tmp_path / "words.ernn"
    model.write_bytes(strided_sound_model(stride))
    deciding = Deciding(threshold=0.25, smooth=2, pause_s=0.2)
    pcm = sound_of(4.0)
    listener = Listener(model=Model(model), rate_hz=RATE_HZ, deciding=deciding)
    times = [listener.seconds for _ in listener.scores(pcm)]
    assert len(times) == 39  # every tenth of a second
    expected, whole = heard_by_python(model, pcm, deciding)
    assert len({one.label for one in expected}) > 1
    lines = [*map(str.split, heard_by_c(program, model, pcm, deciding, piece=777))]
    assert [LABELS[int(label)] for _, label, _ in lines] == [
        *(one.label for one in expected),
        whole.label,
    ]
    for (seconds, _, score), one in zip(lines, [*expected, whole], strict=True):
        assert float(seconds) == pytest.approx(one.seconds, abs=1e-6)
        assert float(score) == pytest.approx(one.score, abs=1e-5)


def test_an_answer_needs_a_result(program: Path, tmp_path: Path) -> None:
    """Two rows, and a window of three."""
    model = tmp_path / "words.ernn"
    model.write_bytes(strided_sound_model(2))
    (refused,) = heard_by_c(program, model, sound_of(0.035), Deciding(), piece=99)
    assert "steps" in refused


def test_models_and_rates_that_cannot_be_listened_with_are_refused(
    program: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.ernn"
    model.write_bytes(array_model())
    pcm = sound_of(0.1)
    assert heard_by_c(program, model, pcm, DECIDING, piece=99) == [
        "the model has no front end for sound: give it rows of features"
    ]
    model.write_bytes(sound_model())
    (refused,) = heard_by_c(program, model, pcm, DECIDING, piece=99, rate_hz=4000)
    assert "the sample rate is below the model's" in refused
    (refused,) = heard_by_c(program, model, pcm, Deciding(smooth=0), piece=99)
    assert "an argument is null or out of range" in refused
