"""The loop that writes sequences on a device, with a decoder whose every answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.devices.runners.payload.greedy import written

TOKENS = 6


def rules(*, longest=4, start=5, stop=0):
    return {
        "longest": longest,
        "start": start,
        "stop": stop,
        "input": "token",
        "output": "scores",
        "states": [("count", "next")],
    }


def step(feeds):
    """Says how often it was called since the count of its encoder, and 0 behind 3."""
    count = feeds["count"] + 1
    said = np.where(count[:, 0] < 4, count[:, 0], 0).astype(int)
    return {"scores": np.eye(TOKENS)[said][:, None], "next": count}


def test_states_are_handed_on_and_each_row_ends_at_its_own_stop():
    begun = {"count": np.array([[0.0], [2.0], [3.0]])}
    assert written(begun, step, rules()).tolist() == [[1, 2, 3, -1], [3, -1, -1, -1], [-1] * 4]


def test_the_longest_sequence_ends_without_a_stop():
    assert written({"count": np.array([[0.0]])}, step, rules(longest=2)).tolist() == [[1, 2]]


def test_another_token_may_end_a_sequence():
    assert written({"count": np.array([[0.0]])}, step, rules(stop=2)).tolist() == [[1, -1, -1, -1]]


def test_the_first_call_gets_the_start_and_each_later_one_what_was_said():
    fed = []

    def watched(feeds):
        fed.append(feeds["token"].tolist())
        return step(feeds)

    written({"count": np.array([[0.0]])}, watched, rules())
    assert fed == [[[5]], [[1]], [[2]], [[3]]]


def test_what_is_no_state_is_fed_to_every_call():
    seen = []

    def watched(feeds):
        seen.append(float(feeds["context"][0, 0]))
        return step(feeds)

    written({"count": np.array([[1.0]]), "context": np.array([[7.0]])}, watched, rules())
    assert seen == pytest.approx([7.0] * 3)
