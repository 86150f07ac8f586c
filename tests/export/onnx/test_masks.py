"""Masks of every shape: random ones, and those at the borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgernn.export.cases import Case
from edgernn.export.onnx import lower
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import ApplyMask, Graph, Gru, Lstm, NotEqual, Recurrent, SimpleRnn
from edgernn.reference import run as run_reference
from edgernn.scheme import Scheme
from tests.export.onnx.agreement import run, session
from tests.export.onnx.models import (
    FEATURES,
    UNITS,
    booleans,
    cell,
    floats,
    graph_of,
    numbers,
    sequence,
    states_of,
    tokens,
)

Mask = npt.NDArray[np.bool_]

RECURRENT = {"GRU", "LSTM", "RNN", "DynamicQuantizeLSTM"}

_MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(1, 9)))


def _graph(kind: type[Recurrent], *, backward: bool, zero: bool) -> Graph:
    """Outputs at each step, the last one, and states, from initial states, under any mask."""
    states = ["initial_h", "initial_c"] if kind is Lstm else ["initial_h"]
    common: dict[str, Any] = {
        "mask": "mask",
        "go_backwards": backward,
        "zero_output_for_mask": zero,
        **{name: name for name in states},
    }
    each = cell(kind, "each", return_sequences=True, **common)
    last = cell(kind, "last", **common)
    above = cell(kind, "above", "each", features=UNITS, return_sequences=True, mask="mask")
    inputs = [sequence(), booleans("mask", None, None), *(floats(n, None, UNITS) for n in states)]
    return graph_of(inputs, each, last, above, outputs=["each", "last", "above", *states_of(last)])


@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("zero", [False, True])
def test_any_mask_skips_its_steps(kind: type[Recurrent], backward: bool, zero: bool) -> None:
    graph = _graph(kind, backward=backward, zero=zero)
    opened = session(lower(graph, metadata={}).content)

    @settings(max_examples=25, deadline=None)
    @given(_MASKS)
    @example(np.zeros((1, 1), np.bool_))
    @example(np.zeros((3, 5), np.bool_))
    @example(np.ones((2, 4), np.bool_))
    @example(np.array([[True, True, False], [False, False, False], [False, False, True]]))
    def agrees(mask: Mask) -> None:
        batch, steps = mask.shape
        inputs: Mapping[str, npt.NDArray[np.generic]] = {
            "x": numbers(batch, steps, FEATURES, scale=1),
            "mask": mask,
            **{
                entry.name: numbers(batch, UNITS, seed=position)
                for position, entry in enumerate(graph.inputs[2:])
            },
        }
        actual = run(opened, inputs)
        for name, wanted in run_reference(graph, inputs).items():
            np.testing.assert_allclose(actual[name], wanted, atol=2e-6)

    agrees()


def test_padded_tokens_are_skipped_and_cost_nothing() -> None:
    """Garbage at masked steps, even NaN, never reaches the result."""
    graph = graph_of(
        [sequence(), tokens("words", None, None)],
        NotEqual(name="mask", input="words", output="mask"),
        cell(Gru, mask="mask", return_sequences=True),
    )
    x = numbers(2, 6, FEATURES)
    words = np.array([[3, 1, 0, 0, 2, 0], [0, 0, 0, 5, 5, 5]], np.int32)
    spoiled = np.where(words[:, :, None] == 0, np.float32("nan"), x)
    opened = session(lower(graph, metadata={}).content)
    clean = Case(name="clean", inputs={"x": x, "words": words})
    (expected,) = run_reference(graph, clean.inputs).values()
    (actual,) = run(opened, {"x": spoiled, "words": words}).values()
    np.testing.assert_allclose(actual, expected, atol=2e-6)


@pytest.mark.parametrize("scheme", [Scheme.DYNAMIC, Scheme.FLOAT32])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
def test_a_row_of_padding_spoils_no_other_row_in_any_batch_or_call(
    kind: type[Recurrent], threads: int, scheme: Scheme
) -> None:
    """DynamicQuantizeLSTM read memory of an earlier call where a length was 0."""
    forward = cell(kind, "forward", units=24, features=16, mask="mask", return_sequences=True)
    back = cell(kind, "back", units=24, features=16, mask="mask", go_backwards=True)
    graph = graph_of(
        [floats("x", None, None, 16), tokens("words", None, None)],
        NotEqual(name="mask", input="words", output="mask"),
        forward,
        back,
        outputs=["forward", "back"],
    )
    written = quantize(graph, None, scheme) if scheme is not Scheme.FLOAT32 else graph
    opened = session(lower(written, metadata={}).content, threads=threads)
    for batch in range(1, 10):
        x = numbers(batch, 12, 16, scale=1)
        words = np.ones((batch, 12), np.int32)
        words[:, 9:] = 0
        words[batch // 2] = 0
        expected = run_reference(written, {"x": x, "words": words})
        for _ in range(8):
            actual = run(opened, {"x": x, "words": words})
            for name, wanted in expected.items():
                error = np.abs(actual[name] - wanted).max()
                assert error <= (0.05 if scheme is Scheme.DYNAMIC else 4e-6), (batch, name)


@pytest.mark.parametrize("kind", [Gru, Lstm])
@pytest.mark.parametrize("units", [24, 160])  # a GRU of 160 is an int8 loop
@pytest.mark.parametrize("steps", [1, 12])
@pytest.mark.parametrize("zeroed", [False, True])
def test_a_padding_of_minus_999_coarsens_no_integer_product(
    kind: type[Recurrent], units: int, steps: int, zeroed: bool
) -> None:
    """One scale for a whole call would follow it, as after Masking(-999) or beside a mask."""
    mask = NotEqual(name="mask", input="words", output="mask")
    zeros = ApplyMask(name="zeroed", input="x", mask="mask", output="zeroed")
    layer = cell(
        kind, "layer", "zeroed" if zeroed else "x", units=units, features=16, mask="mask",
        return_sequences=True,
    )  # fmt: skip
    graph = graph_of(
        [floats("x", None, steps, 16), tokens("words", None, steps)],
        *([mask, zeros] if zeroed else [mask]),
        layer,
        outputs=["layer"],
    )
    written = quantize(graph, None, Scheme.DYNAMIC)
    opened = session(lower(written, metadata={}).content)
    words = np.ones((5, steps), np.int32)
    words[::2, steps // 2 :] = 0
    hidden, x = words[:, :, None] == 0, numbers(5, steps, 16, scale=1)
    (actual,), (wanted,) = (
        run(opened, {"x": np.where(hidden, np.float32(padding), x), "words": words}).values()
        for padding in (-999, 0)
    )
    np.testing.assert_array_equal(actual, wanted)


def test_steps_are_sorted_by_distinct_keys() -> None:
    """Equal keys of TopK come in any order from OpenVINO."""
    graph = graph_of(
        [sequence(), booleans("mask", None, None)], cell(Gru, mask="mask", return_sequences=True)
    )
    model = onnx.load_model_from_string(lower(graph, metadata={}).content)
    topk = next(node for node in model.graph.node if node.op_type == "TopK")
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(topk.input[0], 7, None))
    opened = session(model.SerializeToString())
    (keys,) = opened.run(None, {"x": numbers(2, 6, FEATURES), "mask": np.eye(2, 6, dtype=bool)})
    assert all(len(set(row)) == 6 for row in keys)


@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
@pytest.mark.parametrize("scheme", [Scheme.DYNAMIC, Scheme.FLOAT32])
def test_no_operator_is_given_a_length_of_zero(kind: type[Recurrent], scheme: Scheme) -> None:
    graph = graph_of([sequence(), booleans("mask", None, None)], cell(kind, mask="mask"))
    written = quantize(graph, None, scheme) if scheme is not Scheme.FLOAT32 else graph
    model = onnx.load_model_from_string(lower(written, metadata={}).content)
    lengths = {node.input[4] for node in model.graph.node if node.op_type in RECURRENT}
    assert lengths or scheme is Scheme.DYNAMIC  # a GRU of integers is a Scan
    for name in lengths:
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, 6, None))
        opened = session(model.SerializeToString())
        mask = np.array([[True, True], [False, False], [True, False]])
        (given,) = opened.run(None, {"x": numbers(3, 2, FEATURES), "mask": mask})
        np.testing.assert_array_equal(given, [2, 1, 1])


@pytest.mark.parametrize("profile", ["default", "portable"])
@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("zero", [False, True])
def test_a_runtime_that_ignores_lengths_gives_the_same(
    kind: type[Recurrent], backward: bool, zero: bool, profile: str
) -> None:
    """OpenVINO 2026.4 and ONNX's reference evaluator do; but for the final c of an LSTM."""
    graph = _graph(kind, backward=backward, zero=zero)
    if profile == "default":
        graph = replace(graph, outputs=tuple(o for o in graph.outputs if not _is_final_c(o.edge)))
    model = onnx.load_model_from_string(lower(graph, metadata={}, profile=profile).content)
    for node in model.graph.node:
        assert not any(entry.s == b"reverse" for entry in node.attribute)
        if node.op_type in RECURRENT and len(node.input) > 4:
            assert profile == "default" or not node.input[4]
            node.input[4] = ""
    opened = session(model.SerializeToString())
    mask = np.array(
        [[True, True, False, True], [False] * 4, [False, False, True, True], [True] * 4]
    )
    inputs: Mapping[str, npt.NDArray[np.generic]] = {
        "x": numbers(4, 4, FEATURES, scale=1),
        "mask": mask,
        **{entry.name: numbers(4, UNITS, seed=i) for i, entry in enumerate(graph.inputs[2:])},
    }
    actual = run(opened, inputs)
    for name, wanted in run_reference(graph, inputs).items():
        np.testing.assert_allclose(actual[name], wanted, atol=2e-6, err_msg=name)


def _is_final_c(edge: str) -> bool:
    return edge.endswith(".c")
