"""False alarms and misses in long recordings, at a threshold that other recordings chose."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import Model
from edgernn.errors import DataError
from edgernn.export.native import lower
from edgernn.graph import (
    Activation,
    ActivationKind,
    Dense,
    Graph,
    Input,
    Output,
    PoolKind,
    TensorSpec,
)
from edgernn.graph import GlobalPool1D as GlobalPool
from edgernn.profile.alarms import Alarms
from edgernn.profile.hearing import LATE_S, alarms_of
from edgernn.recipe import preset, recipe_text
from edgernn.runtime.audio import features_of
from edgernn.runtime.listening import Deciding, Listener
from edgernn.tasks.label_tracks import read_label_tracks
from edgernn.tasks.recordings import read_waveform
from tests.edgernn.kits.models import LABELS, sound_model
from tests.edgernn.runtime.sounds import made_up

RATE_HZ = 8000
RECIPE = preset(f"kaldi-fbank40@{RATE_HZ}")
STEPS = 30
Said = tuple[float, float, str]  # start, end, label


def write(path: Path, samples: Any, said: Sequence[Said] = ()) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    if said:
        lines = (f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label in said)
        path.with_suffix(".txt").write_text("".join(lines))


def tone(hertz: float, seconds: float, loudness: float = 0.3) -> Any:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    hiss = np.random.default_rng(0).standard_normal(len(t)) * 0.001
    return (loudness * np.sin(2 * np.pi * hertz * t) + hiss) * 32767


def hears_tones(labels: str = '["silence", "low", "high"]') -> Model:
    """silence, low (500 Hz) or high (2500 Hz), by the nearest mean of the features."""
    sounds = (tone(500, 1, 0.0), tone(500, 1), tone(2500, 1))
    means = np.stack([features_of(one.astype(np.int16), RECIPE).mean(axis=0) for one in sounds])
    softmax = Activation(kind=ActivationKind.SOFTMAX)
    layers = (
        GlobalPool(name="mean", input="x", output="pooled", kind=PoolKind.AVERAGE),
        Dense(
            name="head",
            input="pooled",
            output="y",
            kernel=(0.02 * means.T).astype(np.float32),
            bias=(-0.01 * (means**2).sum(axis=1)).astype(np.float32),
            activation=softmax,
        ),
    )
    graph = Graph(
        name="tones",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, STEPS, 40))),),
        layers=layers,
        outputs=(Output(name="y", edge="y"),),
    )
    metadata = {"front_end": recipe_text(RECIPE), "labels": labels}
    return Model(lower(graph, metadata=metadata).content)


def recorded(*parts: tuple[float, float, float]) -> Any:
    """Parts of (hertz, seconds, loudness), one after the other."""
    return np.concatenate([tone(*part) for part in parts])


def folder_with_a_decoy(tmp_path: Path, quiet: float) -> Path:
    """Two words in each part; and a short tone at 3 s that nobody labelled."""
    silence = (500, 2.0, 0.0)
    sound = recorded(
        silence,
        (500, 1.0, 0.3),
        (500, 3.0, 0.0),
        (2500, 1.0, quiet),
        silence,
        (500, 0.22, 0.3),
        silence,
    )
    said = [(2.0, 3.0, "low"), (6.0, 7.0, "high")]
    for part in ("validation", "test"):
        write(tmp_path / part / "one.wav", sound, said)
        write(tmp_path / part / "silence.wav", recorded((500, 20.0, 0.0)))
    return tmp_path


def test_the_threshold_lies_above_what_would_be_a_false_alarm(tmp_path: Path) -> None:
    model = hears_tones()
    streams = read_label_tracks(folder_with_a_decoy(tmp_path, quiet=0.3))
    found = alarms_of(model, streams, sha256="", wanted_per_hour=0)
    assert found.background == ("silence",)
    assert (found.test.events, found.test.missed, found.test.false_alarms) == (2, 0, 0)
    assert found.test.hours == pytest.approx(2 * 31.22 / 2 / 3600, rel=0.1)
    assert found.is_kept
    lower_one = Deciding(threshold=0.34)
    assert heard_by(model, streams.test[0].path, lower_one) > heard_by(
        model, streams.test[0].path, replace(lower_one, threshold=found.threshold)
    )


def heard_by(model: Model, path: Path, deciding: Deciding) -> int:
    waveform, rate_hz = read_waveform(path)
    listener = Listener(model=model, rate_hz=rate_hz, deciding=deciding)
    return sum(heard.label != "silence" for heard in listener.feed(waveform))


def test_a_word_below_the_decoy_is_missed_or_costs_a_false_alarm(tmp_path: Path) -> None:
    streams = read_label_tracks(folder_with_a_decoy(tmp_path, quiet=0.02))
    model = hears_tones()
    strict = alarms_of(model, streams, sha256="", wanted_per_hour=0)
    assert (strict.test.missed, strict.test.false_alarms) == (1, 0)
    lax = alarms_of(model, streams, sha256="", wanted_per_hour=1000)
    assert (lax.test.missed, lax.test.false_alarms) == (0, 1)
    assert lax.threshold < strict.threshold


def counted(model: Model, found: Alarms, folder: Path) -> tuple[int, int]:
    """(false alarms, missed) in a folder, by the listener of apps and the rule in words."""
    deciding = Deciding(threshold=found.threshold, smooth=found.smooth, pause_s=found.pause_s)
    false_alarms = missed = 0
    for path in sorted(folder.glob("*.wav")):
        waveform, rate_hz = read_waveform(path)
        listener = Listener(model=model, rate_hz=rate_hz, deciding=deciding)
        heard = [(one.seconds, one.label) for one in listener.feed(waveform)]
        heard = [one for one in heard if one[1] not in found.background]
        track = path.with_suffix(".txt")
        lines = track.read_text().splitlines() if track.exists() else []
        open_events = [line.split("\t") for line in lines]
        every = list(open_events)
        for seconds, label in heard:
            around = [
                event
                for event in every
                if event[2] == label and float(event[0]) <= seconds <= float(event[1]) + LATE_S
            ]
            false_alarms += not around
            first = next((event for event in around if event in open_events), None)
            if first is not None:
                open_events.remove(first)
        missed += len(open_events)
    return false_alarms, missed


def test_counts_are_those_of_the_listener_that_apps_use(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = tmp_path / "words.ernn"
    path.write_bytes(sound_model())
    for number in range(4):
        starts = np.cumsum(rng.uniform(0.3, 1.5, size=5))
        said = [(at, at + 0.4, str(rng.choice(("go", "stop")))) for at in starts.tolist()]
        sound = made_up(int(10 * RATE_HZ), rate_hz=RATE_HZ, seed=number)
        write(tmp_path / "sounds" / f"{number}.wav", sound, said)
    streams = read_label_tracks(tmp_path / "sounds")  # 0 and 2 validate, 1 and 3 test
    model = Model(path)
    found = alarms_of(
        model,
        streams,
        sha256="",
        wanted_per_hour=2500,
        background=LABELS[:2],
        deciding=Deciding(smooth=2, pause_s=0.3),
    )
    assert found.test.events == 10
    assert 0 < found.test.missed < 10
    assert found.test.false_alarms > 0
    for part, tally in ((streams.validation, found.validation), (streams.test, found.test)):
        folder = tmp_path / part[0].path.stem
        for one in part:
            for suffix in (".wav", ".txt"):
                target = folder / one.path.with_suffix(suffix).name
                folder.mkdir(exist_ok=True)
                target.write_bytes(one.path.with_suffix(suffix).read_bytes())
        assert counted(model, found, folder) == (tally.false_alarms, tally.missed)


def test_background_has_its_usual_names_in_any_spelling(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.wav", recorded((500, 1.0, 0.0)))
    model = hears_tones('["Silence", "_other_", "high"]')
    found = alarms_of(model, read_label_tracks(tmp_path), sha256="")
    assert found.background == ("Silence", "_other_")


def test_labels_that_the_model_does_not_report_are_refused(tmp_path: Path) -> None:
    model = hears_tones()
    for name, label in (("a", "low"), ("b", "silence")):
        write(tmp_path / f"{name}.wav", recorded((500, 2.0, 0.0)), [(0.5, 1.0, label)])
    streams = read_label_tracks(tmp_path)
    with pytest.raises(DataError, match=r"name 'silence', which .* does not report.*low, high"):
        alarms_of(model, streams, sha256="")
    with pytest.raises(DataError, match="has no label 'hush'"):
        alarms_of(model, streams, sha256="", background=("hush",))


def test_a_label_track_of_another_recording_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", recorded((500, 2.0, 0.0)), [(0.5, 9.0, "low")])
    write(tmp_path / "b.wav", recorded((500, 2.0, 0.0)))
    with pytest.raises(DataError, match=r"has 2.00 s, its label track goes to 9.00 s"):
        alarms_of(hears_tones(), read_label_tracks(tmp_path), sha256="")


def test_a_recording_without_a_decision_has_its_hours_and_misses(tmp_path: Path) -> None:
    """A tenth of a second: not one score."""
    for name in ("a", "b"):
        write(tmp_path / f"{name}.wav", recorded((500, 0.1, 0.3)), [(0.0, 0.1004, "low")])
    found = alarms_of(hears_tones(), read_label_tracks(tmp_path), sha256="")
    assert (found.test.events, found.test.missed, found.test.false_alarms) == (1, 1, 0)
    assert found.test.hours == pytest.approx(0.1 / 3600)


def test_a_model_with_too_few_names_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.wav", recorded((500, 2.0, 0.0)))
    with pytest.raises(DataError, match="has 3 classes and names for 2 of them"):
        alarms_of(hears_tones('["silence", "low"]'), read_label_tracks(tmp_path), sha256="")
