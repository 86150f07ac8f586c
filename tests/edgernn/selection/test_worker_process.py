"""A worker's process on this machine: what is left when the coordinator is done with it."""

from __future__ import annotations

import time
from queue import SimpleQueue

import pytest

from edgernn.selection.data import write_splits
from edgernn.selection.worker_process import Event, LocalWorker
from edgernn.tasks.given import as_samples
from edgernn.tasks.split import split
from tests.edgernn.selection.test_comparing import sequences

pytest.importorskip("tensorflow")


def test_a_worker_that_is_ended_leaves_no_temporary_folder(tmp_path, monkeypatch):
    folder, scratch = tmp_path / "cmp", tmp_path / "scratch"
    scratch.mkdir()
    write_splits(folder, split(as_samples(sequences())))
    monkeypatch.setenv("TMPDIR", str(scratch))
    events: SimpleQueue[Event] = SimpleQueue()
    worker = LocalWorker(folder, tmp_path / "workers.log", events)
    deadline = time.monotonic() + 60
    while not list(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [one.name.startswith("edgernn-worker-") for one in scratch.iterdir()] == [True]
    worker.end()
    assert not list(scratch.iterdir())
    assert events.get(timeout=5) == (worker, "")
