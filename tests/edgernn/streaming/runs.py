"""A model called once and step by step, in the reference and in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from edgernn import reference
from edgernn.export.onnx import lower
from edgernn.graph import (
    AnyArray,
    Graph,
    Gru,
    Lstm,
    SimpleRnn,
)
from edgernn.streaming import rhythms, to_streaming
from tests.export.onnx import agreement

Arrays = Mapping[str, AnyArray]
Run = Callable[[Arrays], Mapping[str, AnyArray]]

STEPS = 9
KINDS = pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])


def in_reference(graph: Graph) -> Run:
    return lambda inputs: reference.run(graph, inputs)


def in_onnx(graph: Graph) -> Run:
    opened = agreement.session(lower(graph, metadata={}).content)
    return lambda inputs: agreement.run(opened, inputs)


RUNTIMES = pytest.mark.parametrize("runtime", [in_reference, in_onnx])


def call_inputs(graph: Graph, *, batch: int = 2, steps: int = STEPS, seed: int = 0) -> Arrays:
    """Arguments of the whole model, with steps of zeros (masked, where the model masks)."""
    random = np.random.default_rng(seed)
    made: dict[str, AnyArray] = {}
    for entry in graph.inputs:
        shape = (batch, *(steps if size is None else size for size in entry.spec.shape[1:]))
        if entry.spec.dtype.numpy == np.int32:
            made[entry.name] = random.integers(0, 4, shape, dtype=np.int32)
        else:
            made[entry.name] = random.normal(size=shape).astype(np.float32)
            if len(shape) == 3:
                made[entry.name][random.random(shape[:2]) < 0.3] = 0
    return made


def step_by_step(graph: Graph, inputs: Arrays, runtime: Callable[[Graph], Run]) -> list[Arrays]:
    """What the step model answers in each call."""
    step = to_streaming(graph)
    run = runtime(step)
    batch = len(next(iter(inputs.values())))
    states: dict[str, AnyArray] = {}
    for entry in step.inputs:
        if any(state.input == entry.name for state in step.states):
            shape = (batch, *entry.spec.shape[1:])
            states[entry.name] = inputs.get(
                entry.name, np.zeros(tuple(n or 0 for n in shape), entry.spec.dtype.numpy)
            )
    streams = {name for name in inputs if name not in states}
    answers: list[Arrays] = []
    for time in range(next(iter(inputs.values())).shape[1]):
        newest = {name: inputs[name][:, time : time + 1] for name in streams}
        answer = run({**newest, **states})
        states = {state.input: answer[state.output] for state in step.states}
        answers.append(answer)
    return answers


def assert_streams(
    graph: Graph, runtime: Callable[[Graph], Run], *, inputs: Arrays | None = None
) -> None:
    """Each answer is the whole model's, for the sequence so far."""
    whole_inputs = call_inputs(graph) if inputs is None else inputs
    when = rhythms(graph)
    streamed = {entry.name for entry in graph.inputs if entry.spec.rank > 2}
    streamed |= {entry.name for entry in graph.inputs if entry.spec.dtype.value != "float32"}
    compared = 0
    for time, answer in enumerate(step_by_step(graph, whole_inputs, runtime)):
        if time < max(first for first, _ in when.values()):
            continue
        so_far = {
            name: array[:, : time + 1] if name in streamed else array
            for name, array in whole_inputs.items()
        }
        for name, whole in reference.run(graph, so_far).items():
            edge = next(output.edge for output in graph.outputs if output.name == name)
            is_sequence = graph.specs[edge].rank > 2 or graph.specs[edge].dtype.value == "bool"
            wanted = whole[:, -1:] if is_sequence else whole
            first, every = when[name]
            if (time - first) % every:
                continue
            valid = ~np.isnan(wanted) if wanted.dtype == np.float32 else np.ones(wanted.shape, bool)
            np.testing.assert_allclose(answer[name][valid], wanted[valid], atol=3e-6, rtol=1e-5)
            compared += 1
    assert compared
