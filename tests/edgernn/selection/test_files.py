"""Given models side by side: a paired test that agrees with scipy, and says what it is about."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import edgernn
from edgernn.cli import edgernn as cli
from edgernn.errors import WrongOption
from edgernn.selection.files import _paired
from edgernn.tasks.npz import write_npz
from edgernn.tasks.registry import TASKS
from edgernn.tasks.samples import Samples

TRAINED = Path(__file__).parents[2] / "golden" / "trained"
GRU, LSTM = TRAINED / "digits_gru.keras", TRAINED / "digits_lstm.keras"


@pytest.fixture(scope="module")
def rows():
    test = TASKS["digits"].read(lambda _: None).test
    return test.rows(np.arange(200), name="digits:test")


def test_two_trained_models_are_compared_row_by_row_and_the_card_says_what_it_is_about(
    rows, tmp_path
):
    made = edgernn.load(GRU).export(tmp_path, to="onnx")
    found = edgernn.compare_models([GRU, LSTM, made["onnx"].path], data=rows)
    gru, lstm, onnx = found.values.files
    assert lstm.verdict is not None
    assert onnx.verdict is not None
    assert gru.score == onnx.score
    assert onnx.verdict.effect.estimate == 0.0
    assert lstm.score == pytest.approx(gru.score + lstm.verdict.effect.estimate)
    assert min(gru.score, lstm.score) > 0.8
    text = " ".join(str(found).split())
    assert "No model was trained" in text
    assert "say nothing about GRU or LSTM" in text
    assert "more seeds would" not in text.replace("more seeds would not", "")


def test_the_command_prints_and_writes_the_same(rows, tmp_path):
    write_npz(tmp_path / "test.npz", rows)
    command = ["compare", "--from", f"{GRU},{LSTM}", "--data", str(tmp_path / "test.npz")]
    ran = CliRunner().invoke(cli, [*command, "-o", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith("# digits_gru.keras or digits_lstm.keras on")
    entry = json.loads((tmp_path / "out" / "report.json").read_text())
    assert entry["about"] == "files"
    assert (tmp_path / "out" / "report.html").read_text().count("<table") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "a.keras,b.keras"], "give their test rows with --data"),
        (["digits"], "name a folder for the trainings with -o"),
        (["--data", "digits:test"], "name DATA, or models with --from"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, message):
    ran = CliRunner().invoke(cli, ["compare", *arguments])
    assert ran.exit_code == 2
    assert message in ran.output


def test_one_model_is_no_comparison(rows):
    with pytest.raises(WrongOption, match="1 model is given, and a comparison needs two"):
        edgernn.compare_models([GRU, GRU], data=rows)


def samples(origins=()):
    return Samples(name="made-up", x=np.ones((300, 2, 1), np.float32), origins=tuple(origins))


def test_right_and_wrong_is_tested_by_mcnemar_and_errors_by_a_paired_t_test():
    random = np.random.default_rng(0)
    a, b = (random.random(300) < share for share in (0.9, 0.8))
    only = [int((a & ~b).sum()), int((b & ~a).sum())]
    exact = stats.binomtest(only[0], sum(only)).pvalue
    assert _paired(a.astype(float), b.astype(float), samples()).p_value == pytest.approx(exact)
    x, y = random.gamma(2, size=300), random.gamma(2.1, size=300)
    found, wanted = _paired(x, y, samples()), stats.ttest_rel(x, y)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert list(found.interval) == pytest.approx(list(wanted.confidence_interval()))


def test_rows_of_one_speaker_count_as_one():
    random = np.random.default_rng(1)
    luck = np.repeat(random.normal(0, 1, 10), 30)
    x, y = luck + random.normal(0, 0.1, 300), random.normal(0, 0.1, 300)
    alone = _paired(x, y, samples())
    together = _paired(x, y, samples(str(row // 30) for row in range(300)))
    assert together.rows == 10
    assert together.row_variance > 10 * alone.row_variance
    assert math.isclose(together.estimate, alone.estimate)
