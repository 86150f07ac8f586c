"""Labelled rows as a model takes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.devices.runners.outcome import Port
from edgernn.errors import DataError
from edgernn.scoring.fitting import Refit, cases_of, fitted, refit_of
from edgernn.tasks.samples import Samples

X = Port(name="x", shape=(None, None, 2), dtype="float32")


def samples_of(x, y=None, **more):
    return Samples(name="data", x=np.asarray(x), y=None if y is None else np.asarray(y), **more)


def test_rows_are_fed_one_by_one_and_whole(sequences):
    cases = cases_of(sequences, X, streaming=False)
    assert [case["x"].shape for case in cases] == [(1, 4, 2)] * 3
    np.testing.assert_array_equal(np.concatenate([case["x"] for case in cases]), sequences.x)


def test_a_stream_ends_with_its_last_real_step(sequences):
    cases = cases_of(sequences, X, streaming=True)
    assert [case["x"].shape[1] for case in cases] == [4, 2, 3]


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
    sequences = replace(sequences, x=sequences.x + 0.5)  # whole numbers may be tokens
    with pytest.raises(DataError, match=message):
        fitted(sequences, port, streaming=False, file="m.onnx")
