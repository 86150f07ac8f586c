"""`edgernn run`: labels of recordings and of raw sound, one clear error for unusable input."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgernn import Model
from edgernn.cli import edgernn
from edgernn.errors import EdgernnError
from edgernn.export.native import lower
from edgernn.graph import (
    LINEAR,
    Activation,
    ActivationKind,
    Dense,
    GlobalPool1D,
    Graph,
    Input,
    Output,
    PoolKind,
    TensorSpec,
)
from edgernn.recipe import SoundRecipe, preset, recipe_text
from edgernn.runtime.audio import features_of

RATE_HZ, STEPS = 8000, 30
RECIPE = preset("kaldi-fbank40@8000")


def loud_or_quiet(steps: int | None, recipe: SoundRecipe = RECIPE) -> bytes:
    """Loud where the largest log energies seen are high: an answer that is known."""
    kernel = np.zeros((40, 2), np.float32)
    kernel[:, 0], kernel[:, 1] = -0.05, 0.05
    graph = Graph(
        name="loudness",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, steps, 40))),),
        layers=(
            GlobalPool1D(name="largest", input="x", output="pooled", kind=PoolKind.MAX),
            Dense(
                name="head",
                input="pooled",
                output="scores",
                kernel=kernel,
                bias=np.array([3, -3], np.float32),
                activation=Activation(kind=ActivationKind.SOFTMAX),
            ),
        ),
        outputs=(Output(name="scores", edge="scores"),),
    )
    metadata = {"front_end": recipe_text(recipe), "labels": '["quiet", "loud"]'}
    return lower(graph, metadata=metadata).content


def sound(*levels: float, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal(int(seconds * RATE_HZ)) * level for level in levels]
    return np.asarray(np.clip(np.concatenate(parts), -0.99, 0.99) * 32767, np.int16)


@pytest.fixture(params=[STEPS, None], ids=["windows", "steps"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "loudness.ernn"
    path.write_bytes(loud_or_quiet(request.param))
    return path


def write_wav(
    path: Path, samples: np.ndarray, *, channels: int = 1, rate_hz: int = RATE_HZ
) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(samples, channels).astype("<i2").tobytes())
    return path


def ran(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(edgernn, ["run", *map(str, arguments)], input=stdin)


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exception is None, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_labels_come_when_the_sound_changes(model: Path, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav", sound(0.0002, 0.3, seconds=2))
    heard = lines(ran(model, "--wav", wav, "--json", "--pause", "9"))
    assert [one["label"] for one in heard[:2]] == ["quiet", "loud"]
    first, second = heard[0]["seconds"], heard[1]["seconds"]
    assert first < 0.5
    assert 2.0 < second < 4.0
    assert heard[-1]["at_end"]


def test_raw_sound_from_another_program_gives_the_lines_of_the_recording(
    model: Path, tmp_path: Path
) -> None:
    samples = sound(0.0002, 0.3, 0.0002)
    wav = write_wav(tmp_path / "a.wav", samples)
    *recorded, _ = lines(ran(model, "--wav", wav, "--json"))
    piped = lines(ran(model, "--microphone", "--json", stdin=samples.tobytes()))
    assert piped == recorded
    assert recorded


def test_the_last_line_is_the_answer_of_the_model_for_the_recording(
    model: Path, tmp_path: Path
) -> None:
    samples = sound(0.02, seconds=0.25)  # shorter than the model's steps
    last = lines(ran(model, "--wav", write_wav(tmp_path / "a.wav", samples), "--json"))[-1]
    rows = features_of(samples, RECIPE)
    opened = Model(model)
    if opened.inputs[0].steps == STEPS:
        rows = np.concatenate([np.zeros((STEPS - len(rows), 40), np.float32), rows])
    scores = opened(rows[None])[0]
    assert last["label"] == opened.labels[scores.argmax()]
    assert last["score"] == pytest.approx(float(scores.max()), abs=1e-6)


def test_stereo_of_a_higher_rate_is_averaged_and_resampled(model: Path, tmp_path: Path) -> None:
    samples = np.repeat(sound(0.3), 2)
    wav = write_wav(tmp_path / "a.wav", samples, channels=2, rate_hz=16000)
    assert lines(ran(model, "--wav", wav, "--json"))[-1]["label"] == "loud"


def test_a_line_is_for_a_person(model: Path, tmp_path: Path) -> None:
    output = ran(model, "--wav", write_wav(tmp_path / "a.wav", sound(0.3))).stdout
    assert output.splitlines()[-1].split()[1:3] == ["s", "loud"]
    assert output.endswith("%  at the end\n")


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("--wav", "missing.wav"), "missing.wav (No such file or directory). Check the path"),
        (("--wav", "noise.wav"), "noise.wav is not a valid wav file (Format not recognised)"),
        (("--microphone",), "standard input ended too early: the sound is shorter than one"),
        (("--wav", "empty.wav"), "empty.wav holds no samples"),
        (("--wav", "short.wav"), "the sound is shorter than one window"),
        (("--wav", "slow.wav"), "sound of 4000 samples a second cannot be used where the model"),
        (("--microphone", "--rate", "4000"), "sound of 4000 samples a second cannot be used"),
    ],
)
def test_sound_that_cannot_be_used_is_one_error(
    arguments: tuple[str, ...], saying: str, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "noise.wav").write_bytes(b"hello" * 20)
    write_wav(tmp_path / "empty.wav", sound(0.1)[:0])
    write_wav(tmp_path / "short.wav", sound(0.1)[:100])
    write_wav(tmp_path / "slow.wav", sound(0.1), rate_hz=4000)
    given = [tmp_path / one if one.endswith(".wav") else one for one in arguments]
    result = ran(model, *given)
    assert isinstance(result.exception, EdgernnError)
    assert saying in str(result.exception)
    assert result.exception.code == 5
    assert result.stdout == ""


def test_a_model_without_a_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.ernn"
    kernel = np.ones((40, 2), np.float32)
    dense = Dense(name="head", input="x", output="y", kernel=kernel, bias=None, activation=LINEAR)
    graph = Graph(
        name="bare",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 40))),),
        layers=(dense,),
        outputs=(Output(name="y", edge="y"),),
    )
    path.write_bytes(lower(graph, metadata={}).content)
    result = ran(path, "--wav", write_wav(tmp_path / "a.wav", sound(0.1)))
    assert "bare.ernn has no front end for sound" in str(result.exception)


@pytest.mark.parametrize("arguments", [(), ("--wav", "a.wav", "--microphone")])
def test_one_source_of_sound_is_needed(arguments: tuple[str, ...], model: Path) -> None:
    result = ran(model, *arguments)
    assert result.exit_code == 2
    assert "Give one of --wav FILE, --microphone, --text TEXT and --csv FILE" in result.output
