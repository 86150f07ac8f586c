"""When int4 pays: what the card says of files of 4 bits, from made-up scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.devices.fake import FakeModel
from edgernn.report.compared import comparison_json, comparison_markdown
from edgernn.report.compared_bits import TITLE
from edgernn.report.compared_html import comparison_html
from edgernn.scoring.metric import METRICS
from edgernn.selection.contender import Contender
from edgernn.selection.int4_verdict import INT4, INT8, int4_verdicts
from tests.edgernn.report.comparisons import ROWS, WORTH, comparison, training
from tests.edgernn.report.reports import item, measured

WIDE, NARROW = Contender(architecture="gru", units=32), Contender(architecture="gru", units=16)


def trainings(contender: Contender, size: int, **wrong: int) -> tuple[Any, ...]:
    """Five of them; wrong: by scheme, how many of the first rows are answered wrongly."""
    scores = {
        f"native {scheme}": (*[0.0] * number, *[1.0] * (ROWS - number))
        for scheme, number in wrong.items()
    }
    sizes = {INT8: size, INT4: round(0.7 * size)}
    return tuple(
        replace(training(contender, seed, 0.9), scores=scores, bytes=sizes) for seed in range(5)
    )


def said(int8: int, int4: int, narrow: int | None = None, *, size: int = 6_900) -> str:
    """The paragraph about a model with so many wrong answers, and a narrower one of `size`."""
    runs = {WIDE: trainings(WIDE, 10_000, int8=int8, int4=int4)}
    if narrow is not None:
        runs[NARROW] = trainings(NARROW, size, int8=narrow)
    found = int4_verdicts([WIDE], {WIDE: NARROW}, runs, metric=METRICS["accuracy"], worth=WORTH)
    card = comparison_markdown(comparison(int4_verdicts=found))
    return card.partition(f"## {TITLE}\n\n")[2].partition("\n\n")[0]


def test_bytes_and_points_are_those_of_the_trainings() -> None:
    assert said(20, 20).startswith(
        "**gru-32: int4 is as good as int8 in fewer bytes; no narrower model in int8 was "
        "compared**. In int4 it has 7.0 KB, 30 % less than in int8: accuracy +0.00 [+0.00, +0.00] "
        "points."
    )
    assert said(20, 21).startswith("**gru-32: these trainings do not decide")
    assert "accuracy -0.25 [-0.74, +0.24] points" in said(20, 21)


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ((20, 60, 20), "stay with int8, or train on the grid of int4"),
        ((20, 20, 60), "int4 pays where bytes count: gru-16 in int8 is worse"),
        ((20, 20, 20), "gru-16 in int8 is equal for your purpose and no larger, so int4 does not"),
        ((60, 60, 20), "gru-16 in int8 is better**"),
    ],
)
def test_the_advice_follows_the_verdicts(wrong: tuple[int, int, int], advice: str) -> None:
    assert said(*wrong).startswith(f"**gru-32: {advice}")


def test_a_narrower_model_that_is_larger_does_not_win_at_equal_accuracy() -> None:
    assert "is equal for your purpose, and larger**" in said(20, 20, 20, size=9_000)
    assert "is better, and larger**" in said(60, 60, 20, size=9_000)


def test_a_comparison_without_int4_says_nothing_of_it() -> None:
    made = comparison()
    assert TITLE not in comparison_markdown(made)
    assert TITLE not in comparison_html(made)


def test_times_stand_there_where_both_files_were_measured(tmp_path: Any) -> None:
    runs = {WIDE: trainings(WIDE, 10_000, int8=20, int4=20)}
    found = int4_verdicts([WIDE], {}, runs, metric=METRICS["accuracy"], worth=WORTH)
    items = tuple(
        replace(
            item(f"gru-32.{scheme}", "onnx", 20_000),
            model="gru-32",
            backend="native",
            scheme=scheme,
        )
        for scheme in ("int4", "int8")
    )
    models = {f"gru-32.{one.scheme}.onnx": FakeModel(hot_ms=[[0.5, 0.5]] * 2) for one in items}
    report = measured(tmp_path, models=models, items=items, samples=None)
    made = comparison(int4_verdicts=found, measured=report)
    assert " a call takes 0.500 ms (int8 0.500 ms), the first " in comparison_markdown(made)
    assert '"int4_verdicts"' in comparison_json(made)
    assert "<h2>int4 or int8?</h2><p><strong>gru-32: int4 is as good" in comparison_html(made)


def test_the_luck_of_a_seed_that_both_files_share_does_not_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    runs = []
    for one, share in zip(
        trainings(WIDE, 10_000, int8=0, int4=0), (0.6, 0.7, 0.8, 0.9), strict=False
    ):
        right = tuple((random.random(ROWS) < share).astype(float).tolist())
        runs.append(replace(one, scores={INT8: right, INT4: right}))
    (found,) = int4_verdicts(
        [WIDE], {}, {WIDE: tuple(runs)}, metric=METRICS["accuracy"], worth=WORTH
    )
    assert found.whole.verdict.effect.interval == (0.0, 0.0)


def test_a_file_that_failed_its_check_is_named() -> None:
    said = comparison_markdown(comparison(refused=("gru-32.int4.ernn differs",)))
    assert "  Not measured: gru-32.int4.ernn differs." in said
