"""A folder of recorded words becomes a model that hears them in long recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgernn.profile.hearing import alarms_of
from edgernn.tasks.label_tracks import read_label_tracks
from edgernn.tasks.recordings import read_recordings
from edgernn.tasks.split import split
from tests.edgernn.profile.test_hearing import RATE_HZ, Said, write
from tests.edgernn.runtime.sounds import Floats, recordings
from tests.edgernn.tasks.heard_words import trained_int8

WORDS = ("zero", "one", "two", "three", "four")  # the other digits are _other
TRAINED = range(5, 17)  # the numbers of the recordings; 0 to 4 are the data set's test
SAMPLE = 32767


def label(name: str) -> str:
    digit = int(Path(name).name[0])
    return WORDS[digit] if digit < len(WORDS) else "_other"


def number(name: str) -> int:
    return int(Path(name).stem.rsplit("_", 1)[1])


def words_of(found: dict[str, Floats], folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, sound in found.items():
        if number(name) in TRAINED:
            write(folder / label(name) / Path(name).name, sound * SAMPLE)
    for index in range(120):
        noise = rng.standard_normal(RATE_HZ) * 10 ** rng.uniform(-4, -1.5)
        write(folder / "_silence" / f"{index}.wav", np.clip(noise, -1, 1) * SAMPLE)
    return folder


def stream(found: dict[str, Floats], names: Sequence[str], path: Path) -> None:
    """Words and others with one to three seconds of faint noise in front of each."""
    rng = np.random.default_rng(len(names))
    parts: list[Floats] = []
    said: list[Said] = []
    seconds = 0.0
    for name in names:
        gap = rng.standard_normal(int(RATE_HZ * rng.uniform(1, 3))) * 10 ** rng.uniform(-3.5, -2.5)
        parts += [gap.astype(np.float32), found[name]]
        begin = seconds + len(gap) / RATE_HZ
        seconds = begin + len(found[name]) / RATE_HZ
        if label(name) in WORDS:
            said.append((begin, seconds, label(name)))
    write(path, np.concatenate(parts) * SAMPLE, said)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_most_words_are_heard_without_a_false_alarm_in_the_validation(tmp_path: Path) -> None:
    """Rows as recorded, without noise around them: 71 of 73 words are missed."""
    pytest.importorskip("keras")
    found = recordings(every=1)
    tested = [name for name in found if number(name) < TRAINED.start]
    mixed = np.random.default_rng(1).permutation(tested).tolist()
    for part, names in (("validation", mixed[::2]), ("test", mixed[1::2])):
        stream(found, names, tmp_path / "streams" / part / "one.wav")
    splits = split(read_recordings(words_of(found, tmp_path / "words")))
    heard = alarms_of(
        trained_int8(splits, tmp_path, epochs=24),
        read_label_tracks(tmp_path / "streams"),
        sha256="",
        wanted_per_hour=0.5,
    )
    assert heard.is_kept
    assert heard.test.events > 60
    assert heard.test.missed <= heard.test.events / 3
    assert heard.test.false_alarms <= 3
