"""A model with several outputs from a file to a report: each output is trained, scored and held to
its limits."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn import metrics as sklearn

import edgernn
from edgernn.cli import edgernn as command_line
from edgernn.errors import DataError
from edgernn.tasks.training_log import read_log

#: Keras 3.15 and numpy 2.4, when a model is fitted in this process.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

OUTPUTS = ("level", "load", "tag")
FIRST = {"level": "accuracy", "load": "MAE", "tag": "accuracy"}
QUICK = ("--processes", "1", "--min-time", "5ms", "--warmup", "1ms")


def run(*arguments, code=0):
    result = CliRunner().invoke(command_line, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of three outputs, a model that was trained on it, and its files in out/."""
    folder = tmp_path_factory.mktemp("several")
    x = np.random.default_rng(0).normal(size=(300, 6, 2)).astype(np.float32)
    mean = x.mean(axis=1)
    np.savez(
        folder / "rows.npz",
        **{
            "x": x,
            "y.level": np.array(["low", "high"])[(mean[:, 0] > 0).astype(int)],
            "y.load": 100 + 20 * mean,
            "y.tag": (x[:, :, 1] > 0).astype(int),
        },
    )
    options = ("--units", 12, "--epochs", 10, "--learning-rate", 0.02, "--batch-size", 32)
    run("train", folder / "rows.npz", *options, "-o", folder / "m.keras")
    scheme = ("--to", "native", "--scheme", "float32,int8")
    data = ("--calibrate", f"{folder}/rows.npz:calibration", "--data", f"{folder}/rows.npz:test")
    limit = ("--max-drop", 1, "-o", folder / "out")
    (folder / "said.txt").write_text(run("export", folder / "m.keras", *scheme, *data, *limit))
    return folder


@pytest.fixture(scope="module")
def exact(folder):
    """Each output's first score by Keras and scikit-learn, on the test rows."""
    keras = pytest.importorskip("keras")
    with np.load(folder / "m.test.npz") as test:
        answers = keras.models.load_model(folder / "m.keras").predict(test["x"], verbose=0)
        level, load, tag = answers
        return {
            "level": sklearn.accuracy_score(test["y.level"], level.argmax(axis=1)),
            "load": sklearn.mean_absolute_error(test["y.load"], load),
            "tag": sklearn.accuracy_score(test["y.tag"].ravel(), tag.argmax(axis=2).ravel()),
        }


def test_a_training_learns_every_output_and_its_log_says_what_each_reaches(folder, exact):
    log = read_log(folder / "m.train.json")
    others = {one.output: one for one in log.others}
    assert (log.output, *others) == OUTPUTS
    assert log.test.value == pytest.approx(exact["level"], abs=1e-6)
    assert log.test.value > log.baselines.trivial + 0.2
    assert others["load"].test.value == pytest.approx(exact["load"], rel=1e-4)
    assert others["load"].test.value < 0.7 * others["load"].baselines.trivial
    assert others["tag"].test.value == pytest.approx(exact["tag"], abs=1e-6)
    assert others["tag"].test.value > others["tag"].baselines.trivial + 0.3


def test_an_export_holds_every_output_to_the_limit_and_shows_each(folder):
    said = (folder / "said.txt").read_text()
    for output in OUTPUTS:
        assert f"output '{output}'  {FIRST[output]}" in " ".join(said.split("\n")).replace(
            "'   ", "'  "
        )
    assert said.count("float model") == len(OUTPUTS)


def test_a_profile_scores_every_output_in_every_kind_of_report(folder, exact, tmp_path):
    budget = tmp_path / "budget.toml"
    budget.write_text("[every]\naccuracy_drop = 0.02\nmae_rise = 0.02\nagreement = 0.9\n")
    reports = [tmp_path / f"r.{suffix}" for suffix in ("json", "csv", "md", "html")]
    files = [part for path in reports for part in ("-o", path)]
    test = ("--data", f"{folder}/rows.npz:test")
    text = run("profile", folder / "out", *test, *QUICK, "--budget", budget, *files)
    assert "accuracy of level" in text
    for report in reports[2:]:
        for title in ("MAE of load", "accuracy of tag"):
            assert title in report.read_text()
    rows = json.loads(reports[0].read_text())["summary"]
    assert len(rows) == 2
    for row in rows:
        found = {(one["output"], one["metric"]): one["value"] for one in row["scores"]}
        for output, value in exact.items():
            assert found[output, FIRST[output]] == pytest.approx(value, rel=0.02)
    (first, *_) = csv.DictReader(reports[1].read_text().splitlines())
    assert float(first["mae_of_load"]) == pytest.approx(exact["load"], rel=1e-4)


def test_answers_of_an_output_that_the_model_has_not_are_refused(folder, tmp_path):
    with np.load(folder / "m.test.npz") as test:
        given = (test["x"], {"level": test["y.level"], "mood": test["y.load"]})
    with pytest.raises(DataError, match="output 'mood', and the model's outputs are level, load"):
        edgernn.load(folder / "m.keras").export(
            tmp_path / "out", to="native", scheme="float32", data=given
        )


def test_contenders_are_compared_by_one_output(folder):
    with pytest.raises(DataError, match=r"several outputs \(level, load, tag\)"):
        edgernn.compare(folder / "rows.npz", out=folder / "cmp")
