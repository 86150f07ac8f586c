"""compare, end to end: trainings, files, verdicts, reports, and what is kept when it is cut off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import (
    DataError,
    DeviceError,
    OutputError,
    TrainingFailed,
    UnsupportedScheme,
    WrongOption,
)
from edgernn.scheme import Scheme
from edgernn.selection.contender import Contender, Job
from edgernn.selection.messages import Train
from edgernn.selection.plan import coordinating
from edgernn.selection.training import read_training
from edgernn.selection.work import Forms
from edgernn.selection.worker import carried_out
from edgernn.tasks.samples import Samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe

pytest.importorskip("tensorflow")

ROWS = 160


def sequences(seed=0):
    """Two classes: whether the sum of a noisy sequence is positive.  A linear model suffices."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, 6, 2)).astype(np.float32)
    return x, (x.sum(axis=(1, 2)) + random.normal(0, 0.5, ROWS) > 0).astype(np.int64)


SMALL: dict[str, Any] = {"units": 4, "epochs": 3, "seeds": 2, "shares": ()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compare") / "cmp"


@pytest.fixture(scope="module")
def compared(folder):
    return edgernn.compare(
        sequences(), models="gru,lstm", out=folder, equal="units,bytes", workers=2, **SMALL
    )


def test_every_contender_is_trained_with_every_seed_and_scored_in_every_form(compared):
    values = compared.values
    assert {len(runs) for runs in values.trainings.values()} == {2}
    forms = {"original", "native float32", "native int8"}
    for runs in values.trainings.values():
        assert {form for run in runs for form in run.scores} == forms
        assert len({run.seed for run in runs}) == 2
        assert all(len(run.scores["original"]) == values.test_rows for run in runs)
        assert all(run.peak_bytes < 1.5e9 for run in runs)


def test_the_file_scores_nearly_as_the_original(compared):
    for runs in compared.values.trainings.values():
        for run in runs:
            assert run.scores["native float32"] == run.scores["original"]
            assert abs(run.score("native int8") - run.score("original")) <= 0.1


def test_a_linear_model_that_is_as_good_is_recommended(compared):
    (beside,) = compared.values.baselines
    assert beside.score > 0.85
    assert "linear model" in str(compared)


def test_the_report_starts_with_the_recommendation(compared, folder):
    assert str(compared).splitlines()[2].startswith("**")
    assert "## Equal units" in str(compared)
    assert "## Equal bytes" in str(compared)
    html = (folder / "report.html").read_text()
    assert html.index('class="said"') < html.index("<svg") < html.index("<table")
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    entry = json.loads((folder / "report.json").read_text())
    assert entry["advice"]["reason"]
    assert {name.rpartition("-")[0] for name in entry["trainings"]} == {"gru", "lstm"}


def test_files_are_measured_when_nothing_is_trained(compared):
    measured = compared.values.measured
    assert measured is not None
    assert {cell.item.scheme for cell in measured.cells} == {"float32", "int8"}
    assert all(cell.runs for cell in measured.cells)


@pytest.mark.usefixtures("compared")
def test_a_second_comparison_in_the_folder_needs_resume_and_trains_only_what_is_missing(folder):
    with pytest.raises(WrongOption, match=r"holds a comparison.*--resume"):
        edgernn.compare(sequences(), out=folder, **SMALL)
    with pytest.raises(WrongOption, match="made with other data"):
        edgernn.compare(sequences(seed=1), out=folder, resume=True, **SMALL)
    before = stamps_of(folder)
    more = edgernn.compare(sequences(), out=folder, resume=True, **SMALL | {"seeds": 3})
    after = stamps_of(folder)
    assert {len(runs) for runs in more.values.trainings.values()} == {3}
    assert len(after) == len(before) + 2
    assert all(after[path] == stamp for path, stamp in before.items())


COORDINATOR = """
import sys
from tests.edgernn.selection.test_comparing import SMALL, sequences
import edgernn
edgernn.compare(sequences(), out=sys.argv[1], resume=True, **SMALL | {"seeds": 3})
"""


def test_kill_9_loses_the_training_in_flight_at_most_and_leaves_no_worker(tmp_path):
    out = tmp_path / "cmp"
    command = [sys.executable, "-c", COORDINATOR, str(out)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while len(stamps_of(out)) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while workers_of(out) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not workers_of(out)
    done = stamps_of(out)
    assert len(done) >= 2
    assert all(read_training(out, key) for key in done)
    edgernn.compare(sequences(), out=out, resume=True, **SMALL | {"seeds": 3})
    assert stamps_of(out).items() >= done.items()


def stamps_of(folder):
    """The trainings that have ended, and when."""
    files = [path for path in folder.glob("trainings/*.json") if path.stem.isalnum()]
    return {path.stem: path.stat().st_mtime_ns for path in files}


def workers_of(folder):
    """Processes of this comparison."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if b"edgernn.selection.worker" in words and str(folder).encode() in words:
            found.append(entry)
    return found


@pytest.mark.long
def test_a_worker_that_is_killed_is_replaced(tmp_path):
    out = tmp_path / "cmp"
    command = [sys.executable, "-c", COORDINATOR, str(out)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not stamps_of(out) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    (worker,) = workers_of(out)
    os.kill(int(worker.parent.name), signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert len(stamps_of(out)) == 6


def test_a_time_too_short_for_one_training_of_each_is_refused(tmp_path):
    with pytest.raises(
        TrainingFailed,
        match=r"is too short: gru-4 has no training; to measure the files takes about 18\.0 s of "
        r"it, and one training of each roughly \d+ s on one worker\. Give a longer --time-limit",
    ):
        edgernn.compare(sequences(), out=tmp_path / "cmp", time_limit_s=1.0, **SMALL)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seeds": 1}, WrongOption, "1 training of each contender shows nothing"),
        ({"models": "gru"}, WrongOption, "needs two architectures"),
        ({"worth": "2%"}, WrongOption, "Give points: --worth 2"),
        ({"worth": "much"}, WrongOption, "cannot be 'much'"),
        ({"worth": 0}, WrongOption, "cannot be '0'"),
        ({"to": "coreml"}, WrongOption, "coreml"),
        ({"scheme": "dense=int8"}, WrongOption, "no schemes of single layers"),
        ({"device": ["cpu", "cppu"]}, DeviceError, "no device 'cppu'. Did you mean 'cpu'"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_before_any_training(
    tmp_path, options, error, message
):
    with pytest.raises(error, match=message):
        edgernn.compare(sequences(), out=tmp_path / "cmp", **{**SMALL, **options})
    assert not (tmp_path / "cmp" / "trainings").exists()


def test_rows_that_are_too_few_are_refused(tmp_path):
    x, y = sequences()
    with pytest.raises(DataError, match="rows to train on"):
        edgernn.compare((x[:30], y[:30]), out=tmp_path / "cmp", **SMALL)


def test_rows_of_one_class_are_refused_before_anything_is_written(tmp_path):
    x, y = sequences()
    with pytest.raises(DataError, match="are of one class") as refused:
        edgernn.compare((x, np.zeros_like(y)), out=tmp_path / "cmp", **SMALL)
    assert str(refused.value).count(refused.value.remedy) == 1
    assert not (tmp_path / "cmp").exists()


def test_an_error_of_a_worker_has_its_remedy_once(tmp_path):
    x, y = sequences()
    splits = split(Samples(name="mine", x=x, y=np.zeros_like(y)))
    contender = Contender(architecture="gru", units=8)
    job = Job(contender=contender, recipe=Recipe(units=8), repetition=0, data_sha256="0")
    forms = Forms(formats=("native",), schemes=(Scheme.INT8,))
    answer = carried_out(Train(job=job, forms=forms), splits, tmp_path)
    assert answer.remedy
    assert answer.remedy not in answer.error


def test_a_scheme_that_no_format_has_is_refused_before_any_training(tmp_path):
    for call, options in ((edgernn.compare, SMALL), (edgernn.search, {"accuracy": 0.6})):
        with pytest.raises(UnsupportedScheme, match="int4"):
            call(sequences(), scheme="int4", to="onnx", out=tmp_path / "new", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["", "below"])
def test_a_folder_that_cannot_be_made_is_one_sentence(place, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*another folder with -o"):
        edgernn.compare(sequences(), out=tmp_path / "file" / place, **SMALL)
    with pytest.raises(OutputError, match=r"cannot write .*another folder with -o"):
        edgernn.search(sequences(), accuracy=0.6, out=tmp_path / "file" / place)


def test_on_windows_the_lock_is_that_of_its_c_library(tmp_path, monkeypatch):
    held = set()

    def locking(handle, _mode, size):
        assert size == 1
        file = os.fstat(handle).st_ino
        if file in held:
            raise PermissionError
        held.add(file)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr(sys, "platform", "win32")
    with (
        coordinating(tmp_path),
        pytest.raises(OutputError, match="another comparison or search"),
        coordinating(tmp_path),
    ):
        pass


def test_two_coordinators_do_not_share_a_folder(tmp_path):
    with coordinating(tmp_path), pytest.raises(OutputError, match="another comparison or search"):
        edgernn.compare(sequences(), out=tmp_path, **SMALL)
