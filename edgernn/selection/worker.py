"""A worker: `python -m edgernn.selection.worker FOLDER`, orders on stdin, answers on stdout.

It ends with its coordinator, however that ends: a thread waits for the end of stdin.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from edgernn.errors import EdgernnError
from edgernn.selection.data import read_splits
from edgernn.selection.messages import (
    Answer,
    Measure,
    Order,
    Train,
    answer_line,
    read_order,
)
from edgernn.selection.training import training_file, write_training
from edgernn.selection.work import size_of, trained
from edgernn.tasks.samples import Splits

_ORPHANED: Final = 3


def main() -> None:
    """Serves orders until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's: it ends us
    folder = Path(sys.argv[1])
    # stdout is for answers only; what libraries print goes to stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    orders: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=[orders], daemon=True).start()
    one_thread()
    splits = read_splits(folder)
    while True:
        answer = carried_out(read_order(orders.get()), splits, folder)
        answers.write(answer_line(answer) + "\n")
        answers.flush()


def _read(orders: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        orders.put(line)
    os._exit(_ORPHANED)  # in the middle of a training, too


def carried_out(order: Order, splits: Splits, folder: Path) -> Answer:
    """Results of trainings are files in `folder`; what the user can act on is in the answer."""
    try:
        match order:
            case Train():
                kept = training_file(folder, order.job.key).with_suffix(".keras")
                write_training(folder, trained(order.job, splits, order.forms, kept=kept))
                return Answer(bytes={})
            case Measure():
                found = size_of(order.contender, order.recipe, splits, order.forms)
                return Answer(bytes=found)
    except EdgernnError as error:
        return Answer(bytes={}, error=error.what, remedy=error.remedy)


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
