"""`edgernn train --qat`: fine-tuning on a grid, beside the same training in float."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import edgernn
from edgernn.cli import edgernn as command_line
from edgernn.errors import DataError, OutputError
from edgernn.report.trained import trained_text
from edgernn.tasks.training_log import read_log
from tests.edgernn.cli.test_train import edgernn as shell


@pytest.fixture(scope="module")
def numbers_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 rows; the target is a number far from 0, which the model standardizes for itself."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 6, 2)).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "load.npz"
    np.savez(path, x=x, y=(300 + 50 * x[:, :, 0].mean(axis=1)).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def tuned(numbers_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One command for all tests: it trains in float first, since there is no --from."""
    model = tmp_path_factory.mktemp("tuned") / "gru4.keras"
    options = ("--units", 8, "--epochs", 4, "--batch-size", 16, "--learning-rate", 0.02)
    command = ("train", "--data", numbers_file, *options, "--qat", "int4", "--json", "-o", model)
    process = shell(*command)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert json.loads(process.stdout)["on_grid"]["scheme"] == "int4"
    return model


def test_the_log_has_the_control_and_the_start(tuned: Path) -> None:
    log = read_log(tuned.with_suffix(".train.json"))
    assert log.on_grid is not None
    assert (log.on_grid.scheme, log.on_grid.start) == ("int4", "gru4.keras")
    assert log.on_grid.control.samples == log.test.samples
    assert log.on_grid.before != log.test
    assert max(log.test.value, log.on_grid.control.value) < log.baselines.trivial
    text = trained_text(log)
    assert text.count("\n") == 3
    assert "int4 weights: " in text
    assert "the same training in float: " in text


def test_the_score_is_that_of_the_exported_file(tuned: Path) -> None:
    """States and inputs are integers there, which Keras has not; its head has the unit of y."""
    log = read_log(tuned.with_suffix(".train.json"))
    loaded = edgernn.load(tuned)
    assert len(loaded.model.graph.grids) == 3
    with np.load(tuned.with_suffix(".test.npz")) as rows:
        x, y = rows["x"], rows["y"]
    made = loaded.export(
        tuned.parent / "out",
        to="native",
        scheme="int4",
        calibrate=tuned.with_suffix(".calibration.npz"),
        verify=False,
    )
    (given,) = edgernn.Model(made["native"].path).run({next(iter(loaded.inputs)): x}).values()
    error = np.abs(given.reshape(len(y), -1) - y.reshape(len(y), -1)).mean()
    assert error == pytest.approx(log.test.value, rel=1e-5)


def test_options_that_contradict_each_other_are_refused(tuned: Path, tmp_path: Path) -> None:
    out = ("-o", str(tmp_path / "new.keras"))
    for arguments, why in (
        (("--from", str(tuned)), "add --qat int4"),
        (("--from", str(tuned), "--qat", "int4", "--units", "4"), "--units is that of the model"),
        (("--qat", "int2"), "'int2' is not one of"),
        (("--qat", "int4", "--from", str(tmp_path / "none.keras")), "does not exist"),
    ):
        result = CliRunner().invoke(command_line, ["train", "digits", *arguments, *out])
        assert result.exit_code == 2
        assert why in result.output
    assert not list(tmp_path.iterdir())


def test_a_start_that_does_not_fit_is_refused(tuned: Path, tmp_path: Path) -> None:
    data = tmp_path / "wide.npz"
    np.savez(data, x=np.ones((200, 6, 5), np.float32), y=np.arange(200.0))
    arguments = ["train", "--data", str(data), "--qat", "int4", "--from", str(tuned)]
    for out, error, why in (
        (tmp_path / "new.keras", DataError, "gru4.keras does not fit wide"),
        (tuned, OutputError, "is the model to start from"),
    ):
        result = CliRunner().invoke(command_line, [*arguments, "-o", str(out)])
        assert isinstance(result.exception, error), result.exception
        assert why in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["wide.npz"]


@pytest.mark.long
def test_a_model_without_a_log_is_fitted_as_it_is(
    numbers_file: Path, tuned: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start.keras"
    start.write_bytes(tuned.read_bytes())
    options = ("--epochs", 1, "--json", "-o", tmp_path / "new.keras")
    process = shell("train", "--data", numbers_file, "--qat", "ternary", "--from", start, *options)
    assert process.returncode == 0, process.stderr
    log = json.loads(process.stdout)
    assert log["on_grid"]["scheme"] == "ternary"
    assert log["settings"]["units"] == 8
