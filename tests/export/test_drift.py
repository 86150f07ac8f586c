"""A stream of 10,000 steps: what integers are off by does not grow with time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest

from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph, quantized, with_fine_layers
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples, split
from edgernn.graph import AnyArray, Graph
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming
from tests.edgernn.tasks.reference_data import splits_of
from tests.formats import RUN
from tests.golden import GOLDEN
from tests.zoo.runtimes import open_session

STEPS = 10_000
PART = 1_000


@lru_cache
def model(name: str) -> Graph:
    return float_graph(read_model(GOLDEN / "trained" / f"{name}.keras").graph)


@lru_cache
def stream() -> AnyArray:
    """[STEPS, 13]: recordings of digits one after the other."""
    frames = splits_of("digits").test.x
    return frames.reshape(-1, frames.shape[-1])[:STEPS]


def stepped(graph: Graph, backend: str) -> npt.NDArray[np.float32]:
    """[STEPS, classes]: what the step model says, its states never reset."""
    step = to_streaming(graph)
    session = open_session(backend, step)
    names = {state.input: state.output for state in step.states}
    (port,) = (entry.name for entry in step.inputs if entry.name not in names)
    states: dict[str, AnyArray] = {
        name: np.zeros([size or 1 for size in step.specs[name].shape], np.float32) for name in names
    }
    said = []
    for frame in stream():
        results = session({port: frame[None, None], **states})
        states = {into: results[out] for into, out in names.items()}
        said.append(results[graph.outputs[0].name][0])
    return np.array(said)


@lru_cache
def exact(name: str) -> npt.NDArray[np.float32]:
    return stepped(model(name), "native")


def as_exported(graph: Graph, backend: str) -> Graph:
    """With the finer layers that an export chooses for the format."""
    seen, kept = split(Examples(inputs={graph.inputs[0].name: splits_of("digits").calibration.x}))
    request = Request(
        backends=(backend,),
        scheme=Scheme.INT8,
        ranges=calibrate(graph, seen.inputs),
        examples=kept,
    )
    return quantized(graph, with_fine_layers(graph, request), backend)


@pytest.mark.parametrize("backend", RUN)
@pytest.mark.parametrize("name", ["digits_gru", "digits_lstm"])
def test_a_stream_ends_as_close_to_float_as_it_began(
    name: str,
    backend: str,
    record_property: pytest.RecordProperty,  # type: ignore[name-defined]
) -> None:
    graph = model(name)
    given = stepped(as_exported(graph, backend), backend)
    wanted = exact(name)
    error = np.sqrt(np.square(given - wanted).mean(axis=1))
    parts = error.reshape(-1, PART).mean(axis=1)
    same = float((given.argmax(-1) == wanted.argmax(-1)).mean())
    record_property(
        "figure",
        f"drift, {name} int8 in {backend}: rms error of the probabilities {parts[0]:.4f} in the "
        f"first {PART:,} steps, {parts[-1]:.4f} in the last, at most {parts.max():.4f} between; "
        f"{same:.1%} of {STEPS:,} answers alike",
    )
    assert parts[-1] <= 2 * max(parts[0], 0.002)
    assert parts.max() <= 0.03
    assert same >= 0.96
