"""Runs the given file in its own runtime and compares it with the graph that was read from it.

A Keras file has no runtime that runs it without its code; an .onnx file has, and a module of
PyTorch in memory runs itself, so that a wrong reading is found before anything is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Failed, Outputs, Skipped
from edgernn.errors import VerificationError
from edgernn.export.cases import Case, make_cases
from edgernn.export.source_model import SourceModel
from edgernn.export.verify import same_up_to_rounding
from edgernn.graph.tensor import AnyArray
from edgernn.reference import References


def check_reading(model: SourceModel) -> bool:
    """Whether the original was run: False where there is no runtime for it here.

    Raises VerificationError where the file cannot be run, or its answers differ from the graph's.
    """
    graph = model.as_given or model.graph
    if model.runs is not None:
        cases = make_cases(graph)
        answers = [_as_in_graph(model, model.runs(_as_in_file(model, c.inputs))) for c in cases]
        _compare(
            model, cases, answers, References().of(graph, [c.inputs for c in cases]), "PyTorch"
        )
        return True
    if model.file is None:
        return False
    cases = make_cases(graph)
    with open_device("cpu") as device:
        ran = run_cases(
            device, model.file, "onnx", [_as_in_file(model, case.inputs) for case in cases]
        )
    match ran:
        case Skipped():
            return False
        case Failed():
            raise VerificationError(
                f"ONNX Runtime cannot run {model.file.name} as it was given: {ran.reason}",
                remedy="Export the model again, and run the file in ONNX Runtime once",
            )
        case Outputs():
            expected = References().of(graph, [case.inputs for case in cases])
            actual = [_as_in_graph(model, answer) for answer in ran.cases]
            _compare(model, cases, actual, expected, "ONNX Runtime")
    return True


def _compare(
    model: SourceModel,
    cases: Sequence[Case],
    actual: Sequence[Mapping[str, AnyArray]],
    expected: Sequence[Mapping[str, AnyArray]],
    runtime: str,
) -> None:
    graph = model.as_given or model.graph
    try:
        same_up_to_rounding("the graph", cases, actual, expected, graph=graph)
    except VerificationError as error:
        raise VerificationError(
            f"edgernn reads {model.source.file} differently from {runtime}: {error.what}",
            remedy="Nothing was written. Please report this model",
        ) from error


def _as_in_file(model: SourceModel, inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    arguments: dict[str, AnyArray] = {}
    parts: dict[str, dict[int, AnyArray]] = {}
    for name, array in inputs.items():
        port = model.ports[name]
        ordered = np.ascontiguousarray(array.transpose(port.inverse).astype(port.dtype))
        if port.part is None:
            arguments[port.name] = ordered
        else:
            known = parts.setdefault(port.name, {})
            known[port.part.index] = ordered
            arguments[port.name] = np.stack([known[at] for at in sorted(known)], port.part.axis)
    return arguments


def _as_in_graph(model: SourceModel, outputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    results = {}
    for output in model.graph.outputs:
        port = model.ports[output.name]
        array = outputs[port.name]
        if port.part is not None:
            array = array.take(port.part.index, port.part.axis)
        if array.ndim == len(port.permutation):
            array = array.transpose(port.permutation)
        results[output.name] = array
    return results
