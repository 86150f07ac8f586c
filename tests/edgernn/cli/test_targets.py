"""Numbers, steps, labels and two classes from a file to a report, as a person goes about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import edgernn
from edgernn.cli import edgernn as command_line
from edgernn.errors import DataError
from edgernn.scoring.metric import METRICS
from edgernn.tasks.training_log import read_log

#: Keras 3.15 and numpy 2.4, when a model is fitted in this process.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

QUICK = ("--processes", "1", "--min-time", "5ms", "--warmup", "1ms")
FORMATS = 3
HOURS = 2_600


def run(*arguments):
    result = CliRunner().invoke(command_line, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def write_load(folder: Path) -> Path:
    """The load of a house by the hour: a day's and a week's season, and the temperature."""
    random, hour = np.random.default_rng(0), np.arange(HOURS)
    warm = 10 + 8 * np.sin(hour / 100) + random.normal(0, 1, HOURS)
    load = 300 + 80 * np.sin(hour * 2 * np.pi / 24) - 4 * warm + random.normal(0, 5, HOURS)
    lines = (f"{a:.2f},{b:.2f}" for a, b in zip(load, warm, strict=True))
    (folder / "house.csv").write_text("\n".join(["load,warm", *lines]) + "\n")
    return folder / "house.csv"


def write_rows(folder: Path, name: str) -> Path:
    random = np.random.default_rng(1)
    x = random.normal(size=(400, 12, 3)).astype(np.float32)
    more: dict[str, Any] = {}
    match name:
        case "tags":
            y = (x[:, :, 0] > 0) + (x[:, :, 1] > 1.0)
            more = {"lengths": random.integers(6, 13, 400), "labels": np.array(["a", "b", "c"])}
        case "several":
            y = np.stack([x[:, -1, 0] > 0, x[:, -2:, 1].sum(1) > 1], axis=1).astype(int)
            more = {"labels": np.array(["warm", "late"])}
        case _:
            y = (x[:, -3:, 0].sum(axis=1) > 0).astype(np.float32)[:, None]
    np.savez(folder / f"{name}.npz", x=x, y=y, **more)
    return folder / f"{name}.npz"


CASES = {
    # name: (architecture, options, the first metric, all metrics)
    "load": ("gru", ("--target", "load"), "MAE", {"MAE", "RMSE", "R²"}),
    "tags": ("conv-lstm", (), "accuracy", {"accuracy", "F1 macro", "perplexity"}),
    "several": ("gru+lstm", (), "F1 macro", {"F1 macro"}),
}


@pytest.fixture(scope="module", params=CASES)
def trained(request, tmp_path_factory):
    """(name, data, model) of a short training."""
    folder = tmp_path_factory.mktemp("own")
    name = request.param
    cell, options, _, _ = CASES[name]
    data = write_load(folder) if name == "load" else write_rows(folder, name)
    model = folder / f"{name}.keras"
    training = ("--cell", cell, "--units", 16, "--epochs", 8, "--learning-rate", 0.01)
    run("train", data, *options, *training, "-o", model)
    return name, data, model


@pytest.fixture(scope="module")
def exported(trained):
    name, data, model = trained
    out = model.parent / "out"
    scheme = ("--scheme", "float32,int8", "--calibrate", f"{data}:calibration")
    text = run("export", model, *scheme, "--data", f"{data}:test", "--max-drop", 1, "-o", out)
    return name, data, out, text


def test_a_training_is_better_than_a_constant_answer_and_says_so(trained):
    name, _, model = trained
    log = read_log(model.with_suffix(".train.json"))
    metric = METRICS[log.test.metric]
    assert metric.name == CASES[name][2]
    assert metric.loss(log.baselines.trivial, log.test.value) < 0
    assert log.settings.cell == CASES[name][0]


def test_an_export_scores_every_file_by_the_metric_of_the_target(exported):
    name, _, _, text = exported
    metric = METRICS[CASES[name][2]]
    (head,) = [line for line in text.splitlines() if "95 % interval" in line]
    assert metric.name in head
    assert "float model" in text
    for suffix in ("onnx", "tflite", "ernn"):
        (line,) = [line for line in text.splitlines() if f".int8.{suffix} " in line and "[" in line]
        assert ("points" in line) == metric.is_share
        assert (" % [" in line) == (not metric.is_share)


def test_a_profile_scores_what_the_device_answered_by_all_metrics(exported, tmp_path):
    name, data, out, _ = exported
    log = read_log(out.parent / f"{name}.train.json")
    budget, report = tmp_path / "budget.toml", tmp_path / "r.json"
    limits = "\n".join(f"{METRICS[one].limit} = 0.5" for one in sorted(CASES[name][3]))
    budget.write_text(f"[every]\n{limits}\n")
    files = ("-o", report, "-o", tmp_path / "r.html", "-o", tmp_path / "r.csv")
    text = run("profile", out, "--data", f"{data}:test", *QUICK, "--budget", budget, *files)
    assert log.baselines.linear_name in text
    rows = json.loads(report.read_text())["summary"]
    assert len(rows) == 2 * FORMATS
    for row in rows:
        assert row["metric"] == CASES[name][2]
        assert {one["metric"] for one in row["scores"]} == CASES[name][3]
        assert row["score_low"] <= row["score"] <= row["score_high"]
        if row["scheme"] == "float32":
            assert row["score"] == pytest.approx(log.test.value, rel=1e-3)
        if name == "load":
            assert row["deviation"] < 0.1
        else:
            assert row["agreement"] > 0.9


def test_rows_without_labels_are_compared_with_the_original(exported, tmp_path):
    name, _, out, _ = exported
    with np.load(out.parent / f"{name}.test.npz") as test:
        np.savez(tmp_path / "bare.npz", x=test["x"][:30])
    report = edgernn.measure(
        out, data=tmp_path / "bare.npz", processes=1, min_time_ms=5, warm_up_ms=1
    )
    for row in report.rows:
        assert (row.metric, row.score, row.scores) == (None, None, ())
        assert row.deviation is not None
        assert row.deviation < 0.2
        assert (row.agreement is not None) == (name == "tags")  # the one whose outputs add up to 1
    assert "deviation" in str(report)
    assert ("agreement" in str(report)) == (name == "tags")


def test_a_sigmoid_that_a_person_trained_is_scored_from_floats_in_a_column(tmp_path):
    """Not by our own training: Dense(1, sigmoid), compiled and fitted by Keras."""
    keras = pytest.importorskip("keras")
    from sklearn.metrics import f1_score, roc_auc_score

    with np.load(write_rows(tmp_path, "two")) as arrays:
        x, y = arrays["x"], arrays["y"]
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            keras.layers.GRU(12),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name="two",
    )
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    model.fit(x[:300], y[:300], epochs=5, verbose=0)
    said = model.predict(x[300:], verbose=0)[:, 0]
    made = edgernn.load(model).export(tmp_path / "out", scheme="float32", data=(x[300:], y[300:]))
    report = made.profile(
        data=(x[300:], y[300:]), metric="auc", processes=1, min_time_ms=5, warm_up_ms=1
    )
    for row in report.rows:
        found = {one.metric: one.value for one in row.scores}
        assert row.metric == "AUC"
        assert found["AUC"] == pytest.approx(roc_auc_score(y[300:, 0], said), abs=1e-3)
        assert found["F1"] == pytest.approx(f1_score(y[300:, 0], said > 0.5), abs=1e-6)
    assert report.check({"auc_drop": 0.001, "f1_drop": 0.001}).kept


@pytest.mark.parametrize(
    ("y", "arguments", "saying"),
    [
        (np.zeros(200, int), (), "all rows of rows.npz are of one class"),
        (np.arange(200), (), "has 200 classes and 140 rows to train on"),
        (np.full(200, np.nan), (), "row 0 of y contains NaN or infinity"),
        (None, (), "has no labels, so nothing can be learned"),
        (np.arange(200) % 2, ("--target-kind", "numbers", "--cell", "gur"), "Did you mean 'gru'"),
        (np.arange(200) % 2, ("--target-kind", "token", "--cell", "bi-gru"), "sees the token"),
        (np.zeros((200, 2), int), ("--target-kind", "sequence"), "contains token 0, which begins"),
        (np.arange(200) % 2, ("--decoder", "gru"), "writes sequences, and the targets of rows.npz"),
        (np.full((200, 2), 3), ("--target-kind", "sequence", "--cell", "gru+lstm"), "'seq2seq-gru"),
        (np.arange(200) % 2, ("--target", "load"), "has no columns, so --target cannot name one"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_sentence(tmp_path, y, arguments, saying):
    path, model = tmp_path / "rows.npz", tmp_path / "m.keras"
    x = np.arange(800, dtype=np.int32).reshape(200, 4) % 7
    np.savez(path, x=x, **({} if y is None else {"y": y}))
    result = CliRunner().invoke(command_line, ["train", str(path), *arguments, "-o", str(model)])
    assert isinstance(result.exception, DataError), result.output
    assert saying in str(result.exception)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("bike", "--full"), "--full changes nothing: the task bike has all its rows without it"),
        (("pronunciation", "--steps", "9"), "--steps changes nothing: the task pronunciation has"),
    ],
)
def test_a_size_that_a_task_has_not_is_refused(tmp_path, arguments, saying):
    out = str(tmp_path / "m.keras")
    result = CliRunner().invoke(command_line, ["train", *arguments, "-o", out])
    assert result.exit_code == 2
    assert saying in " ".join(result.output.split())
