"""search, end to end on tiny data: a file within the budget, resumed after kill -9, refusals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import BudgetExceeded, DeviceError, OutputError, TrainingFailed, WrongOption
from edgernn.front import searching
from edgernn.profile.measure import Plan
from edgernn.selection.plan import coordinating
from edgernn.selection.searching import Search
from edgernn.selection.training import read_training
from edgernn.tasks.given import as_samples
from edgernn.tasks.split import split
from tests.edgernn.selection.test_comparing import stamps_of, workers_of

pytest.importorskip("tensorflow")
pytest.importorskip("optuna")

ROWS = 640
SMALL: dict[str, Any] = {"models": "gru", "epochs": 15, "trials": 0, "max_bytes": 6_000}


def easy(seed=0):
    """Two classes that are far from each other; each 16th row has the other one's label."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, ROWS)
    x = random.normal(size=(ROWS, 6, 2)) + np.where(y == 1, 1.0, -1.0)[:, None, None]
    return x.astype(np.float32), np.where(np.arange(ROWS) % 16, y, 1 - y)


def said(found):
    """Without the breaks of its lines."""
    return " ".join(str(found).split())


@pytest.fixture(scope="module", autouse=True)
def _measures_briefly():
    """One short process where five are usual: how winners are chosen is tested, not how fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "_PLAN", Plan(processes=1, min_time_s=0.05, warm_up_s=0.01))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("search") / "best"


@pytest.fixture(scope="module")
def found(folder):
    return edgernn.search(easy(), accuracy=0.85, out=folder, workers=2, **SMALL)


def test_the_winner_is_a_checked_file_within_the_budget_measured_on_unseen_rows(found, folder):
    assert found.holds
    assert found.path.stat().st_size <= 6_000
    assert found.path.parent == folder
    assert found.values.test.value >= 0.85
    assert found.values.test.rows == 128
    entry = json.loads((folder / "report.json").read_text())
    assert entry["holds"]
    assert entry["winner"]["measured_p50_ms"] > 0
    assert entry["winner"]["architecture"] == "gru"
    assert str(found).startswith("The smallest model with 85.0 %")
    assert "Use gru-16 (gru-16.int8.ernn)" in said(found)
    assert "A fresh check confirms gru-16: 6 trainings with other seeds reach" in said(found)
    assert entry["winner"]["confirmation"]["holds"]
    assert entry["winner"]["confirmation"]["rows"] == 512  # all of training and validation
    report = (folder / "report.md").read_text()
    assert report.startswith("# The smallest model with 85.0 %")
    assert "| model | size | in the search | fresh check | recipe |" in report
    html = (folder / "report.html").read_text()
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert html.index('class="said"') < html.index("<svg")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_text_keeps_to_the_width_of_the_terminal(found, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= min(100, max(columns, 80))
    table = [line for line in lines if line.startswith(("model  ", "gru-16  "))]
    assert len(table) == 2
    assert re.search(r"\d+\.\d % \(6\): holds", table[1])


@pytest.mark.usefixtures("found")
def test_no_training_saw_the_test_rows(folder):
    from edgernn.selection.data import read_splits

    kept = read_splits(folder)
    assert (kept.test.x == kept.validation.x).all()


@pytest.mark.usefixtures("found")
def test_a_second_search_in_the_folder_needs_resume_and_trains_nothing_twice(folder):
    with pytest.raises(WrongOption, match=r"holds a search.*--resume"):
        edgernn.search(easy(), accuracy=0.85, out=folder, **SMALL)
    with pytest.raises(WrongOption, match="made with other data"):
        edgernn.search(easy(seed=1), accuracy=0.85, out=folder, resume=True, **SMALL)
    before = stamps_of(folder)
    edgernn.search(easy(), accuracy=0.85, out=folder, resume=True, **SMALL)
    assert stamps_of(folder) == before


def test_where_nothing_reaches_the_score_the_nearest_is_named_and_the_test_stays_unopened(
    found, folder, tmp_path
):
    assert found.holds
    shutil.copytree(folder, tmp_path / "best")
    missed = edgernn.search(
        easy(),
        accuracy=1.0,
        out=tmp_path / "best",
        resume=True,
        **SMALL | {"max_bytes": 5_000},
    )
    assert not missed.holds
    assert missed.values.test is None
    assert missed.values.missed == ("score",)
    assert "The nearest is gru-16" in said(missed)
    assert "the test rows stay unopened" in said(missed)


def test_where_every_winner_misses_the_time_the_test_stays_unopened(
    found, folder, tmp_path, monkeypatch
):
    assert found.holds
    # As on a device where each winner takes twice the time allowed.
    monkeypatch.setattr(Search, "_times_over", lambda _search, _found: 2.0)
    shutil.copytree(folder, tmp_path / "best")
    given = SMALL | {"accuracy": 0.85, "out": tmp_path / "best", "resume": True}
    missed = edgernn.search(easy(), **given)
    assert not missed.values.chosen.opens_test
    assert missed.values.measured.truth is not None
    assert missed.values.measured.truth.rows == len(split(as_samples(easy())).validation)
    assert missed.values.test is None
    assert "score" not in missed.values.missed
    assert "the limit of p95 on cpu, so the test rows stay unopened" in said(missed)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, WrongOption, "needs accuracy"),
        ({"error": 2.0}, WrongOption, "needs accuracy"),
        ({"accuracy": 97.5}, WrongOption, "an accuracy of 97.5 .* is not between"),
        ({"accuracy": 0.9, "max_bytes": 0}, WrongOption, "max_bytes is 0"),
        ({"accuracy": 0.9, "scheme": "float32,int8"}, WrongOption, "makes one file"),
        ({"accuracy": 0.9, "to": "coreml"}, WrongOption, "coreml"),
        ({"accuracy": 0.9, "device": "cppu"}, DeviceError, "no device 'cppu'. Did you mean 'cpu'"),
        ({"accuracy": 0.9, "max_bytes": 900}, BudgetExceeded, "no model fits: the smallest gru"),
        ({"accuracy": 0.9, "time_limit_s": 0.1}, TrainingFailed, r"--time-limit and --resume"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_a_sentence(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        edgernn.search(easy(), out=tmp_path / "best", **{**SMALL, **options})


def test_two_coordinators_do_not_share_a_folder(tmp_path):
    with coordinating(tmp_path), pytest.raises(OutputError, match="is running in"):
        edgernn.search(easy(), accuracy=0.85, out=tmp_path, **SMALL)


COORDINATOR = """
import sys
from tests.edgernn.selection.test_searching import SMALL, easy
import edgernn
edgernn.search(easy(), accuracy=.85, out=sys.argv[1], resume=True, **SMALL)
"""


@pytest.mark.long
def test_kill_9_of_coordinator_or_worker_at_20_moments_loses_what_is_in_flight_at_most(tmp_path):
    out, random = tmp_path / "best", np.random.default_rng(0)
    command = [sys.executable, "-c", COORDINATOR, str(out)]
    done: dict[str, int] = {}
    for _ in range(20):
        process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE)
        time.sleep(random.uniform(0.5, 12.0))
        workers = workers_of(out)
        if workers and random.random() < 0.5:
            os.kill(int(workers[0].parent.name), signal.SIGKILL)
            time.sleep(random.uniform(0.0, 2.0))
        process.kill()
        process.communicate()
        now = stamps_of(out)
        assert now.items() >= done.items()  # nothing is trained twice, nothing is lost
        assert all(read_training(out, key) for key in now)
        done = now
    found = edgernn.search(easy(), accuracy=0.85, out=out, resume=True, **SMALL)
    assert stamps_of(out).items() >= done.items()
    assert found.holds
