"""A folder of recordings becomes log-mel features by class, or is refused by the file's name."""

from __future__ import annotations

import sys
import tarfile
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgernn.errors import DataError, MissingRuntime
from edgernn.recipe import preset
from edgernn.runtime.audio import features_of
from edgernn.tasks import load
from edgernn.tasks.recordings import read_recordings, read_waveform
from edgernn.tasks.split import split

FSDD = Path(__file__).parents[4] / "shared" / "data" / "fsdd.tar.xz"


def write_tone(path: Path, *, hertz: float, seconds: float = 0.3, rate_hz: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((8000 * np.sin(2 * np.pi * hertz * times)).astype("<i2").tobytes())


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    for index in range(3):
        write_tone(tmp_path / "tones" / "low" / f"a_{index}.wav", hertz=200)
        write_tone(tmp_path / "tones" / "high" / f"b_{index}.wav", hertz=3000)
    return tmp_path / "tones"


def test_classes_are_the_folders_and_rows_know_their_files(tones):
    samples = load(str(tones))
    assert samples.name == "tones"
    assert samples.labels == ("high", "low")
    assert samples.classified.tolist() == [0, 0, 0, 1, 1, 1]
    assert samples.origins[:2] == ("high/b_0.wav", "high/b_1.wav")
    assert "8000 samples a second" in samples.features
    assert samples.front_end == preset("kaldi-fbank40@8000")


def test_a_tone_is_loudest_in_its_mel_filter_and_ends_with_the_row(tones):
    samples = read_recordings(tones, preset("kaldi-fbank20@8000"))
    assert samples.x.shape == (6, 100, 20)
    assert not samples.x[:, :70].any()
    assert samples.x[:, 73:].all()
    loudest = samples.x[:, 73:].mean(axis=1).argmax(axis=1)
    assert (loudest[:3] > 15).all()
    assert (loudest[3:] < 6).all()


def test_the_same_file_gives_the_same_features_every_time(tones):
    assert np.array_equal(load(str(tones)).x, load(str(tones)).x)


def test_stereo_is_averaged(tones):
    path = tones / "low" / "a_0.wav"
    with wave.open(str(path)) as file:
        mono = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    before = load(str(tones)).x
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.repeat(mono, 2).tobytes())
    assert np.array_equal(load(str(tones)).x, before)


@pytest.mark.parametrize(
    ("damage", "saying"),
    [
        (lambda path: path.write_bytes(b"not sound"), r"zz\.wav is not a valid wav file"),
        (lambda path: path.write_bytes(b""), r"zz\.wav is not a valid wav file"),
        (lambda path: write_tone(path, hertz=1, rate_hz=16000), "16000 samples a second"),
        (lambda path: write_tone(path, hertz=1, seconds=0.01), "80 samples are fewer than one"),
    ],
    ids=["text", "empty", "another rate", "too short"],
)
def test_a_recording_that_does_not_fit_is_named(tones, damage, saying):
    damage(tones / "low" / "zz.wav")
    with pytest.raises(DataError, match=saying):
        load(str(tones))


def test_recordings_of_any_higher_rate_are_resampled_for_a_given_recipe(tones):
    recipe = preset("kaldi-fbank20@8000")
    plain = read_recordings(tones, recipe)
    write_tone(tones / "low" / "a_0.wav", hertz=200, rate_hz=44100)
    mixed = read_recordings(tones, recipe)
    row = mixed.origins.index("low/a_0.wav")
    others = np.arange(len(mixed)) != row
    assert np.array_equal(mixed.x[others], plain.x[others])
    assert mixed.x[row, 75:].mean(axis=0).argmax() == plain.x[row, 75:].mean(axis=0).argmax()


def test_recordings_below_the_rate_of_a_given_recipe_are_refused_by_name(tones):
    saying = r"high/b_0\.wav: sound of 8000 samples a second cannot be used where the model takes"
    with pytest.raises(DataError, match=saying):
        read_recordings(tones, preset("kaldi-fbank20@16000"))


@pytest.mark.parametrize("content", [None, "flat.wav"])
def test_a_folder_without_classes_is_refused(tmp_path, content):
    if content:
        write_tone(tmp_path / content, hertz=200)
    with pytest.raises(DataError, match=r"has no recordings\. Make a folder with one sub-folder"):
        load(str(tmp_path))


def test_a_missing_package_is_told_with_the_command_that_installs_it(tones, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingRuntime, match=r"pip install 'edgernn\[audio\]'"):
        load(str(tones))


@pytest.fixture(scope="module")
def spoken_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every fourth recording of three speakers, in folders by digit."""
    if not FSDD.exists():
        pytest.skip(f"{FSDD} is not there: the recordings are not part of the project")
    folder = tmp_path_factory.mktemp("fsdd")
    with tarfile.open(FSDD) as archive:
        for entry in archive:
            if not entry.isfile():
                continue
            digit, speaker, index = Path(entry.name).stem.split("_")
            if speaker in {"theo", "jackson", "nicolas"} and int(index) % 4 == 0:
                recording = archive.extractfile(entry)
                assert recording is not None
                path = folder / digit / Path(entry.name).name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(recording.read())
    return folder


def test_a_speaker_who_is_held_out_is_only_in_the_test(spoken_digits):
    splits = split(load(str(spoken_digits)), hold_out="*_theo_*")
    assert len(splits.test) == 130
    assert all("_theo_" in origin for origin in splits.test.origins)
    for part in (splits.train, splits.validation, splits.calibration):
        assert not any("_theo_" in origin for origin in part.origins)


def test_real_speech_can_be_told_apart_by_a_linear_model(spoken_digits):
    baselines = split(load(str(spoken_digits))).test.baselines
    assert baselines is not None
    assert baselines.trivial < 0.25
    assert baselines.linear > 0.7


@pytest.mark.parametrize("pattern", ["*_nobody_*", "*"])
def test_a_pattern_that_holds_out_nothing_or_everything_is_refused(tones, pattern):
    with pytest.raises(DataError, match=r"matches [06] of 6 rows\. Origins look like 'high/b_0"):
        split(load(str(tones)), hold_out=pattern)


def test_recordings_are_cut_or_filled_with_silence_to_the_clip_of_a_recipe(tones):
    recipe = replace(
        preset("keras-mel20@8000"),
        fft_samples=256, window_samples=256, hop_samples=80, lead_samples=128, ends="mirror",
        clip_samples=6000,
    )  # fmt: skip
    write_tone(tones / "low" / "a_0.wav", hertz=200, seconds=0.5)
    write_tone(tones / "low" / "a_1.wav", hertz=200, seconds=1.5)
    samples = read_recordings(tones, recipe)
    assert samples.x.shape[1:] == (76, 20) == (recipe.rows_of_recording(0), recipe.width)
    for name, filled in (("a_0", 2000), ("a_1", 0)):
        waveform, _ = read_waveform(tones / "low" / f"{name}.wav")
        clip = np.concatenate([waveform[:6000], np.zeros(filled, np.float32)])
        rows = features_of(clip, replace(recipe, clip_samples=0))
        assert np.array_equal(samples.x[samples.origins.index(f"low/{name}.wav")], rows)
