"""Runs what the back end wrote in ONNX Runtime and compares it with the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from edgernn import reference
from edgernn.export.backend import Lowered
from edgernn.export.cases import Case, make_cases
from edgernn.export.onnx import lower
from edgernn.export.verify import relative_error
from edgernn.graph import AnyArray, Graph

TOLERANCE = 1e-5


def session(content: bytes, *, threads: int = 1) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(opened: ort.InferenceSession, inputs: Mapping[str, AnyArray]) -> dict[str, Any]:
    names = [output.name for output in opened.get_outputs()]
    return dict(zip(names, opened.run(None, dict(inputs)), strict=True))


def checked(content: bytes) -> onnx.ModelProto:
    """The model, if ONNX's own checker and strict shape inference accept it."""
    model = onnx.load_model_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    assert not _unused(model), "ONNX Runtime warns of initializers that nobody reads"
    return model


def _unused(model: onnx.ModelProto) -> set[str]:
    nodes = list(model.graph.node)
    for node in nodes:  # grows by the nodes of inner graphs
        nodes += [inner for entry in node.attribute for inner in entry.g.node]
    read = {name for node in nodes for name in node.input}
    return {tensor.name for tensor in model.graph.initializer} - read


def operators(lowered: Lowered) -> list[str]:
    """The kinds of the model's nodes, in order."""
    return [node.op_type for node in onnx.load_model_from_string(lowered.content).graph.node]


def assert_agrees(
    graph: Graph, *cases: Case, tolerance: float = TOLERANCE, seed: int = 0
) -> Lowered:
    """The written model gives what the reference gives, for the graph's cases if none are given."""
    lowered = lower(graph, metadata={})
    checked(lowered.content)
    opened = session(lowered.content)
    for case in cases or make_cases(graph, seed=seed):
        actual, expected = run(opened, case.inputs), reference.run(graph, case.inputs)
        assert list(actual) == list(expected)
        for name, wanted in expected.items():
            assert actual[name].dtype == wanted.dtype
            # A NaN of the reference (the mean of no step at all) has to be one here too.
            np.testing.assert_array_equal(np.isnan(actual[name]), np.isnan(wanted))
            error = relative_error(np.nan_to_num(actual[name]), np.nan_to_num(wanted))
            assert error <= tolerance, f"{name} is off by {error:.1e} for {case.name}"
    return lowered
