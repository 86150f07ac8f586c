"""What answers for a graph: the reference, ONNX Runtime, LiteRT, and the native runtime.

All run in this process.  A crash there ends the pytest worker, which counts as a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn import reference
from edgernn.export import backend_named
from edgernn.graph import Graph, without_dead_layers
from edgernn.streaming import expose_states
from tests.formats import RUN

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
#: One call of a model: arguments by name to results by name.
Session: TypeAlias = Callable[[Arrays], Arrays]

TARGETS: Final = ("reference", *RUN)


def prepared_graph(graph: Graph) -> Graph:
    """What the exporter hands to a back end."""
    return expose_states(without_dead_layers(graph))


def open_session(target: str, graph: Graph, **options: str) -> Session:
    """A way to call `graph` (see `prepared_graph`) on `target`; `options` are of its back end.

    Raises UnsupportedLayer where the back end cannot express it.
    """
    if target == "reference":
        return lambda arrays: reference.run(graph, arrays)
    lowered = backend_named(target).lower(graph, metadata={}, **options)
    return open_file(target, lowered.content)


def run_calls(
    session: Session,
    graph: Graph,
    calls: Sequence[Sequence[npt.NDArray[Any]]],
    *,
    outputs: Sequence[str],
) -> list[list[npt.NDArray[Any]]]:
    """The results named `outputs`, call by call.

    `calls` holds the arguments in the order of the graph's inputs, states left out; these start as
    zeros and are handed from call to call.
    """
    states = {state.input for state in graph.states}
    names = [entry.name for entry in graph.inputs if entry.name not in states]
    batch = calls[0][0].shape[0]
    carried: Arrays = {
        entry.name: np.zeros([size or batch for size in entry.spec.shape], np.float32)
        for entry in graph.inputs
        if entry.name in states
    }
    answers = []
    for arguments in calls:
        results = session({**dict(zip(names, arguments, strict=True)), **carried})
        carried = {state.input: results[state.output] for state in graph.states}
        answers.append([results[name] for name in outputs])
    return answers


@lru_cache(maxsize=8)
def open_file(target: str, content: bytes) -> Session:
    """A way to call a file that a back end wrote.

    Cached, since the routes into edgernn mostly give the same file.
    """
    match target:
        case "onnx":
            return _onnx_session(content)
        case "tflite":
            return _tflite_session(content)
        case "native":
            return _native_session(content)
        case _:
            raise ValueError(f"no runtime for '{target}'")


def _onnx_session(content: bytes) -> Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]

    def call(arrays: Arrays) -> Arrays:
        return dict(zip(names, session.run(names, dict(arrays)), strict=True))

    return call


def _tflite_session(content: bytes) -> Session:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()

    def call(arrays: Arrays) -> Arrays:
        interpreter.reset_all_variables()  # of integers only: an LSTM goes on where it was
        results: Arrays = runner(**arrays)
        return results

    return call


def _native_session(content: bytes) -> Session:
    from edgernn import Model

    return Model(content).run
