"""Loops of a cell that were unrolled by hand are one layer; what is none stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from edgernn import reference
from edgernn.export.keras.object import from_keras
from edgernn.graph import Graph, Recurrent
from edgernn.streaming import to_streaming

STEPS = 5
#: A cell's own answers and states: of each step, and of the last.
Unrolled = tuple[list[Any], Any]


def looped(x: Any, cell: Any, states: Any, order: Sequence[int]) -> Unrolled:
    answers = []
    for step in order:
        y, states = cell(x[:, step], states)
        answers.append(y)
    return answers, states


def first_states(x: Any, cell: Any) -> list[Any]:
    import keras

    sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
    return [keras.layers.Dense(size)(x[:, 0]) for size in sizes]


def graph_like_keras(outputs_of: Callable[[Any], list[Any]]) -> Graph:
    """The graph of a model, after its answers were compared with those of Keras."""
    import keras

    random = np.random.default_rng(0)
    x = keras.Input((STEPS, 4))
    model = keras.Model(x, outputs_of(x))
    model.set_weights([random.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    graph = from_keras(model).graph
    rows = random.normal(size=(3, STEPS, 4)).astype(np.float32)
    answers = list(reference.run(graph, {graph.inputs[0].name: rows}).values())
    for answer, expected in zip(answers, model(rows), strict=True):
        np.testing.assert_allclose(answer, np.asarray(expected), atol=1e-5)
    return graph


def recurrent(graph: Graph) -> list[Any]:
    return [layer for layer in graph.layers if isinstance(layer, Recurrent)]


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "SimpleRNNCell"])
def test_a_loop_over_all_steps_is_one_layer(kind: str) -> None:
    import keras

    def outputs(x: Any) -> list[Any]:
        cell = getattr(keras.layers, kind)(6)
        answers, states = looped(x, cell, first_states(x, cell), range(STEPS))
        return [keras.ops.stack(answers, axis=1), *states]

    (layer,) = recurrent(graph_like_keras(outputs))
    assert layer.return_sequences
    assert not layer.go_backwards


def test_a_loop_from_the_last_step_to_the_first_runs_backwards() -> None:
    import keras

    def outputs(x: Any) -> list[Any]:
        cell = keras.layers.GRUCell(6)
        answers, _ = looped(x, cell, first_states(x, cell), (3, 2, 1))
        return [keras.ops.stack(answers, axis=1), answers[0]]

    (layer,) = recurrent(graph_like_keras(outputs))
    assert layer.go_backwards


def test_stacked_cells_are_a_layer_each() -> None:
    import keras

    def outputs(x: Any) -> list[Any]:
        first, second = keras.layers.GRUCell(6), keras.layers.LSTMCell(3)
        one, two = first_states(x, first), first_states(x, second)
        answers = []
        for step in range(STEPS):
            y, one = first(x[:, step], one)
            y, two = second(y, two)
            answers.append(y)
        return [keras.ops.stack(answers, axis=1), answers[-1]]

    assert len(recurrent(graph_like_keras(outputs))) == 2


def from_zeros(kind: str, zeros: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def outputs(x: Any) -> list[Any]:
        import keras

        cell = getattr(keras.layers, kind)(4)
        states = [zeros(x) for _ in first_states(x, cell)]
        answers, _ = looped(x, cell, states, range(STEPS))
        return [keras.ops.stack(answers, axis=1), answers[-1]]

    return outputs


def zeros_like(x: Any) -> Any:
    import keras

    return keras.ops.zeros_like(x[:, 0])


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
@pytest.mark.parametrize(
    "zeros", [lambda _: np.zeros((1, 4), np.float32), zeros_like], ids=["array", "zeros_like"]
)
def test_a_loop_that_begins_with_zeros_is_a_layer_without_given_states(
    kind: str, zeros: Callable[[Any], Any]
) -> None:
    graph = graph_like_keras(from_zeros(kind, zeros))
    (layer,) = recurrent(graph)
    assert layer.initial_h is None
    assert len(to_streaming(graph).states) == (2 if kind == "LSTMCell" else 1)


def test_zeros_beside_a_given_state_are_zeros() -> None:
    import keras

    def outputs(x: Any) -> list[Any]:
        cell = keras.layers.LSTMCell(4)
        states = [keras.layers.Dense(4)(x[:, 1]), np.zeros((1, 4), np.float32)]
        answers, last = looped(x, cell, states, range(STEPS))
        return [keras.ops.stack(answers, axis=1), *last]

    (layer,) = recurrent(graph_like_keras(outputs))
    assert layer.initial_c is not None


def test_a_layer_that_is_called_step_by_step_is_rolled_too() -> None:
    import keras

    def outputs(x: Any) -> list[Any]:
        layer = keras.layers.LSTM(4, return_state=True)
        states: Any = None
        answers = []
        for step in range(STEPS):
            y, *states = layer(x[:, step : step + 1], initial_state=states)
            answers.append(y)
        return [keras.ops.stack(answers, axis=1), *states]

    (layer,) = recurrent(graph_like_keras(outputs))
    assert layer.return_sequences


def test_steps_that_are_stacked_twice_are_the_sequence_still() -> None:
    import keras

    def stacked(x: Any) -> Any:
        return keras.ops.stack([x[:, step] for step in range(STEPS)], axis=1)

    def outputs(x: Any) -> list[Any]:
        cell = keras.layers.GRUCell(4)
        answers, _ = looped(stacked(stacked(x)), cell, first_states(x, cell), range(STEPS))
        return [stacked(keras.ops.stack(answers, axis=1)), answers[-1]]

    (layer,) = recurrent(graph_like_keras(outputs))
    assert layer.return_sequences


def decoder(x: Any) -> list[Any]:
    """Each step takes the answer of the one before."""
    import keras

    cell = keras.layers.GRUCell(4)
    states, y, answers = first_states(x, cell), x[:, -1], []
    for _ in range(3):
        y, states = cell(y, states)
        answers.append(y)
    return [keras.ops.stack(answers, axis=1), y]


def with_gaps(x: Any) -> list[Any]:
    import keras

    cell = keras.layers.GRUCell(4)
    answers, _ = looped(x, cell, first_states(x, cell), (0, 2, 4))
    return [keras.ops.stack(answers, axis=1), answers[-1]]


def of_cell_states(x: Any) -> list[Any]:
    """The cell state of every step, which a layer over time does not show."""
    import keras

    cell = keras.layers.LSTMCell(4)
    states, seen = first_states(x, cell), []
    for step in range(3):
        _, states = cell(x[:, step], states)
        seen.append(states[1])
    return [keras.ops.stack(seen, axis=1), states[0]]


def of_two_cells(x: Any) -> list[Any]:
    """The states go on, in a cell of other weights."""
    import keras

    states = first_states(x, keras.layers.GRUCell(4))
    answers = []
    for step in range(3):
        y, states = keras.layers.GRUCell(4)(x[:, step], states)
        answers.append(y)
    return [keras.ops.stack(answers, axis=1), y]


@pytest.mark.parametrize("outputs", [decoder, with_gaps, of_cell_states, of_two_cells])
def test_what_is_no_loop_over_a_sequence_stays_one_step_each(
    outputs: Callable[[Any], list[Any]],
) -> None:
    layers = recurrent(graph_like_keras(outputs))
    assert len(layers) == 3
    assert not any(layer.return_sequences for layer in layers)
