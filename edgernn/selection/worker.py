"""A worker: `python -m edgernn.selection.worker FOLDER`, orders on stdin, answers on stdout.

With `-` instead of a folder the coordinator is on another machine: the data come first, and files
go back with each answer.  A worker ends with its coordinator, however that ends: a thread waits for
the end of stdin.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Final, TextIO

from edgernn.devices.runners.kept import kept_processes
from edgernn.errors import EdgernnError
from edgernn.selection.carried import keep_data, keep_needed, results_line
from edgernn.selection.data import read_splits
from edgernn.selection.messages import (
    Answer,
    Measure,
    Order,
    Train,
    answer_line,
    read_order,
)
from edgernn.selection.training import write_training
from edgernn.selection.work import size_of, trained
from edgernn.tasks.samples import Splits
from edgernn.tasks.training import Diverged
from edgernn.temporary import TemporaryFolder
from edgernn.version import __version__

_ORPHANED: Final = 3


def main() -> None:
    """Serves orders until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's: it ends us
    # stdout is for answers only; what libraries print goes to stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with TemporaryFolder(prefix="edgernn-worker") as scratch, kept_processes():
        tempfile.tempdir = str(scratch)  # of a training that is cut off nothing is left
        if sys.argv[1] == "-":
            _serve_remotely(scratch, answers)
        else:
            _serve(Path(sys.argv[1]), scratch, answers)


def _serve(folder: Path, scratch: Path, answers: TextIO) -> None:
    orders = _orders(scratch)
    one_thread()
    splits = read_splits(folder)
    while True:
        answer = carried_out(read_order(orders.get()), splits, folder)
        _say(answers, answer_line(answer))


def _serve_remotely(scratch: Path, answers: TextIO) -> None:
    _say(answers, json.dumps({"edgernn": __version__}))
    keep_data(sys.stdin.readline(), scratch)
    orders = _orders(scratch)
    try:
        one_thread()
        lacking = None
    except EdgernnError as error:
        lacking = Answer(bytes={}, error=error.what, remedy=error.remedy)
    splits = read_splits(scratch)
    while True:
        order = read_order(orders.get())
        keep_needed(orders.get(), scratch, order)
        answer = lacking or carried_out(order, splits, scratch)
        files = None if answer.error else results_line(scratch, order)
        _say(answers, json.dumps({"answer": asdict(answer), "files": files}))


def _say(answers: TextIO, line: str) -> None:
    answers.write(line + "\n")
    answers.flush()


def _orders(scratch: Path) -> SimpleQueue[str]:
    orders: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=[orders, scratch], daemon=True).start()
    return orders


def _read(orders: SimpleQueue[str], scratch: Path) -> None:
    for line in sys.stdin:
        orders.put(line)
    shutil.rmtree(scratch, ignore_errors=True)  # TensorFlow may still be writing there
    os._exit(_ORPHANED)  # in the middle of a training, too


def carried_out(order: Order, splits: Splits, folder: Path) -> Answer:
    """Results of trainings are files in `folder`; what the user can act on is in the answer."""
    try:
        match order:
            case Train():
                write_training(folder, trained(order.job, splits, order.forms, folder))
                return Answer(bytes={})
            case Measure():
                found = size_of(order.contender, order.recipe, splits, order.forms, role=order.role)
                return Answer(bytes=found)
    except EdgernnError as error:
        return Answer(
            bytes={},
            error=error.what,
            remedy=error.remedy,
            diverged=isinstance(error, Diverged),
        )


def one_thread() -> None:
    """Of TensorFlow: equal sums in equal order, whatever else runs on the machine."""
    from edgernn.tasks.keras_backend import load_keras

    load_keras()
    tensorflow = sys.modules["tensorflow"]
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()


if __name__ == "__main__":
    main()
