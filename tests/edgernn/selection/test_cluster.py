"""Orders through a real PostgreSQL: taken once, given to another when a worker dies, kept when the
database goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import edgernn
from edgernn.errors import DeviceError, TrainingFailed, WrongOption
from edgernn.scheme import Scheme
from edgernn.selection import cluster
from edgernn.selection.cluster import AtDatabase, Database, at_database
from edgernn.selection.cluster_worker import _DONE, _taken
from edgernn.selection.contender import Contender
from edgernn.selection.data import write_splits
from edgernn.selection.messages import Answer, Measure, answer_line, read_order
from edgernn.selection.work import Forms
from edgernn.tasks.given import as_samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe
from tests.edgernn.selection import postgres
from tests.edgernn.selection.test_comparing import sequences, stamps_of
from tests.edgernn.selection.test_searching import easy

pytest.importorskip("psycopg")

ORDER = Measure(
    contender=Contender(architecture="gru", units=16),
    recipe=Recipe(),
    forms=Forms(formats=("native",), schemes=(Scheme.INT8,)),
)


@pytest.fixture(scope="module")
def server():
    with postgres.started() as server:
        yield server


@pytest.fixture
def said():
    return []


@pytest.fixture
def database(server, said):
    database = Database(server.url, said.append)
    yield database
    database.close()


@pytest.fixture
def crew(database, said, tmp_path):
    write_splits(tmp_path, split(as_samples(sequences())))
    crew = AtDatabase(database, tmp_path, said.append)
    yield crew
    crew.end()


def take(database, name):
    return database.do(lambda one: _taken(one, name))


def finish(database, number, name, answer=None):
    line = answer_line(answer or Answer(bytes={"native int8": 5}))
    database.execute(_DONE, (1.5, line, None, None, None, number, name))


def test_an_order_is_taken_once_and_its_answer_comes_back(crew, database):
    crew.give(ORDER)
    number, _, line = take(database, "one")
    assert read_order(line) == ORDER
    assert take(database, "two") is None
    assert crew.done(until=time.monotonic() + 0.1) is None
    finish(database, number, "one")
    done = crew.next()
    assert (done.order, done.answer.bytes) == (ORDER, {"native int8": 5})
    assert crew.running == []


def test_the_order_of_a_silent_worker_is_given_to_another_and_its_late_answer_ignored(
    crew, database
):
    crew.give(ORDER)
    number, *_ = take(database, "dead")
    database.execute("UPDATE edgernn_order SET beat = now() - interval '1 minute'")
    assert crew.done(until=time.monotonic() + 0.1) is None
    assert take(database, "living")[0] == number
    finish(database, number, "dead")
    assert crew.done(until=time.monotonic() + 0.1) is None
    finish(database, number, "living")
    assert crew.next().order == ORDER


def test_an_order_that_ends_its_workers_is_not_given_for_ever(crew, database):
    crew.give(ORDER)
    for name in ("one", "two"):
        take(database, name)
        database.execute("UPDATE edgernn_order SET beat = now() - interval '1 minute'")
        if name == "one":
            crew.done(until=time.monotonic() + 0.1)
    with pytest.raises(TrainingFailed, match="ended its worker 2 times"):
        crew.next()


def test_an_error_of_a_worker_is_that_of_the_search(crew, database):
    crew.give(ORDER)
    number, *_ = take(database, "one")
    finish(database, number, "one", Answer(bytes={}, error="it is too large", remedy="Less"))
    with pytest.raises(TrainingFailed, match=r"it is too large\. Less"):
        crew.next()


def test_while_the_database_is_away_both_sides_wait(crew, database, server, said):
    crew.give(ORDER)
    number, *_ = take(database, "one")
    server.stop()
    waiting = threading.Thread(target=finish, args=(database, number, "one"))
    waiting.start()
    time.sleep(1.5)
    assert waiting.is_alive()
    server.start()
    waiting.join(timeout=20)
    assert not waiting.is_alive()
    assert crew.next().order == ORDER
    assert any("the database is away" in one for one in said)


def test_a_database_that_never_was_there_is_an_error_with_its_address_to_check(monkeypatch):
    monkeypatch.setattr(cluster, "_FIRST_WAIT_S", 0.0)
    with pytest.raises(DeviceError, match=r"there is no database: .*Check --storage"):
        Database("postgresql://127.0.0.1:1/nowhere", lambda _: None)


def test_a_database_that_is_away_is_not_waited_for_beyond_the_time_limit(server, tmp_path, said):
    limit_s, began = 2.0, time.monotonic()
    with pytest.raises(DeviceError, match=r"away at the end of the time limit: .*--resume"):
        Database("postgresql://127.0.0.1:1/nowhere", said.append, until=began + limit_s)
    assert limit_s <= time.monotonic() - began < 1.5 * limit_s
    write_splits(tmp_path, split(as_samples(sequences())))
    try:
        with at_database(server.url, tmp_path, said.append, until=time.monotonic() + limit_s):
            server.stop()  # once it was there, it is waited for as long
            time.sleep(limit_s)
    finally:
        server.start()
    assert said[-1].startswith("orders of this search stay in the database: the database is away")


@pytest.mark.long
def test_three_workers_search_together_and_one_may_be_killed(server, tmp_path):
    command = [sys.executable, "-m", "edgernn", "worker", "--storage", server.url, "--idle", "60s"]
    root = Path(__file__).parents[3]
    workers = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE) for _ in range(3)]
    out = tmp_path / "best"

    def kill_one():
        while not stamps_of(out):
            time.sleep(0.1)
        os.kill(workers[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    try:
        found = edgernn.search(
            easy(),
            accuracy=0.85,
            models="gru,lstm",
            epochs=15,
            trials=2,
            max_bytes=6_000,
            storage=server.url,
            out=out,
        )
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    killer.join(timeout=5)
    assert workers[0].returncode == -signal.SIGKILL
    assert found.holds


@pytest.mark.parametrize("url", ["foo", "nope://host/db", "postgresql://host:many/db"])
def test_an_address_that_is_none_is_refused_at_once(url, said):
    began = time.monotonic()
    with pytest.raises(WrongOption, match=r"Write --storage postgresql://USER@HOST/DATABASE"):
        Database(url, said.append)
    assert time.monotonic() - began < 1
    assert not said
