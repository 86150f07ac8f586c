"""Exercises of the shoulder, from the sensors of a watch; the test is on other people."""

from __future__ import annotations

import io
import pickle
from typing import Any, Final

import numpy as np

from edgernn.errors import DataError
from edgernn.recipe import SensorRecipe
from edgernn.tasks.download import Member, Notify, Wheel, fetch
from edgernn.tasks.samples import IntArray, Samples, Splits
from edgernn.tasks.split import SPLIT_SEED, split
from edgernn.tasks.task import Recipe, Rows, Task

WHEEL: Final = Wheel(
    project="seglearn",
    version="1.2.5",
    members=(
        Member(
            path="seglearn/data/watch_dataset.npy",
            sha256="eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
            size_bytes=18_118_091,
        ),
    ),
)
RATE_HZ: Final = 50
STEPS: Final = 100  # two seconds
_MOST_OF_A_RECORDING: Final = 20  # windows

#: What numpy's arrays are rebuilt from; nothing else of a pickle is called.
_HARMLESS: Final = frozenset({"_reconstruct", "ndarray", "dtype", "scalar"})


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds arrays, lists, dicts and texts.  Raises DataError for everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in _HARMLESS:
            parts = module.replace("numpy.core", "numpy._core")
            return super().find_class(parts, name)
        if (module, name) == ("_codecs", "encode"):  # bytes, as Python 2 wrote them
            return lambda text, _encoding: text.encode("latin1")
        raise DataError(f"the data of {TASK.name} hold {module}.{name}, which is no array")


def read(notify: Notify, *, full: bool = False) -> Splits:
    """x [N, 100, 6]: acceleration and rotation; one of seven exercises; origins are the people.

    full: all windows of each recording.
    """
    (content,) = fetch(WHEEL, notify=notify)
    data = _unpacked(content)
    windows, classes, people = [], [], []
    rows = zip(data["X"], data["y"], data["subject"], strict=True)
    for recording, exercise, person in rows:
        for begin in _begins(len(recording), None if full else _MOST_OF_A_RECORDING):
            windows.append(recording[begin : begin + STEPS])
            classes.append(int(exercise))
            people.append(f"person {int(person)}")
    samples = Samples(
        name=TASK.name,
        x=np.stack(windows).astype(np.float32),
        y=np.array(classes, dtype=np.int64),
        lengths=np.full(len(windows), STEPS, dtype=np.int64),  # zeros are no padding here
        labels=tuple(str(label) for label in data["y_labels"]),
        origins=tuple(people),
        front_end=SensorRecipe(
            rate_hz=RATE_HZ,
            channels=tuple(str(label) for label in data["X_labels"]),
            window=STEPS,
            hop=STEPS // 4,
            name="watch",
        ),
        features=f"{', '.join(str(label) for label in data['X_labels'])} at {RATE_HZ} Hz",
    )
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(samples)).astype(np.int64)
    return split(samples.rows(shuffled, name=TASK.name), test_share=0.3, validation_share=0.15)


def _begins(length: int, most: int | None) -> IntArray:
    """Where windows begin: no two overlap, and of a long recording at most so many are taken."""
    begins = np.arange(0, length - STEPS + 1, STEPS)
    return begins[:most].astype(np.int64)


def _unpacked(content: bytes) -> dict[str, Any]:
    """The dict in an .npy file of one object."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    read_header(file)
    found = _ArraysOnly(file, encoding="latin1").load()
    entry = found.item()
    if not isinstance(entry, dict):
        raise DataError(f"the data of {TASK.name} are no dict of arrays")
    return entry


TASK: Final = Task(
    name="watch",
    title="exercises of the shoulder: 2 s of a watch's 6 sensors, people apart",
    origin="Burns et al., arXiv 1802.01489, BSD-3-Clause, from the wheel seglearn 1.2.5",
    rows=Rows(train=1240, validation=402, test=635),
    shape=(STEPS, 6),
    classes=7,
    read=read,
    sized=read,
    sizes=("full",),
    recipe=Recipe(units=48, epochs=40, patience=8, batch_size=64),
)
