"""Comparisons with made-up scores, for tests of what is concluded and shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgernn.scoring.metric import METRICS
from edgernn.selection.comparison import Baseline, Comparison, against_baselines, group_of
from edgernn.selection.contender import Contender, Equal
from edgernn.selection.questions import amounts, mixes, terciles
from edgernn.selection.training import ORIGINAL, Epoch, Training
from edgernn.tasks.samples import Samples

ROWS = 400
WORTH = 0.005
FORM = "native int8"


def training(contender, repetition, share_right, *, size=20_000, epochs=10):
    """Right in so many of the rows, at random; the same file size for each repetition."""
    seed = sum(contender.name.encode()) * 101 + repetition
    random = np.random.default_rng(seed)
    right = tuple((random.random(ROWS) < share_right).astype(float).tolist())
    return Training(
        key=f"{contender.name}{repetition}",
        name=contender.name,
        repetition=repetition,
        seed=seed,
        parameters=size,
        seconds=3.0,
        seconds_to_best=2.0,
        epochs_to_best=epochs,
        peak_bytes=600_000_000,
        curve=tuple(
            Epoch(loss=1 / epoch, validation_loss=1.1 / epoch) for epoch in range(1, epochs + 1)
        ),
        scores={ORIGINAL: right, FORM: right},
        bytes={FORM: size},
    )


def comparison(shares=None, *, linear=0.5, seeds=5, controls=("gru-gru", "lstm-lstm"), **parts):
    """`shares`: by architecture, the share of rows that its trainings answer rightly."""
    shares = shares or {
        "gru": 0.95,
        "lstm": 0.95,
        "gru-lstm": 0.97,
        "gru-gru": 0.95,
        "lstm-lstm": 0.9,
    }
    metric, random = METRICS["accuracy"], np.random.default_rng(0)
    contenders = [Contender(architecture=name, units=32) for name in shares]
    trainings = {
        one: tuple(
            training(one, number, share, size=20_000 + 7_000 * place, epochs=8 + 2 * place)
            for number in range(seeds)
        )
        for place, (one, share) in enumerate(zip(contenders, shares.values(), strict=True))
    }
    test = Samples(
        name="made-up",
        x=random.normal(size=(ROWS, 20, 2)).astype(np.float32),
        y=np.zeros(ROWS, np.int64),
        lengths=random.integers(5, 20, ROWS),
    )
    partial = {
        (one, share): (training(one, 90, 0.8), training(one, 91, 0.8))
        for one in contenders[:2]
        for share in (0.25, 0.5)
    }
    flat = tuple((random.random(ROWS) < linear).astype(float).tolist())
    judged: dict[str, Any] = {"metric": metric, "worth": WORTH, "origins": ()}
    entries: dict[str, Any] = {
        "data": "made-up",
        "test_rows": ROWS,
        "training_rows": 1000,
        "metric": metric.name,
        "worth": WORTH,
        "formats": ("native",),
        "groups": (group_of(Equal.UNITS, contenders, trainings, **judged, controls=controls),),
        "trainings": trainings,
        "baselines": against_baselines([Baseline(name="linear", scores=flat)], trainings, **judged),
        "controls": tuple(name for name in controls if name in shares),
        "mixes": mixes(contenders, trainings, **judged),
        "lengths": terciles(test, (), contenders, trainings),
        "amounts": amounts(partial, trainings, 1000),
        "seconds": 12.0,
    }
    return Comparison(**{**entries, **parts})
