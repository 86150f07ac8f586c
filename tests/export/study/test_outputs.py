"""What files of several outputs may lose, and what is said of each output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.export.study.labelled import Accuracy
from edgernn.export.study.rescue import FileLimit
from edgernn.graph import Graph
from edgernn.report.quantized import accuracy_text
from edgernn.scoring.packed import Packed
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import first_scores, truth_of
from edgernn.stats import Difference, Interval
from edgernn.tasks.given import as_samples

GRAPH = Graph(name="two", inputs=(), layers=(), outputs=())
ROWS = 100
SAMPLES = as_samples(
    (np.ones((ROWS, 2, 1)), {"digit": np.arange(ROWS) % 2, "load": np.zeros((ROWS, 1))}),
)


def said(right, error):
    """Classes of which so many are right, and numbers that are off by so much."""
    classes = np.where(np.arange(ROWS) < right, np.arange(ROWS) % 2, 1 - np.arange(ROWS) % 2)
    load = Predictions(numbers=Packed.of(np.full((ROWS, 1), error)))
    return Predictions(classes=tuple(classes.tolist()), others=(load,))


def test_a_limit_holds_for_the_output_that_loses_most():
    truth = truth_of(SAMPLES)
    of_float = first_scores(said(right=90, error=1.0), truth)
    limit = FileLimit(graph=GRAPH, samples=SAMPLES, truth=truth, of_float=of_float, points=1)
    assert limit.drop(said(right=89, error=1.0)) == pytest.approx(1)
    assert limit.drop(said(right=90, error=1.02)) == pytest.approx(2, abs=1e-4)
    assert limit.drop(said(right=86, error=1.02)) == pytest.approx(4)
    assert limit.drop(said(right=95, error=0.9)) == pytest.approx(-5)


def test_a_table_has_a_part_for_each_output_and_names_what_is_lost_there():
    scores = first_scores(said(right=90, error=1.0), truth_of(SAMPLES))
    lost = Difference(estimate=-0.5, interval=Interval(-0.6, -0.4), p_value=None)
    rows = [Accuracy(name="float model", score=one, output=one.output) for one in scores]
    rows.append(replace(rows[1], name="a.onnx", drop=lost))
    text = accuracy_text(rows)
    assert text.index("output 'digit'") < text.index("output 'load'") < text.index("a.onnx")
    assert "Statistically significant: a.onnx (load)." in text
