"""Trainings by workers on any number of machines, through PostgreSQL.

The coordinator writes orders into a table; workers take them (`FOR UPDATE SKIP LOCKED`) and beat
while they train.  What a dead worker held is given to another.  While the database is away, both
sides wait.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from edgernn import atomic
from edgernn.errors import DeviceError, MissingRuntime, TrainingFailed, WrongOption
from edgernn.selection.carried import result_files
from edgernn.selection.messages import Answer, Order, order_line, read_answer
from edgernn.selection.workers import MOST_DEATHS, Done
from edgernn.tasks.samples import Split

T = TypeVar("T")

#: A worker says so often that it is alive, and is given up after three times that long.
BEAT_S: Final = 5.0
STALE_S: Final = 15.0
_POLL_S: Final = 0.3
_FIRST_WAIT_S: Final = 60.0  # for a database that is away from the start
_RETRY_S: Final = 1.0
_ADDRESS: Final = "Write --storage postgresql://USER@HOST/DATABASE"

FILES: Final = ("result", "model", "log")  # columns of a training's files

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS edgernn_data (
  search text, part text, content bytea NOT NULL, PRIMARY KEY (search, part));
CREATE TABLE IF NOT EXISTS edgernn_worker (name text PRIMARY KEY, beat timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS edgernn_order (
  id bigserial PRIMARY KEY, search text NOT NULL, line text NOT NULL,
  state text NOT NULL DEFAULT 'waiting', worker text, beat timestamptz,
  deaths integer NOT NULL DEFAULT 0, seconds double precision,
  answer text, result bytea, model bytea, log bytea);
"""


class Database:
    """One connection, made again whenever it was lost."""

    def __init__(
        self, url: str, notify: Callable[[str], None], *, until: float | None = None
    ) -> None:
        """until: of time.monotonic; a database that is away then is waited for no longer.

        Raises MissingRuntime, WrongOption for an address that is none, and DeviceError where
        there is no database for a minute.
        """
        self._psycopg = _psycopg()
        self._require_address(url)
        self._url = url
        self._notify = notify
        self._until = until
        self._connection: Any = None
        self._known = False
        self.do(lambda one: one.execute("SELECT pg_advisory_lock(7361); " + _TABLES))
        self.do(lambda one: one.execute("SELECT pg_advisory_unlock_all()"))
        self._known = True

    def do(self, work: Callable[[Any], T]) -> T:
        """`work` gets a connection that commits at once; it is repeated after a lost connection.

        Raises DeviceError where the database is away at the end of the time.
        """
        began = time.monotonic()
        while True:
            found = self._once(work)
            if not isinstance(found, self._psycopg.OperationalError):
                answer: T = found
                return answer
            self._lost(found, time.monotonic() - began)

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> None:
        """One statement without an answer."""
        self.do(lambda one: one.execute(statement, values))

    def close(self) -> None:
        if self._connection is not None:
            with suppress(self._psycopg.Error):
                self._connection.close()
            self._connection = None

    def _require_address(self, url: str) -> None:
        try:
            parts = self._psycopg.conninfo.conninfo_to_dict(url)
        except self._psycopg.Error as error:
            raise WrongOption(
                f"--storage '{url}' is no address of a database", remedy=_ADDRESS
            ) from error
        ports = str(parts.get("port") or "5432").split(",")
        if not all(port.isdecimal() and 0 < int(port) < 65_536 for port in ports):
            raise WrongOption(f"--storage '{url}' has the port {parts['port']}", remedy=_ADDRESS)

    def _once(self, work: Callable[[Any], T]) -> Any:
        """What `work` gives, or the error of a lost connection."""
        try:
            if self._connection is None:
                self._connection = self._psycopg.connect(
                    self._url, autocommit=True, connect_timeout=10
                )
            return work(self._connection)
        except self._psycopg.OperationalError as error:
            return error
        except self._psycopg.Error as error:
            raise DeviceError(
                f"the database refused an order: {str(error).splitlines()[0]}",
                remedy="Check the address and the rights of its user",
            ) from error

    def _lost(self, error: Exception, waited_s: float) -> None:
        self.close()
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        if not self._known and waited_s > _FIRST_WAIT_S:
            raise DeviceError(
                f"there is no database: {reason}",
                remedy="Check --storage postgresql://USER@HOST/DATABASE, and that it runs",
            ) from error
        left_s = _RETRY_S if self._until is None else self._until - time.monotonic()
        if left_s <= 0:
            raise DeviceError(
                f"the database is away at the end of the time limit: {reason}",
                remedy="When it is there, continue with --resume and a longer --time-limit",
            ) from error
        self._notify(f"the database is away ({reason}); waiting for it")
        time.sleep(min(_RETRY_S, left_s))


class AtDatabase:
    """A crew (edgernn.selection.workers.Crew) of whoever runs `edgernn worker` there."""

    def __init__(self, database: Database, folder: Path, notify: Callable[[str], None]) -> None:
        self._database = database
        self._folder = folder
        self._notify = notify
        self._search = uuid.uuid4().hex
        self._given: dict[int, Order] = {}
        for part in Split:
            content = (folder / "data" / f"{part.value}.npz").read_bytes()
            database.execute(
                "INSERT INTO edgernn_data VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (self._search, part.value, content),
            )

    @property
    def size(self) -> int:
        """Of workers that live; 1 where nobody is there yet."""
        return max(1, self._workers())

    @property
    def has_room(self) -> bool:
        """An order for each."""
        return len(self._given) < self.size

    @property
    def running(self) -> list[Order]:
        return list(self._given.values())

    def give(self, order: Order) -> None:
        values = (self._search, order_line(order))
        (number,) = self._database.do(
            lambda one: one.execute(
                "INSERT INTO edgernn_order (search, line) VALUES (%s, %s) RETURNING id", values
            ).fetchone()
        )
        self._given[number] = order

    def next(self) -> Done:
        """The next order that ends.  Raises TrainingFailed as `done` does."""
        while (done := self.done(until=None)) is None:
            pass
        return done

    def done(self, *, until: float | None) -> Done | None:
        """The next order that ends; None at the time `until` (of time.monotonic).

        Raises TrainingFailed for an order that failed or that ended its workers repeatedly.
        """
        while until is None or time.monotonic() < until:
            self._database.do(self._gave_up)
            row = self._database.do(self._ended)
            if row is not None:
                return self._done(*row)
            if not self._workers():
                self._notify("no worker is there: start `edgernn worker --storage …` somewhere")
            time.sleep(_POLL_S)
        return None

    def end(self) -> None:
        """Takes back what nobody does yet, and removes the data."""
        self._database.execute("DELETE FROM edgernn_order WHERE search = %s", (self._search,))
        self._database.execute("DELETE FROM edgernn_data WHERE search = %s", (self._search,))

    def _done(self, number: int, seconds: float, answer: str, *files: bytes | None) -> Done:
        order = self._given.pop(number)
        said: Answer = read_answer(answer)
        said.require_success()
        sent = dict(zip(FILES, files, strict=True))
        for role, path in result_files(self._folder, order).items():
            content = sent[role]
            if content is None:
                raise TrainingFailed(
                    f"a worker sent no {role} of a training",
                    remedy="Use the same version of edgernn on all machines",
                )
            atomic.write_bytes(path, content)
        return Done(order=order, answer=said, seconds=seconds)

    def _workers(self) -> int:
        (count,) = self._database.do(
            lambda one: one.execute(
                "SELECT count(*) FROM edgernn_worker "
                "WHERE beat > now() - make_interval(secs => %s)",
                (STALE_S,),
            ).fetchone()
        )
        return int(count)

    def _gave_up(self, connection: Any) -> None:
        """Orders whose worker is silent wait again."""
        connection.execute(
            "UPDATE edgernn_order SET state = 'waiting', deaths = deaths + 1 WHERE search = %s "
            "AND state = 'running' AND beat < now() - make_interval(secs => %s)",
            (self._search, STALE_S),
        )
        found = connection.execute(
            "SELECT count(*) FROM edgernn_order WHERE search = %s AND deaths >= %s",
            (self._search, MOST_DEATHS),
        ).fetchone()
        if found[0]:
            raise TrainingFailed(
                f"a training ended its worker {MOST_DEATHS} times",
                remedy="Were the machines out of memory? Look at the workers' messages",
            )

    def _ended(self, connection: Any) -> Any:
        return connection.execute(
            "DELETE FROM edgernn_order WHERE id = (SELECT id FROM edgernn_order WHERE search = %s "
            "AND state = 'done' ORDER BY id LIMIT 1) "
            "RETURNING id, seconds, answer, result, model, log",
            (self._search,),
        ).fetchone()


@contextmanager
def at_database(
    url: str, folder: Path, notify: Callable[[str], None], *, until: float | None = None
) -> Iterator[AtDatabase]:
    """Whoever works at the database, on the data in `folder`.

    Raises DeviceError where there is no database, or none at the time `until` (of time.monotonic),
    MissingRuntime without psycopg.
    """
    database = Database(url, notify, until=until)
    crew = AtDatabase(database, folder, notify)
    try:
        yield crew
    finally:
        try:
            crew.end()
        except DeviceError as error:  # what was trained is in the folder
            notify(f"orders of this search stay in the database: {error.what}")
        database.close()


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise MissingRuntime(
            "a search through a database needs psycopg, which is not installed",
            remedy="Install it with: pip install 'edgernn[search]'",
        ) from error
    return psycopg
