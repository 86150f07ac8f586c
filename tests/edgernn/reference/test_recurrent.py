"""Recurrent layers against Keras, and properties that Keras promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.graph import HARD_SIGMOID_KERAS3, RELU, SIGMOID, TANH, FloatArray, Gru, Lstm, SimpleRnn
from edgernn.reference.recurrent import recurrent, tap_names

FEATURES, UNITS = 3, 5
TOLERANCE: dict[str, Any] = {"rtol": 2e-6, "atol": 2e-6}

MASKS = {
    "none": None,
    "right padding": [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]],
    "holes and an empty row": [[0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1]],
}


def random(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def make(kind, rng=None, **options):
    rng = rng or np.random.default_rng(1)
    gates = {"gru": 3, "gru before": 3, "lstm": 4, "rnn": 1}[kind]
    common = {
        "name": "cell",
        "input": "x",
        "output": "y",
        "state_h": "h",
        "kernel": random(rng, FEATURES, gates * UNITS),
        "recurrent_kernel": random(rng, UNITS, gates * UNITS),
        "bias": random(rng, gates * UNITS),
        **options,
    }
    match kind:
        case "gru":
            return Gru(recurrent_bias=random(rng, gates * UNITS), **common)
        case "gru before":
            return Gru(recurrent_bias=None, reset_after=False, **common)
        case "lstm":
            return Lstm(state_c="c", **common)
        case "rnn":
            return SimpleRnn(**common)
        case _:
            raise AssertionError(kind)


def states_of(layer, rng, batch):
    return [random(rng, batch, UNITS) for _ in range(2 if isinstance(layer, Lstm) else 1)]


KINDS = ["gru", "gru before", "lstm", "rnn"]


def keras_twin(keras, layer, **options):
    """The Keras layer with the same weights."""
    options |= {
        "units": UNITS,
        "return_state": True,
        "return_sequences": layer.return_sequences,
        "go_backwards": layer.go_backwards,
        "zero_output_for_mask": layer.zero_output_for_mask,
    }
    match layer:
        case Gru():
            twin = keras.layers.GRU(reset_after=layer.reset_after, **options)
        case Lstm():
            twin = keras.layers.LSTM(**options)
        case _:
            twin = keras.layers.SimpleRNN(**options)
    twin.build((None, None, FEATURES))
    bias: Any = layer.bias
    if isinstance(layer, Gru) and layer.reset_after:
        bias = np.array([bias, layer.recurrent_bias])
    twin.set_weights([layer.kernel, layer.recurrent_kernel, bias])
    return twin


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sequences", "backwards", "zeros", "initial"), list(product([False, True], repeat=4))
)
def test_a_layer_gives_what_keras_gives(
    keras, kind, mask, sequences, backwards, zeros, initial
) -> None:
    rng = np.random.default_rng(7)
    layer = make(
        kind, return_sequences=sequences, go_backwards=backwards, zero_output_for_mask=zeros
    )
    x = random(rng, 3, 6, FEATURES)
    held = None if MASKS[mask] is None else np.array(MASKS[mask], bool)
    states = states_of(layer, rng, 3) if initial else []
    expected = keras_twin(keras, layer)(x, mask=held, initial_state=states or None)
    given_ = recurrent(layer, x, mask=held, initial=states)
    for ours, theirs in zip([given_.output, *given_.states], expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), **TOLERANCE)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_other_activations_give_what_keras_gives(keras, kind) -> None:
    layer = make(kind, activation=RELU, recurrent_activation=HARD_SIGMOID_KERAS3)
    x = random(np.random.default_rng(3), 2, 4, FEATURES)
    twin = keras_twin(keras, layer, activation="relu", recurrent_activation="hard_sigmoid")
    np.testing.assert_allclose(recurrent(layer, x).output, twin(x)[0].numpy(), **TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_no_bias_is_a_bias_of_zeros(kind) -> None:
    layer = make(kind, return_sequences=True)
    without, zeroed = {"bias": None}, {"bias": np.zeros_like(layer.bias)}
    if isinstance(layer, Gru) and layer.reset_after:
        without["recurrent_bias"] = None
        zeroed["recurrent_bias"] = np.zeros_like(layer.recurrent_bias)
    x = random(np.random.default_rng(0), 2, 5, FEATURES)
    np.testing.assert_array_equal(
        recurrent(replace(layer, **without), x).output,
        recurrent(replace(layer, **zeroed), x).output,
    )


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**16), steps=st.integers(1, 7))
def test_a_step_at_a_time_equals_the_whole_sequence(kind, seed, steps) -> None:
    rng = np.random.default_rng(seed)
    layer = make(kind, rng, return_sequences=True)
    x = random(rng, 2, steps, FEATURES)
    whole = recurrent(layer, x)
    states: tuple[FloatArray, ...] = ()
    for time in range(steps):
        output, states = recurrent(layer, x[:, time : time + 1], initial=states)
        np.testing.assert_allclose(output[:, 0], whole.output[:, time], **TOLERANCE)
    for stepped, final in zip(states, whole.states, strict=True):
        np.testing.assert_allclose(stepped, final, **TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    valid=st.lists(st.booleans(), min_size=1, max_size=8),
    seed=st.integers(0, 2**16),
)
def test_what_stands_at_masked_steps_does_not_matter(kind, valid, seed) -> None:
    rng = np.random.default_rng(seed)
    layer = make(kind, rng)
    mask = np.array([valid])
    x = random(rng, 1, len(valid), FEATURES)
    kept = recurrent(layer, x[:, mask[0]])
    masked = recurrent(layer, np.where(mask[:, :, None], x, np.float32(9)), mask=mask)
    np.testing.assert_allclose(masked.output, kept.output, **TOLERANCE)
    np.testing.assert_allclose(masked.states[0], kept.states[0], **TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**16))
def test_backwards_is_forwards_over_the_reversed_sequence(kind, seed) -> None:
    rng = np.random.default_rng(seed)
    forwards = make(kind, rng, return_sequences=True)
    x = random(rng, 2, 6, FEATURES)
    mask = rng.random((2, 6)) < 0.7
    backwards = replace(forwards, go_backwards=True)
    np.testing.assert_array_equal(
        recurrent(backwards, x, mask=mask).output,
        recurrent(forwards, x[:, ::-1], mask=mask[:, ::-1]).output,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_observer_sees_each_valid_step_of_each_quantity(kind) -> None:
    layer = make(kind)
    rng = np.random.default_rng(5)
    mask = np.array([[1, 1, 0], [0, 1, 0]], bool)
    seen: list[Mapping[str, FloatArray]] = []
    recurrent(layer, random(rng, 2, 3, FEATURES), mask=mask, observe=seen.append)
    assert [step["h"].shape for step in seen] == [(1, UNITS), (2, UNITS), (0, UNITS)]
    assert all(set(step) == set(tap_names(layer)) for step in seen)


def test_the_observed_quantities_obey_the_equations_of_the_gru() -> None:
    layer = make("gru", activation=TANH, recurrent_activation=SIGMOID)
    h = random(np.random.default_rng(1), 2, UNITS)
    seen: list[Mapping[str, FloatArray]] = []
    x = random(np.random.default_rng(2), 2, 1, FEATURES)
    after = recurrent(layer, x, initial=[h], observe=seen.append)
    (tap,) = seen
    np.testing.assert_allclose(tap["pre.z"], tap["x.z"] + tap["h.z"], **TOLERANCE)
    np.testing.assert_allclose(tap["pre.h"], tap["x.h"] + tap["r"] * tap["h.h"], **TOLERANCE)
    np.testing.assert_allclose(after.states[0], h + (1 - tap["z"]) * tap["n_minus_h"], **TOLERANCE)
