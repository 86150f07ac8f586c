"""A worker at a database: takes orders, beats while it trains, sends results back."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from edgernn.devices.runners.kept import kept_processes
from edgernn.selection.carried import result_files
from edgernn.selection.cluster import BEAT_S, FILES, Database
from edgernn.selection.data import read_splits
from edgernn.selection.messages import answer_line, read_order
from edgernn.selection.worker import carried_out, one_thread
from edgernn.tasks.samples import Splits

_POLL_S: Final = 0.5


def serve(url: str, *, notify: Callable[[str], None], idle_s: float | None = None) -> int:
    """Carries out orders until there have been none for `idle_s`; gives their number.

    Raises DeviceError where there is no database, MissingRuntime without psycopg or TensorFlow.
    """
    name = f"{socket.gethostname()}-{os.getpid()}"
    database = Database(url, notify)
    one_thread()
    done, since = 0, time.monotonic()
    data: dict[str, Splits] = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        kept_processes(),
        _beating(url, name, notify),
    ):
        while idle_s is None or time.monotonic() - since < idle_s:
            row = database.do(lambda one: _taken(one, name))
            if row is None:
                time.sleep(_POLL_S)
                continue
            number, search, line = row
            folder = Path(scratch) / search
            if search not in data:
                data[search] = _splits(database, search, folder)
            notify(f"order {number}")
            began = time.monotonic()
            order = read_order(line)
            answer = carried_out(order, data[search], folder)
            made = {} if answer.error else result_files(folder, order)
            files = [made[role].read_bytes() if role in made else None for role in FILES]
            seconds = time.monotonic() - began
            database.execute(_DONE, (seconds, answer_line(answer), *files, number, name))
            done, since = done + 1, time.monotonic()
    database.execute("DELETE FROM edgernn_worker WHERE name = %s", (name,))
    database.close()
    return done


#: Only of an order that is still this worker's: a silent one may have been given to another.
_DONE: Final = (
    "UPDATE edgernn_order SET state = 'done', seconds = %s, answer = %s, result = %s, model = %s, "
    "log = %s WHERE id = %s AND worker = %s AND state = 'running'"
)


def _taken(connection: Any, name: str) -> Any:
    return connection.execute(
        "UPDATE edgernn_order SET state = 'running', worker = %s, beat = now() "
        "WHERE id = (SELECT id FROM edgernn_order WHERE state = 'waiting' ORDER BY id "
        "FOR UPDATE SKIP LOCKED LIMIT 1) "
        "RETURNING id, search, line",
        (name,),
    ).fetchone()


def _splits(database: Database, search: str, folder: Path) -> Splits:
    rows = database.do(
        lambda one: one.execute(
            "SELECT part, content FROM edgernn_data WHERE search = %s", (search,)
        ).fetchall()
    )
    (folder / "data").mkdir(parents=True)
    for part, content in rows:
        (folder / "data" / f"{part}.npz").write_bytes(content)
    return read_splits(folder)


@contextmanager
def _beating(url: str, name: str, notify: Callable[[str], None]) -> Iterator[None]:
    """Says every BEAT_S that this worker and its order live, on a connection of its own."""
    ended = threading.Event()
    database = Database(url, notify)

    def beat(connection: Any) -> None:
        connection.execute(
            "INSERT INTO edgernn_worker VALUES (%s, now()) ON CONFLICT (name) DO UPDATE SET "
            "beat = now()",
            (name,),
        )
        connection.execute(
            "UPDATE edgernn_order SET beat = now() WHERE worker = %s AND state = 'running'", (name,)
        )

    def run() -> None:
        while not ended.wait(BEAT_S):
            database.do(beat)

    database.do(beat)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
