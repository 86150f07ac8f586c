"""A model that makes its features of sound itself, from its training to decisions on recordings."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edgernn.cli import edgernn
from tests.edgernn.runtime.sounds import Floats, recordings

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SAMPLES = 4000


def trained(keras: Any, clips: Floats, digits: Any) -> Any:
    """MelSpectrogram with its own top_db of 80, and the usual turned axes."""
    keras.utils.set_random_seed(0)
    sound = keras.Input((SAMPLES,), name="sound")
    x = keras.layers.MelSpectrogram(
        fft_length=256, sequence_stride=80, num_mel_bins=24, sampling_rate=8000
    )(sound)
    x = keras.layers.Permute((2, 1))(x)
    x = keras.layers.GRU(32)(keras.layers.Rescaling(0.05, offset=1.0)(x))
    model = keras.Model(sound, keras.layers.Dense(10, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(clips, digits, epochs=15, verbose=0)
    return model


def clipped(waveform: Floats) -> Floats:
    """As audio_dataset_from_directory does it: cut at the end, or zeros there."""
    return np.pad(waveform[:SAMPLES], (0, max(0, SAMPLES - len(waveform))))


def written(path: Path, waveform: Floats) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.round(waveform * 32768).clip(-32768, 32767).astype("<i2").tobytes())
    return path


def ran(*arguments: str | Path) -> str:
    result = CliRunner().invoke(edgernn, list(map(str, arguments)))
    assert result.exception is None, result.output
    return result.stdout


@pytest.mark.long
def test_recordings_get_the_decisions_of_keras_from_the_training_to_the_profile(
    tmp_path: Path,
) -> None:
    keras = pytest.importorskip("keras")
    found = recordings(every=5)
    digits = np.array([int(Path(name).name[0]) for name in found])
    clips = np.stack([clipped(waveform) for waveform in found.values()])
    held = np.arange(len(clips)) % 4 == 0
    model = trained(keras, clips[~held], digits[~held])
    model.save(tmp_path / "digits.keras")
    said = np.array([np.asarray(model(clip[None]))[0] for clip in clips[held]])
    assert (said.argmax(axis=1) == digits[held]).mean() > 0.75
    for number, (name, waveform) in enumerate(found.items()):
        part = "test" if held[number] else "rest"
        written(tmp_path / part / str(digits[number]) / Path(name).name, waveform)
    options = ("--to", "native", "--labels", ",".join("0123456789"), "-o", tmp_path / "out")
    ran("export", tmp_path / "digits.keras", *options)
    whole = []
    for name, waveform in [*found.items()][::4]:
        wav = tmp_path / "test" / Path(name).name[0] / Path(name).name
        if len(waveform) <= SAMPLES:  # of longer ones, run answers for the end
            shown = ran("run", tmp_path / "out" / "digits.ernn", "--wav", wav, "--json")
            whole.append((json.loads(shown.splitlines()[-1]), number_of(name, found)))
    order = {number: row for row, number in enumerate(np.flatnonzero(held).tolist())}
    assert len(whole) > 60
    for answer, number in whole:
        expected = said[order[number]]
        assert answer["at_end"]
        assert int(answer["label"]) == expected.argmax()
        assert answer["score"] == pytest.approx(expected.max(), abs=2e-3)
    ran(
        *("export", tmp_path / "digits.keras", *options, "--scheme", "int8"),
        *("--calibrate", tmp_path / "rest", "--against-keras"),
    )
    quick = ("--processes", "1", "--min-time", "1ms", "--warmup", "1ms", "--json")
    report = json.loads(ran("profile", tmp_path / "out", "--data", tmp_path / "test", *quick))
    assert report


def number_of(name: str, found: dict[str, Floats]) -> int:
    return list(found).index(name)
