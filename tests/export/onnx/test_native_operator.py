"""Recurrent layers as our own operators in ONNX Runtime give the bits of the integer reference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Outputs, Skipped
from edgernn.devices.runners.payload import sessions
from edgernn.errors import CalibrationError, MissingRuntime
from edgernn.export.onnx import lower
from edgernn.export.onnx.builder import EDGERNN
from edgernn.export.onnx.contents import read_contents
from edgernn.graph import Graph, Lstm
from edgernn.reference import integer
from edgernn.runtime import ort as operators
from edgernn.streaming import to_streaming
from tests.edgernn.runtime.models import (
    CELLS,
    cell,
    graph_of,
    numbers,
    random_integer_cell,
    random_recurrent_plan,
    with_plans,
)


def content_of(graph: Graph) -> bytes:
    return lower(graph, metadata={}, gru="customop").content


def opened(content: bytes, *, registered: bool = True) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    if registered:
        options.register_custom_ops_library(operators.library_path())
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(session: ort.InferenceSession, inputs: dict[str, Any]) -> dict[str, Any]:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def assert_same_bits(graph: Graph, inputs: dict[str, Any]) -> None:
    actual = run(opened(content_of(graph)), inputs)
    for name, wanted in integer.run(graph, inputs).items():
        np.testing.assert_array_equal(actual[name], wanted, err_msg=name)


def integer_cell(kind: str, *, units: int = 20, features: int = 7, **options: Any) -> Graph:
    rng = np.random.default_rng(0)
    layer = cell(kind, rng, units=units, features=features, **options)
    plan = random_recurrent_plan(layer, rng, bits=16, state_bits=8)
    more: Any = {"h": "cell.h"} | ({"c": "cell.c"} if isinstance(layer, Lstm) else {})
    return with_plans(graph_of(layer, features=features, **more), cell=plan)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_layer_plan_mask_and_state_gives_the_bits_of_the_reference(seed: int) -> None:
    assert_same_bits(*random_integer_cell(seed))


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_sequences_longer_than_a_chunk_and_batches(
    kind: str, go_backwards: bool, batch: int
) -> None:
    graph = integer_cell(kind, go_backwards=go_backwards, return_sequences=True)
    assert_same_bits(graph, {"x": numbers(np.random.default_rng(1), batch, 300, 7, gain=3)})


def test_a_step_model_goes_on_from_its_states() -> None:
    graph = integer_cell("lstm")
    step = to_streaming(graph)
    x = numbers(np.random.default_rng(1), 1, 30, 7, gain=3)
    session = opened(content_of(step))
    carried = {state.input: np.zeros((1, 20), np.float32) for state in step.states}
    answer: dict[str, Any] = {}
    for time in range(x.shape[1]):
        answer = run(session, {"x": x[:, time : time + 1], **carried})
        carried = {state.input: answer[state.output] for state in step.states}
    np.testing.assert_array_equal(answer["y"], integer.run(graph, {"x": x})["y"])


def test_one_session_serves_several_threads() -> None:
    graph = integer_cell("gru", units=64)
    session = opened(content_of(graph))
    xs = [numbers(np.random.default_rng(seed), 1, 150, 7) for seed in range(8)]
    expected = [integer.run(graph, {"x": x})["y"] for x in xs]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(10):
            answers = threads.map(lambda x: run(session, {"x": x})["y"], xs)
            for given, wanted in zip(answers, expected, strict=True):
                np.testing.assert_array_equal(given, wanted)


def test_the_file_says_what_it_needs() -> None:
    lowered = lower(integer_cell("gru"), metadata={}, gru="customop")
    contents = read_contents(lowered.content)
    assert contents.operators["IntegerGRU"] == 1
    assert "org.edgernn 1" in contents.format
    assert "edgernn.runtime.ort.library_path()" in contents.metadata["needs"]
    assert lowered.details["needs"] == contents.metadata["needs"]
    assert contents.weight_bytes["int8"] >= (7 + 20) * 60
    assert lowered.exact is not None
    onnx.checker.check_model(onnx.load_model_from_string(lowered.content))


def test_layers_without_integers_stay_onnx_operators() -> None:
    graph = integer_cell("gru")
    assert graph.quantization is not None
    kept = replace(graph, quantization=replace(graph.quantization, plans={}))
    lowered = lower(kept, metadata={}, gru="customop")
    assert "needs" not in lowered.details
    assert lowered.exact is None
    assert set(read_contents(lowered.content).operators) >= {"GRU"}


def test_a_float_graph_is_refused_with_the_remedy() -> None:
    graph = integer_cell("gru")
    with pytest.raises(CalibrationError, match="--scheme int8 with --calibrate"):
        lower(replace(graph, quantization=None), metadata={}, gru="customop")


def test_without_the_library_onnx_runtime_names_the_operator() -> None:
    with pytest.raises(Exception, match=r"org\.edgernn:IntegerGRU"):
        opened(content_of(integer_cell("gru")), registered=False)


# --- What does not fit ---


def model_with(graph: Graph, **attributes: Any) -> bytes:
    model = onnx.load_model_from_string(content_of(graph))
    (node,) = [node for node in model.graph.node if node.domain == EDGERNN]
    for attribute in node.attribute:
        if attribute.name in attributes:
            attribute.s = attributes[attribute.name](attribute.s)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _: b"", "not an .ernn file|shorter"),
        (lambda model: model[:-1], "shorter or longer"),
        (lambda model: model[:300] + bytes([model[300] ^ 1]) + model[301:], "checksum"),
    ],
)
def test_a_damaged_layer_is_an_error_when_the_session_is_made(change: Any, complaint: str) -> None:
    with pytest.raises(Exception, match=complaint):
        opened(model_with(integer_cell("gru"), model=change))


def test_a_layer_of_another_kind_is_an_error() -> None:
    from edgernn.export.native import lower as native_file

    other = native_file(integer_cell("gru"), metadata={}).content
    with pytest.raises(Exception, match="not a layer of this operator"):
        opened(model_with(integer_cell("lstm"), model=lambda _: other))


def node_model(lengths: Any = None, initial: Any = None) -> tuple[bytes, dict[str, Any]]:
    """The operator alone, with inputs that the exporter would not write."""
    graph = integer_cell("gru")
    model = onnx.load_model_from_string(content_of(graph))
    (node,) = [node for node in model.graph.node if node.domain == EDGERNN]
    value, helper = onnx.helper.make_tensor_value_info, onnx.helper
    names = {"X": onnx.TensorProto.FLOAT}
    names |= {} if lengths is None else {"L": onnx.TensorProto.INT32}
    names |= {} if initial is None else {"H": onnx.TensorProto.FLOAT}
    alone = helper.make_node(
        node.op_type,
        ["X", "" if lengths is None else "L", "" if initial is None else "H"],
        ["", "Y_h"],
        domain=EDGERNN,
    )
    alone.attribute.extend(node.attribute)
    made = helper.make_graph(
        [alone],
        "g",
        [value(name, kind, None) for name, kind in names.items()],
        [value("Y_h", onnx.TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 7), helper.make_opsetid(EDGERNN, 1)]
    content = helper.make_model(made, opset_imports=opsets, ir_version=4).SerializeToString()
    feeds = {"L": lengths, "H": initial}
    return content, {name: array for name, array in feeds.items() if array is not None}


@pytest.mark.parametrize(
    ("x", "lengths", "initial", "complaint"),
    [
        (np.zeros((5, 2, 8)), None, None, "number of features"),
        (np.zeros((5, 7)), None, None, "another rank"),
        (np.zeros((5, 2, 7)), [5], None, r"sequence_lens must be \[B\]"),
        (np.zeros((5, 2, 7)), [5, 6], None, "between 0 and T"),
        (np.zeros((5, 2, 7)), [-1, 5], None, "between 0 and T"),
        (np.zeros((5, 2, 7)), None, np.zeros((2, 19)), r"must be \[B, H\]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    x: Any, lengths: Any, initial: Any, complaint: str
) -> None:
    as_given = None if lengths is None else np.array(lengths, np.int32)
    start = None if initial is None else initial.astype(np.float32)
    content, feeds = node_model(as_given, start)
    with pytest.raises(Exception, match=complaint):
        opened(content).run(None, {"X": x.astype(np.float32), **feeds})


def test_rows_without_steps_and_empty_batches_have_states_of_zero() -> None:
    content, feeds = node_model(np.array([0, 3], np.int32), np.ones((2, 20), np.float32))
    x = numbers(np.random.default_rng(0), 3, 2, 7)
    (last,) = opened(content).run(None, {"X": x, **feeds})
    assert not last[0].any()
    assert last[1].any()
    content, _ = node_model()
    (last,) = opened(content).run(None, {"X": np.zeros((3, 0, 7), np.float32)})
    assert last.shape == (0, 20)
    (last,) = opened(content).run(None, {"X": np.zeros((0, 2, 7), np.float32)})
    assert not last.any()


# --- Our own runner ---


def test_our_runner_registers_the_library(tmp_path) -> None:
    graph = integer_cell("gru")
    path = tmp_path / "m.onnx"
    path.write_bytes(content_of(graph))
    x = numbers(np.random.default_rng(0), 2, 9, 7)
    with open_device("cpu") as device:
        answer = run_cases(device, path, "onnx", [{"x": x}])
    assert isinstance(answer, Outputs), answer
    np.testing.assert_array_equal(answer.cases[0]["y"], integer.run(graph, {"x": x})["y"])


def test_only_files_that_import_the_operators_need_the_library(tmp_path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content_of(integer_cell("gru")))
    assert sessions.needs_edgernn(str(path))
    path.write_bytes(lower(integer_cell("gru"), metadata={"source": "org.edgernn"}).content)
    assert not sessions.needs_edgernn(str(path))


def test_where_the_library_was_not_built_the_remedy_is_told(monkeypatch) -> None:
    monkeypatch.setattr(operators, "EXTENSION_SUFFIXES", [])
    with pytest.raises(MissingRuntime, match=r"not built .* Install a C compiler"):
        operators.library_path()
    with pytest.raises(sessions.OperatorsMissing, match=r"needs edgernn's operators.*C compiler"):
        sessions.edgernn_operators()


def test_another_python_without_edgernn_skips_the_file(tmp_path) -> None:
    """In a Python that has ONNX Runtime only, as on a board."""
    path = tmp_path / "m.onnx"
    path.write_bytes(content_of(integer_cell("gru")))

    class Hiding:
        """The device's Python does not find edgernn: the package is hidden from it."""

        def __init__(self, device: Any) -> None:
            self._device = device
            self.name, self.python = device.name, device.python

        def run(self, argv: Any, *, timeout_s: float) -> Any:
            hide = (
                "import sys; sys.modules['edgernn'] = None; import runpy; sys.argv = sys.argv[1:]"
            )
            code = f"{hide}; runpy.run_path(sys.argv[0], run_name='__main__')"
            return self._device.run([argv[0], "-c", code, *argv[1:]], timeout_s=timeout_s)

        def push(self, local: Any, remote: str) -> None:
            self._device.push(local, remote)

        def pull(self, remote: str, local: Any) -> None:
            self._device.pull(remote, local)

    with open_device("cpu") as device:
        answer = run_cases(Hiding(device), path, "onnx", [{"x": np.zeros((1, 2, 7), np.float32)}])  # type: ignore[arg-type]
    assert isinstance(answer, Skipped), answer
    assert answer.reason.startswith("the file needs edgernn's operators")
