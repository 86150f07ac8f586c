"""What a study tries where accuracy was lost: more bits, and the layers that add most noise."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.in_scheme import float_graph
from edgernn.export.keras.file import read_model
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.export.study.labelled import Accuracy, FloatAnswers, float_answers
from edgernn.export.study.study import Study, studied
from edgernn.report.quantized import accuracy_text
from edgernn.scheme import Scheme
from edgernn.scoring.truth import Score
from edgernn.stats import Difference, Interval
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN

MODEL = GOLDEN / "trained" / "digits_gru.keras"
LOST = Accuracy(
    name="digits_gru.int8.tflite",
    score=Score(metric="accuracy", value=0.8, interval=Interval(0.78, 0.82), rows=1_000),
    drop=Difference(estimate=0.1, interval=Interval(0.08, 0.12), p_value=1e-9),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Of an export whose TFLite file lost ten points, as its runtime said."""
    splits = splits_of("digits")
    graph = float_graph(read_model(MODEL).graph)
    rows = {graph.inputs[0].name: splits.calibration.x[:24]}
    request = Request(
        scheme=Scheme.INT8, ranges=calibrate(graph, rows), examples=Examples(inputs=rows)
    )
    answers: FloatAnswers = float_answers(
        graph, splits.test.rows(np.arange(100), name="digits:test"), file=MODEL.name
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgernn.export.study.study.accuracies", lambda *_: (LOST,))
        return studied(graph, request, (), tmp_path_factory.mktemp("study"), answers)


def test_more_bits_and_the_noisiest_layer_are_tried_on_the_same_rows(study: Study) -> None:
    assert study.costs is not None
    worst = study.costs.costliest
    assert worst is not None
    dynamic, kept = study.tried
    assert (dynamic.name, kept.name) == ("--scheme dynamic", f"--keep-float {worst.layer}")
    assert not kept.lost


def test_each_remedy_is_a_sentence_with_what_it_reached(study: Study) -> None:
    text = " ".join(accuracy_text([LOST], study.tried).split())
    assert "Statistically significant: digits_gru.int8.tflite." in text
    for one in study.tried:
        assert f"On the same rows, {one.name} drops by" in text
