"""From outputs that came back to scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.devices.runners.outcome import Machine, Outputs, Port, Process
from edgernn.errors import DataError
from edgernn.scoring.accuracy import (
    Metric,
    Predictions,
    Refit,
    Truth,
    agreement,
    cases_of,
    difference,
    fitted,
    predictions_of,
    refit_of,
    score,
    truth_of,
)
from edgernn.tasks.samples import Baselines, Samples

PROCESS = Process(
    machine=Machine(node="n", system="s", architecture="a", cores=1),
    versions={},
    cpus=None,
    import_ms=0.0,
    load_ms=0.0,
)
X = Port(name="x", shape=(None, None, 2), dtype="float32")


def samples_of(x, y=None, **more):
    return Samples(name="data", x=np.asarray(x), y=None if y is None else np.asarray(y), **more)


def outputs_of(*arrays):
    return Outputs(process=PROCESS, cases=tuple({"y": np.asarray(a, np.float32)} for a in arrays))


def truth(classes):
    return Truth(
        name="t", sha256="", metric=Metric.ACCURACY, classes=tuple(classes), rows=len(classes)
    )


@pytest.fixture
def sequences():
    """Three rows of four steps and two features, of 4, 2 and 3 real steps."""
    x = np.arange(1, 25, dtype=np.float32).reshape(3, 4, 2)
    return samples_of(x, [0, 1, 1], lengths=np.array([4, 2, 3]))


def test_rows_are_fed_one_by_one_and_whole(sequences):
    cases = cases_of(sequences, X, streaming=False)
    assert [case["x"].shape for case in cases] == [(1, 4, 2)] * 3
    np.testing.assert_array_equal(np.concatenate([case["x"] for case in cases]), sequences.x)


def test_a_stream_ends_with_its_last_real_step(sequences):
    cases = cases_of(sequences, X, streaming=True)
    assert [case["x"].shape[1] for case in cases] == [4, 2, 3]


def test_the_largest_score_is_the_class(sequences):
    outputs = outputs_of([[1, 3]], [[5, 2]], [[0, 9]])
    assert predictions_of(outputs.cases, sequences, "y").classes == (1, 0, 1)


def test_a_single_score_is_a_probability_of_class_one(sequences):
    outputs = outputs_of([[0.4]], [[0.6]], [[0.51]])
    assert predictions_of(outputs.cases, sequences, "y").classes == (0, 1, 1)


def test_a_class_is_told_by_the_number_that_the_data_give_it(sequences):
    outputs = outputs_of([[1, 3]], [[5, 2]], [[0, 9]])
    assert predictions_of(outputs.cases, sequences, "y", (1, 0)).classes == (0, 1, 0)


@pytest.mark.parametrize("scores", [[0.4, 0.6], [0.4]], ids=["two scores", "a sigmoid"])
def test_a_class_that_the_output_cannot_name_is_an_error(sequences, scores):
    beyond = replace(sequences, y=np.array([0, 1, 2]))
    outputs = outputs_of(*[[scores]] * 3)
    with pytest.raises(DataError, match=r"row 2 of data is of class 2.*classes 0 to 1 apart"):
        predictions_of(outputs.cases, beyond, "y")


def test_labels_that_are_not_as_many_as_the_outputs_classes_are_an_error(sequences):
    outputs = outputs_of(*[[[0, 1, 2]]] * 3)
    with pytest.raises(DataError, match=r"2 labels.*tells 3 classes apart"):
        predictions_of(outputs.cases, sequences, "y", (1, 0))


def test_an_output_with_time_is_read_at_the_last_real_step(sequences):
    says = np.eye(4)[None]  # at step i: class i
    outputs = outputs_of(says, says, says)
    assert predictions_of(outputs.cases, sequences, "y").classes == (3, 1, 2)


def test_a_strided_output_is_read_at_its_last_step(sequences):
    says = np.eye(2)[None]
    outputs = outputs_of(says, says, says)
    assert predictions_of(outputs.cases, sequences, "y").classes == (1, 1, 1)


def test_accuracy_carries_its_exact_interval():
    predictions = Predictions(classes=(0,) * 96 + (1,) * 4)
    found = score(predictions, truth([0] * 100))
    assert found.value == 0.96
    assert found.interval == pytest.approx((0.9007428432873397, 0.9889955060138118))


def test_the_mean_absolute_error_carries_a_bootstrap_interval():
    x = np.zeros((3, 4, 2), np.float32)
    targets = np.array([[0.0, 1.0], [2.0, 2.0], [0.0, 0.0]])
    samples = samples_of(x, [0, 0, 0])
    object.__setattr__(samples, "y", targets)  # the loaders give classes only, so far
    predictions = predictions_of(outputs_of([[0, 0]], [[1, 1]], [[0, 3]]).cases, samples, "y")
    assert predictions.errors == (0.5, 1.0, 1.5)
    found = score(predictions, replace(truth(()), metric=Metric.MAE, rows=3))
    assert found.value == 1.0
    assert 0.5 <= found.interval.low < 1.0 < found.interval.high <= 1.5
    with pytest.raises(DataError, match="has 3 values a row, y has 2"):
        predictions_of(outputs_of(*[[[0, 0, 0]]] * 3).cases, samples, "y")


def test_two_models_are_compared_on_the_same_rows():
    right, wrong = (0,) * 10, (0,) * 4 + (1,) * 6
    found = difference(Predictions(classes=right), Predictions(classes=wrong), truth([0] * 10))
    assert found.estimate == pytest.approx(0.6)
    assert found.p_value == pytest.approx(2 / 64)


def test_two_regressions_are_compared_on_the_same_rows():
    a, b = Predictions(errors=(1.0, 2.0, 3.0) * 10), Predictions(errors=(1.5, 2.5, 3.5) * 10)
    found = difference(a, b, replace(truth(()), metric=Metric.MAE))
    assert found.estimate == pytest.approx(-0.5)
    assert found.significant


def test_agreement_is_the_share_of_equal_classes():
    a = Predictions(classes=(1, 2, 3, 4))
    assert agreement(a, Predictions(classes=(1, 2, 3, 0))) == 0.75
    assert agreement(a, Predictions(classes=(1, 2))) is None
    assert agreement(Predictions(errors=(1.0,)), Predictions(errors=(1.0,))) is None


def test_the_truth_keeps_classes_baselines_and_a_hash_of_all(sequences):
    known = truth_of(replace(sequences, baselines=Baselines(trivial=0.6, linear=0.8)))
    assert (known.classes, known.rows, known.trivial, known.linear) == ((0, 1, 1), 3, 0.6, 0.8)
    changed = sequences.x.copy()
    changed[0, 0, 0] += 1
    assert truth_of(replace(sequences, x=changed)).sha256 != known.sha256
    assert truth_of(replace(sequences, labels=("a", "b"))).sha256 != known.sha256
    assert truth_of(replace(sequences, lengths=None)).sha256 != known.sha256
    assert truth_of(replace(sequences, y=np.array([1, 1, 1]))).sha256 != known.sha256


def test_rows_without_labels_have_no_accuracy(sequences):
    with pytest.raises(DataError, match="no labels"):
        truth_of(replace(sequences, y=None))


def test_sequences_are_fitted_to_the_steps_a_model_wants(sequences):
    port = replace(X, shape=(1, 6, 2))
    assert fitted(sequences, port, streaming=False, file="m").x.shape == (3, 6, 2)
    assert fitted(sequences, X, streaming=False, file="m") is sequences
    step = replace(X, shape=(1, 1, 2))
    assert fitted(sequences, step, streaming=True, file="m") is sequences


def test_a_row_is_cut_when_it_loses_more_than_padding(sequences):
    port = replace(X, shape=(1, 3, 2))
    with_lengths = refit_of(sequences, port, streaming=False, file="m")
    assert with_lengths == Refit(rows=3, cut_rows=1, padded_rows=0, steps=3, data_steps=4)
    assert refit_of(sequences, replace(X, shape=(1, 1, 2)), streaming=True, file="m") is None
    assert refit_of(sequences, X, streaming=False, file="m") is None
    x = sequences.x.copy()
    x[0, :2] = 0  # the beginning goes, and here it is padding
    x[1:, :1] = 0
    zeros_before = refit_of(samples_of(x), replace(X, shape=(1, 2, 2)), streaming=False, file="m")
    assert zeros_before is not None
    assert zeros_before.cut_rows == 2
    assert refit_of(samples_of(x), port, streaming=False, file="m") is None


def test_every_row_that_is_shorter_than_the_model_is_padded(sequences):
    found = refit_of(sequences, replace(X, shape=(1, 6, 2)), streaming=False, file="m")
    assert found == Refit(rows=3, cut_rows=0, padded_rows=3, steps=6, data_steps=4)


def test_data_of_which_every_row_would_be_cut_are_refused(sequences):
    port = replace(X, shape=(1, 3, 2))
    with pytest.raises(DataError, match=r"m\.onnx takes 3 steps.*every sequence of data is longer"):
        refit_of(replace(sequences, lengths=None), port, streaming=False, file="m.onnx")


TOKENS = Port(name="x", shape=(1, 8), dtype="int32")


def test_zeros_before_tokens_are_padding_that_may_go():
    x = np.zeros((3, 20), np.int32)
    x[:, 14:] = 5
    assert refit_of(samples_of(x), TOKENS, streaming=False, file="m") is None
    x[0, 3] = 7
    found = refit_of(samples_of(x), TOKENS, streaming=False, file="m")
    assert found == Refit(rows=3, cut_rows=1, padded_rows=0, steps=8, data_steps=20)


def test_padding_behind_the_steps_is_to_be_told_by_lengths():
    x = np.zeros((3, 20), np.int32)
    x[:, :6] = 5
    with pytest.raises(DataError, match=r"the last 8 of the 20 of data are not .*`lengths`"):
        refit_of(samples_of(x), TOKENS, streaming=False, file="m")
    told = samples_of(x, lengths=np.full(3, 6))
    assert refit_of(told, TOKENS, streaming=False, file="m") is None


def test_features_without_time_are_not_taken_for_steps():
    table = samples_of(np.ones((3, 4), np.float32))
    port = replace(X, shape=(None, 6))
    with pytest.raises(DataError, match=r"has shape \[any, 6\], the data \[any, 4\]"):
        fitted(table, port, streaming=False, file="m")


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (replace(X, shape=(None, None, 3)), r"has shape \[any, any, 3\], the data \[any, 4, 2\]"),
        (replace(X, shape=(None, 4)), r"has shape \[any, 4\]"),
        (replace(X, dtype="int32"), "takes tokens, the data are features"),
    ],
)
def test_data_that_do_not_fit_are_refused(sequences, port, message):
    with pytest.raises(DataError, match=message):
        fitted(sequences, port, streaming=False, file="m.onnx")
