"""The record of fine-tunings on grids of few bits: docs/few-bits.json."""

from __future__ import annotations

import base64
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

RECORD: Final = Path(__file__).resolve().parents[1] / "docs" / "few-bits.json"

#: float is the control, and int8 its file in 8 bits, without a training of its own.
SCHEMES: Final = ("float", "int8", "int4", "int3", "ternary")

#: How a row of a scheme is made now.  One that was made by another rule does not count.
# History of int3:
#   1  7 numbers for a column
#   2  15 numbers for a column at the two ends
#   3  8 numbers for a column elsewhere, with steps that stay
# History of ternary:
#   1  3 numbers for a column
#   2  15 numbers for a column at the two ends
RULES: Final = {"float": 1, "int8": 1, "int4": 1, "int3": 3, "ternary": 2}


class Tuning(NamedTuple):
    """What is fine-tuned of a task; how, `edgernn train --qat` says by itself."""

    model: str  # of the tests
    cell: str
    rows: int | None = None  # to train on; None: all
    epochs: int | None = None  # None: those of the command


TUNINGS: Final = {
    "counter": Tuning("counter_lstm", "lstm"),
    "japanese-vowels": Tuning("vowels_gru", "gru"),
    "digits": Tuning("digits_gru", "gru"),
    "languages": Tuning("languages_conv_lstm", "conv-lstm", 8000, 4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fine-tuning.  Scores are shares of the task's test rows."""

    task: str
    model: str
    scheme: str
    rule: int  # see RULES
    seed: int
    before: float  # rounded, not yet trained on the grid
    after: float
    bytes: int  # of the native file
    alike: float  # of the answers of the training's forward pass and of the native file
    rows: int
    right: str  # which test rows, a bit each, in base 64

    def answers(self) -> npt.NDArray[np.bool_]:
        """Right or wrong, [rows]."""
        packed = np.frombuffer(base64.b64decode(self.right), np.uint8)
        return np.unpackbits(packed, count=self.rows).astype(bool)


def recorded(path: Path = RECORD) -> list[Row]:
    """All rows measured so far by the present rules."""
    return [row for row in _of_all_rules(path) if row.rule == RULES[row.scheme]]


def _of_all_rules(path: Path) -> list[Row]:
    text = path.read_text() if path.exists() else ""
    return [Row(**entry) for entry in json.loads(text or "[]")]


def add(rows: Iterator[Row]) -> None:
    """Writes each row when it is there: a run may be stopped, and others may write beside it."""
    for row in rows:
        key = (row.task, row.model, row.scheme, row.rule, row.seed)
        with RECORD.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = [
                one
                for one in _of_all_rules(RECORD)
                if (one.task, one.model, one.scheme, one.rule, one.seed) != key
            ]
            lines = ",\n".join(json.dumps(asdict(one)) for one in (*known, row))
            file.truncate(0)
            file.write(f"[\n{lines}\n]\n")
        print(
            f"{row.task} {row.model} {row.scheme} seed {row.seed}: {100 * row.after:.1f} %, file "
            f"alike {100 * row.alike:.2f} %",
            flush=True,
        )
