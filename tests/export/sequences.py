"""A model that writes sequences, and what Keras itself makes of it.

tests/golden/trained/reversal_gru_lstm.keras says its tokens 1 to 8 backward (at most six of them,
zeros in front): `edgernn train` made it on made-up rows, `--cell gru --decoder lstm --units 32`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import edgernn
from edgernn.devices.runners.runner import Model
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import Target
from tests.golden import GOLDEN

REVERSAL: Final = GOLDEN / "trained" / "reversal_gru_lstm.keras"
DECODE: Final = "previous,0,0"
STEPS: Final = 6
LONGEST: Final = 7


def reversals(rows: int, *, seed: int) -> Samples:
    """Fresh rows of the task."""
    random = np.random.default_rng(seed)
    x = np.zeros((rows, STEPS), np.int32)
    y = np.full((rows, STEPS), -1, np.int64)
    for row in range(rows):
        tokens = random.integers(1, 9, random.integers(1, STEPS + 1))
        x[row, STEPS - len(tokens) :] = tokens
        y[row, : len(tokens)] = tokens[::-1]
    return Samples(name="reversals", x=x, y=y, kind=Target.SEQUENCE)


def said_by_keras(model: Any, x: npt.NDArray[np.int32], longest: int) -> list[list[int]]:
    """Token by token, the whole model anew for each: as the definition has it."""
    said: list[list[int]] = [[] for _ in x]
    ended: set[int] = set()
    for place in range(longest):
        fed = np.zeros((len(x), longest), np.int32)
        for row, tokens in enumerate(said):
            fed[row, 1 : len(tokens) + 1] = tokens[: longest - 1]
        best = np.asarray(model([x, fed], training=False)).argmax(axis=2)[:, place]
        ended |= {row for row, token in enumerate(best) if token == 0}
        for row in set(range(len(x))) - ended:
            said[row].append(int(best[row]))
    return said


def rows_of(tokens: npt.NDArray[np.integer[Any]]) -> list[list[int]]:
    """[B, longest], -1 behind the last."""
    return [row[row >= 0].tolist() for row in tokens]


def exported(folder: Path, backend: str, scheme: str = "float32") -> Model:
    """The model's files of one format in `folder`, and how to run them."""
    given = None if scheme == "float32" else reversals(64, seed=1)
    made = edgernn.load(REVERSAL).export(
        folder, to=backend, scheme=scheme, calibrate=given, decode=DECODE, verify=False
    )
    (artefact,) = made.artefacts
    path, *others = (folder / file.name for file in artefact.files)
    return Model(path=path, backend=backend, extra_files=tuple(others), decoder=artefact.decoder)
