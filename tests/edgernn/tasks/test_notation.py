"""Architectures by their names."""

from __future__ import annotations

import pytest

from edgernn.errors import DataError
from edgernn.tasks.notation import Part, architecture_named

GRU, LSTM, CONV = Part(kind="gru"), Part(kind="lstm"), Part(kind="conv")


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("gru", ((GRU,),)),
        ("GRU-lstm", ((GRU, LSTM),)),
        ("bi-lstm", ((Part(kind="lstm", both_ways=True),),)),
        ("conv-bi-gru-lstm", ((CONV, Part(kind="gru", both_ways=True), LSTM),)),
        ("gru+conv-lstm", ((GRU,), (CONV, LSTM))),
        ("conv", ((CONV,),)),
        ("attention", ((Part(kind="attention"),),)),
    ],
)
def test_a_name_says_the_layers(name, members):
    assert architecture_named(name).members == members


@pytest.mark.parametrize(
    ("name", "saying"),
    [
        ("rnn", r"^'rnn' is none of gru, lstm, conv, attention"),
        ("gur", r"Did you mean 'gru'\?"),
        ("bi-conv", "'bi' stands before gru or lstm"),
        ("gru-bi", "'bi' stands before gru or lstm"),
        ("gru+", "the architecture 'gru.' lacks a name"),
        ("gru-rnn", "'rnn' in the architecture 'gru-rnn' is none of"),
        ("", "the architecture '' lacks a name"),
    ],
)
def test_what_is_none_is_refused_with_the_notation(name, saying):
    with pytest.raises(DataError, match=saying) as error:
        architecture_named(name)
    assert "a-b: b on top of a" in str(error.value)


def test_what_sees_the_future_is_known():
    assert architecture_named("gru+bi-lstm").sees_the_future
    assert architecture_named("attention").sees_the_future
    assert not architecture_named("conv-gru").sees_the_future
