"""The listener of the C library decides as the one of Python does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import Model, reference
from edgernn.errors import DataError
from edgernn.runtime.listening import Deciding, Listener
from tests.edgernn.cli.test_run import RECIPE as LOUDNESS
from tests.edgernn.cli.test_run import loud_or_quiet
from tests.edgernn.kits.heard import DECIDING, heard_by_python, sound_of
from tests.edgernn.kits.models import (
    LABELS,
    RATE_HZ,
    array_model,
    mirroring_model,
    sound_model,
    strided_graph,
    strided_model,
)
from tests.edgernn.runtime.toolchain import C_TESTS, HOST


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return HOST.build(tmp_path_factory.mktemp("c") / "listen", C_TESTS / "listen.c")


def heard_by_c(
    program: Path, model: Path, pcm: Any, deciding: Deciding, *, piece: int, rate_hz: int = RATE_HZ
) -> list[str]:
    numbers = (deciding.threshold, deciding.smooth, deciding.pause_s, deciding.every_s, piece)
    command = [str(program), str(model), str(rate_hz), *map(str, numbers)]
    done = subprocess.run(command, input=pcm.tobytes(), capture_output=True, timeout=60)
    assert done.returncode == 0
    lines: list[str] = done.stdout.decode().splitlines()
    return lines


@pytest.mark.parametrize(
    "content",
    [sound_model, partial(sound_model, 30), mirroring_model],
    ids=["steps", "windows", "as keras"],
)
@pytest.mark.parametrize("piece", [1, 777, 1 << 20])
def test_it_hears_what_python_hears(
    content: Callable[[], bytes], piece: int, program: Path, tmp_path: Path
) -> None:
    model = tmp_path / "words.ernn"
    model.write_bytes(content())
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


def test_a_window_that_is_not_full_begins_with_silence_where_the_recipe_says_so(
    program: Path, tmp_path: Path
) -> None:
    """Behind 30 rows of silence it answers as at the beginning, behind zeros it does not."""
    model, pcm = tmp_path / "words.ernn", np.concatenate([np.zeros(240, np.int16), sound_of(0.1)])
    as_keras = replace(LOUDNESS, lead_samples=100, ends="mirror", clip_samples=2400)
    for recipe, is_silent in ((as_keras, True), (LOUDNESS, False)):
        model.write_bytes(loud_or_quiet(30, recipe))
        after = np.concatenate([np.zeros(2400, np.int16), pcm])
        *_, first = heard_by_c(program, model, pcm, Deciding(), piece=100)
        *_, later = heard_by_c(program, model, after, Deciding(), piece=100)
        scores = [float(line.split()[2]) for line in (first, later)]
        assert (abs(scores[0] - scores[1]) < 1e-4) == is_silent


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


def test_scores_are_heard_that_fall_on_other_rows_than_decisions(
    program: Path, tmp_path: Path
) -> None:
    path, pcm = tmp_path / "strided.ernn", sound_of(1.0)
    path.write_bytes(strided_model())
    deciding = Deciding(threshold=0, smooth=1, pause_s=0)
    rows = Model(path).audio(RATE_HZ).feed(pcm)
    assert len(rows) % 2 == 0  # the last row has no scores
    (logits,) = reference.run(strided_graph(), {"x": np.asarray(rows)[None]})["y"].astype(
        np.float64
    )
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    wanted = shares[[*range(4, len(shares), 5), -1]]  # of rows 11, 21 and so on; of all so far
    heard, whole = heard_by_python(path, pcm, deciding)
    assert len(heard) > 5
    lines = [*map(str.split, heard_by_c(program, path, pcm, deciding, piece=777))]
    in_c = [(int(label), float(score)) for _, label, score in lines]
    in_python = [(int(one.label.removeprefix("class ")), one.score) for one in (*heard, whole)]
    for given in (in_c, in_python):
        assert [label for label, _ in given] == [*wanted.argmax(axis=-1)]
        np.testing.assert_allclose([score for _, score in given], wanted.max(axis=-1), atol=1e-4)


def test_before_the_first_window_is_full_no_answer_is_made_up(
    program: Path, tmp_path: Path
) -> None:
    path = tmp_path / "strided.ernn"
    path.write_bytes(strided_model())
    two_rows = sound_of(0.036)
    (refused,) = heard_by_c(program, path, two_rows, DECIDING, piece=99)
    assert refused == "too little sound, or too few samples, for an answer: give more"
    listener = Listener(model=Model(path), rate_hz=RATE_HZ, deciding=DECIDING)
    assert not list(listener.feed(two_rows))
    with pytest.raises(DataError, match="shorter than one window"):
        listener.whole()


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
