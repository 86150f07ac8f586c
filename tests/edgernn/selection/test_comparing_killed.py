"""A comparison that is killed again and again ends with the result of one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import edgernn
from tests.edgernn.selection.test_comparing import sequences, stamps_of, workers_of

pytestmark = pytest.mark.long

KILLS = 20
MOST_S = 600.0
QUESTION: dict[str, Any] = {
    "models": "gru,lstm,gru+lstm",
    "units": 4,
    "epochs": 3,
    "seeds": 4,
    "shares": (),
    "scheme": "int8",
}
COORDINATOR = """
import sys
from tests.edgernn.selection.test_comparing import sequences
from tests.edgernn.selection.test_comparing_killed import QUESTION
import edgernn
edgernn.compare(sequences(), out=sys.argv[1], resume=True, workers=2, **QUESTION)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    pytest.importorskip("tensorflow")
    out = tmp_path_factory.mktemp("undisturbed") / "cmp"
    return edgernn.compare(sequences(), out=out, workers=1, **QUESTION)


def started(out):
    return subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, str(out)],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_no_workers(out):
    deadline = time.monotonic() + 10
    while workers_of(out) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not workers_of(out)


def figures(compared):
    """What may not depend on who trained what, or when."""
    return {
        contender: [(run.key, run.seed, run.bytes, run.scores) for run in runs]
        for contender, runs in compared.values.trainings.items()
    } | {"verdicts": [(one.score, one.verdict) for one in compared.values.groups[0].standings]}


def test_after_20_kills_at_random_moments_nothing_that_had_ended_is_lost(tmp_path, undisturbed):
    chance, killed, done = random.Random(7), 0, dict[str, int]()
    runs, began = 0, time.monotonic()
    while killed < KILLS and time.monotonic() - began < MOST_S:
        out = tmp_path / f"cmp{runs}"
        process = started(out)
        time.sleep(chance.uniform(3, 10))
        if process.poll() is None and killed % 2 and (workers := workers_of(out)):
            os.kill(int(chance.choice(workers).parent.name), signal.SIGKILL)
            killed += 1
            time.sleep(chance.uniform(1, 6))
        if process.poll() is None:
            process.kill()
            killed += 1
            process.communicate()
            wait_for_no_workers(out)
        else:
            assert process.returncode == 0, process.communicate()
        now = stamps_of(out)
        assert done.items() <= now.items()
        done = now
        if process.returncode == 0:  # begin another one
            runs, done = runs + 1, {}
    assert killed >= KILLS
    ended = edgernn.compare(sequences(), out=out, resume=True, workers=2, **QUESTION)
    assert done.items() <= stamps_of(out).items()
    assert figures(ended) == figures(undisturbed)


@pytest.mark.parametrize("workers", [2, 4])
def test_results_do_not_depend_on_the_number_of_workers(tmp_path, undisturbed, workers):
    out = tmp_path / "cmp"
    found = edgernn.compare(sequences(), out=out, workers=workers, **QUESTION)
    assert figures(found) == figures(undisturbed)
