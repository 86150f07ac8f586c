"""What a decoder is fed with and is to answer, and the baselines of sequences."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks.aligned import aligned, sequence_baselines
from edgernn.tasks.notation import architecture_named, for_sequences
from edgernn.tasks.sequences import greedy, steps_of, tokens_after, tokens_before
from tests.export.sequences import reversals

Y = np.array([[5, 7, -1], [6, -1, -1], [1, 2, 3]])


def test_each_step_is_fed_with_the_token_that_it_is_to_follow():
    assert steps_of(Y) == 4
    before, after = tokens_before(Y, 4), tokens_after(Y, 4)
    assert before.tolist() == [[0, 5, 7, 0], [0, 6, 0, 0], [0, 1, 2, 3]]
    assert after.tolist() == [[5, 7, 0, -1], [6, 0, -1, -1], [1, 2, 3, 0]]


def test_other_tokens_may_begin_and_end():
    assert tokens_before(Y, 3, start=8, stop=9).tolist() == [[8, 5, 7], [8, 6, 9], [8, 1, 2]]
    assert tokens_after(Y, 3, stop=9).tolist() == [[5, 7, 9], [6, 9, -1], [1, 2, 3]]


def test_a_greedy_loop_feeds_what_it_said_and_ends_at_the_stop():
    """A model that counts up from the token before, and ends behind 3; row 1 ends at once."""

    def scores(fed, step):
        following = np.where(fed[:, step] < 3, fed[:, step] + 1, 0)
        following[1] = 0
        return np.eye(5)[following]

    assert greedy(scores, 2, 5).tolist() == [[1, 2, 3, -1, -1], [-1] * 5]
    assert greedy(scores, 2, 2).tolist() == [[1, 2], [-1, -1]]


def test_tokens_are_aligned_with_what_they_write_elsewhere():
    """1 writes 10, 2 writes nothing, 3 writes 30 and 31."""
    inputs = [[1, 2], [2, 1], [3], [1, 3], [3, 2, 1], [2, 3], [1, 1]] * 5
    pieces = {1: (10,), 2: (), 3: (30, 31)}
    outputs = [[token for one in row for token in pieces[one]] for row in inputs]
    for row, found in zip(inputs, aligned(inputs, outputs), strict=True):
        assert found == [pieces[one] for one in row]


def test_the_baselines_are_error_rates_and_the_linear_model_sees_more():
    found = sequence_baselines(reversals(600, seed=1), reversals(200, seed=2))
    assert 0.2 < found.linear < found.trivial < 1.0


@pytest.mark.parametrize(
    ("cell", "decoder", "name"),
    [
        ("gru", None, "seq2seq-gru-gru"),
        ("gru", "lstm", "seq2seq-gru-lstm"),
        ("bi-lstm", None, "seq2seq-bi-lstm-lstm"),
        ("attention", None, "seq2seq-attention-gru"),
        ("seq2seq-lstm-gru", None, "seq2seq-lstm-gru"),
    ],
)
def test_a_cell_and_a_decoder_name_an_architecture(cell, decoder, name):
    assert for_sequences(cell, decoder) == name
    assert architecture_named(name).decoder == name.rsplit("-", 1)[1]


@pytest.mark.parametrize("name", ["seq2seq", "seq2seq-gru", "seq2seq-gru-conv", "seq2seq-gru+lstm"])
def test_an_architecture_without_encoder_or_decoder_is_refused(name):
    with pytest.raises(DataError, match="seq2seq has an encoder and then gru or lstm as decoder"):
        architecture_named(name)
