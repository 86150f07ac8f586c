"""Japanese vowels: which of nine men said "ae", from 12 LPC coefficients a frame."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.tasks.download import Member, Notify, Wheel, fetch
from edgernn.tasks.samples import Samples, Splits, ending_together
from edgernn.tasks.split import SPLIT_SEED, parts
from edgernn.tasks.task import Recipe, Rows, Task

_FOLDER: Final = "aeon/datasets/data/JapaneseVowels"
WHEEL: Final = Wheel(
    project="aeon",
    version="1.6.0",
    members=(
        Member(
            path=f"{_FOLDER}/JapaneseVowels_TRAIN.ts",
            sha256="68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
            size_bytes=487_971,
        ),
        Member(
            path=f"{_FOLDER}/JapaneseVowels_TEST.ts",
            sha256="b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
            size_bytes=649_132,
        ),
    ),
)

STEPS: Final = 29  # the longest utterance
LABELS: Final = tuple(f"speaker {number}" for number in range(1, 10))


def read(notify: Notify) -> Splits:
    """The data set's own 270 training and 370 test utterances; x is [N, 29, 12].

    54 of the 270 judge when to stop training.
    """
    training, testing = fetch(WHEEL, notify=notify)
    samples, test = (
        _utterances(content, name)
        for content, name in ((training, TASK.name), (testing, f"{TASK.name}:test"))
    )
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(samples)).astype(np.int64)
    return parts(samples, rest=shuffled, test=test, validation_rows=54)


def _utterances(content: bytes, name: str) -> Samples:
    """Reads the .ts format: after @data, a line is channel:channel:...:class, 1-based."""
    header, found, body = content.decode("ascii").partition("@data\n")
    if not found or "@dimensions 12" not in header:
        raise DataError("the Japanese vowels are not a .ts file with 12 dimensions")
    sequences, classes = [], []
    for line in body.splitlines():
        *channels, label = line.split(":")
        sequences.append(np.array([channel.split(",") for channel in channels], dtype=np.float32).T)
        classes.append(int(label) - 1)
    return Samples(
        name=name,
        x=ending_together(sequences, STEPS),
        y=np.array(classes, dtype=np.int64),
        labels=LABELS,
        features=TASK.title,
    )


TASK: Final = Task(
    name="japanese-vowels",
    title="Japanese vowels: 9 speakers, 29 frames of 12 LPC coefficients",
    origin="UCI Japanese Vowels (Kudo, Toyama, Shimbo), CC BY 4.0, from the wheel aeon 1.6.0",
    rows=Rows(train=216, validation=54, test=370),
    shape=(29, 12),
    classes=9,
    read=read,
    recipe=Recipe(batch_size=32, epochs=60, patience=10),
)
