"""Ranges: what is seen, how intervals are drawn, what is refused, and the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.errors import CalibrationError, DataError
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.histogram import Histogram
from edgernn.export.quantization.ranges_file import read_ranges, write_ranges
from edgernn.graph import (
    AnyNotEqual,
    CalibrationMethod,
    Dense,
    GlobalPool1D,
    Graph,
    Gru,
    Input,
    Lstm,
    Output,
    PoolKind,
    TensorSpec,
)
from edgernn.reference import execute
from edgernn.reference.recurrent import GRU_TAPS, LSTM_TAPS
from edgernn.streaming import to_streaming

FEATURES, UNITS = 3, 4


def stack(seed: int = 0, *, gain: float = 1.0) -> Graph:
    rng = np.random.default_rng(seed)

    def weight(*shape: int) -> Any:
        return (gain * rng.normal(size=shape)).astype(np.float32)

    return Graph(
        name="stack",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, FEATURES))),),
        layers=(
            AnyNotEqual(name="masking", input="x", output="mask"),
            Gru(
                name="gru",
                input="x",
                mask="mask",
                output="g",
                state_h="gh",
                kernel=weight(FEATURES, 3 * UNITS),
                recurrent_kernel=weight(UNITS, 3 * UNITS),
                bias=weight(3 * UNITS),
                recurrent_bias=weight(3 * UNITS),
                return_sequences=True,
            ),
            Lstm(
                name="lstm",
                input="g",
                mask="mask",
                output="l",
                state_h="lh",
                state_c="lc",
                kernel=weight(UNITS, 4 * UNITS),
                recurrent_kernel=weight(UNITS, 4 * UNITS),
                bias=weight(4 * UNITS),
            ),
            Dense(name="head", input="l", output="y", kernel=weight(UNITS, 2), bias=weight(2)),
        ),
        outputs=(Output(name="y", edge="y"),),
    )


def samples(rows: int = 40, seed: int = 1) -> Any:
    x = np.random.default_rng(seed).normal(size=(rows, 9, FEATURES)).astype(np.float32)
    x[:, 7:] = 0  # padding, which the mask leaves out
    return x


def test_ranges_are_the_extremes_of_each_channel_of_each_edge() -> None:
    graph, x = stack(), samples()
    ranges = calibrate(graph, {"x": x})
    for name, value in execute(graph, {"x": x}).items():
        if name == "mask":
            assert name not in ranges.edges
            continue
        rows = value.reshape(-1, value.shape[-1])
        np.testing.assert_array_equal(ranges.edges[name].channel_low, rows.min(axis=0))
        np.testing.assert_array_equal(ranges.edges[name].channel_high, rows.max(axis=0))
        assert ranges.edges[name].low == rows.min()
        assert ranges.edges[name].high == rows.max()
    assert ranges.samples == len(x)


def test_the_inside_of_each_cell_is_seen() -> None:
    ranges = calibrate(stack(), {"x": samples()})
    assert set(ranges.cells["gru"]) == set(GRU_TAPS)
    assert set(ranges.cells["lstm"]) == set(LSTM_TAPS)
    c = ranges.cells["lstm"]["c"]
    assert c.channel_magnitude.shape == (UNITS,)
    assert c.channel_magnitude.max() == np.float32(c.magnitude)


def test_masked_steps_do_not_count_inside_cells() -> None:
    graph, x = stack(), samples()
    shorter = calibrate(graph, {"x": x[:, :7]})
    padded = calibrate(graph, {"x": x})
    for tap in GRU_TAPS:
        seen, expected = padded.cells["gru"][tap], shorter.cells["gru"][tap]
        np.testing.assert_allclose(seen.channel_high, expected.channel_high, rtol=1e-5, atol=1e-5)


def test_what_enters_a_sigmoid_or_tanh_is_cut_where_they_are_flat() -> None:
    ranges = calibrate(stack(gain=20.0), {"x": samples()})
    gate, candidate = ranges.cells["lstm"]["pre.f"], ranges.cells["lstm"]["pre.c"]
    assert (gate.low, gate.high) == (-8.0, 8.0)
    assert (candidate.low, candidate.high) == (-4.0, 4.0)
    assert gate.channel_magnitude.max() > 8
    assert ranges.cells["lstm"]["x.f"].high > 8


@pytest.mark.parametrize("method", list(CalibrationMethod))
def test_batches_do_not_show_in_the_result(method, monkeypatch) -> None:
    graph, x = stack(), samples()
    whole = calibrate(graph, {"x": x}, method=method)
    monkeypatch.setattr("edgernn.reference.batched.MOST_ROWS", 7)
    calls: list[tuple[int, int]] = []
    pieces = calibrate(
        graph, {"x": x}, method=method, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(7, 40), (14, 40), (21, 40), (28, 40), (35, 40), (40, 40)]
    for name, expected in whole.edges.items():
        found = pieces.edges[name]
        tolerance = 1e-5 if method is CalibrationMethod.MINMAX else 0.02 * expected.magnitude
        assert found.high == pytest.approx(expected.high, abs=tolerance)
        assert found.low == pytest.approx(expected.low, abs=tolerance)


def test_percentile_leaves_an_outlier_out() -> None:
    graph, x = stack(), samples(rows=800)
    x[3, 2, 1] = 60.0
    assert calibrate(graph, {"x": x}).edges["x"].high == 60
    drawn = calibrate(graph, {"x": x}, method=CalibrationMethod.PERCENTILE).edges["x"]
    assert 2 < drawn.high < 6
    assert drawn.channel_high.max() == 60


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    scales=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5),
)
def test_a_histogram_counts_everything_however_its_span_grew(seed, scales) -> None:
    rng = np.random.default_rng(seed)
    histogram = Histogram()
    parts = [(scale * rng.normal(size=200)).astype(np.float32) for scale in scales]
    for part in parts:
        histogram.add(part)
    values = np.concatenate(parts)
    assert histogram.counts.sum() == values.size
    low, high = histogram.interval(CalibrationMethod.PERCENTILE)
    bin_width = 2 * histogram.span / histogram.counts.size
    assert low <= np.quantile(values, 0.01) + bin_width
    assert high >= np.quantile(values, 0.99) - bin_width


def test_the_mse_interval_has_the_least_error_of_all() -> None:
    values = np.random.default_rng(0).laplace(size=100_000).astype(np.float32)
    histogram = Histogram()
    histogram.add(values)
    _, chosen = histogram.interval(CalibrationMethod.MSE)

    def error(threshold: float) -> float:
        step = threshold / 127
        rounded = np.clip(np.round(values / step), -127, 127) * step
        return float(np.square(rounded - values).mean())

    best = min(error(threshold) for threshold in np.linspace(2, np.abs(values).max(), 100))
    assert error(chosen) <= 1.03 * best


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_data_that_are_not_finite_are_refused_with_their_row(bad) -> None:
    x = samples()
    x[17, 3, 0] = bad
    with pytest.raises(DataError, match=r"row 17 of input 'x' contains (NaN|infinity)"):
        calibrate(stack(), {"x": x})


def test_data_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(any, any, 3\), not \(40, 9, 4\)"):
        calibrate(stack(), {"x": np.zeros((40, 9, 4), np.float32)})


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_too_few_samples_are_refused(rows) -> None:
    with pytest.raises(CalibrationError, match=f"{rows} samples? (is|are) too few"):
        calibrate(stack(), {"x": samples()[:rows]})


def test_one_long_sequence_is_enough() -> None:
    x = np.random.default_rng(0).normal(size=(1, 1500, FEATURES)).astype(np.float32)
    assert calibrate(stack(), {"x": x}).samples == 1


def test_a_model_of_one_step_is_calibrated_as_a_stream() -> None:
    """From zero states alone nothing would be seen of what its memory does to it."""
    graph = without_mask(stack())
    x = samples(rows=40)[:, :1]
    at_rest = calibrate(graph, {"x": x}).cells["gru"]["h.h"]
    streamed = calibrate(to_streaming(graph), {"x": x}).cells["gru"]["h.h"]
    sequence = calibrate(graph, {"x": x.reshape(1, -1, FEATURES).repeat(8, axis=0)})
    assert streamed.magnitude > 1.5 * at_rest.magnitude
    assert streamed.magnitude >= 0.8 * sequence.cells["gru"]["h.h"].magnitude


def test_states_that_are_given_are_taken_as_they_are() -> None:
    graph = to_streaming(without_mask(stack()))
    states = {state.input: np.zeros((40, UNITS), np.float32) for state in graph.states}
    ranges = calibrate(graph, {"x": samples(rows=40)[:, :1], **states})
    assert all(ranges.edges[name].magnitude == 0 for name in states)


def without_mask(graph: Graph) -> Graph:
    layers = tuple(
        replace(layer, mask=None) if isinstance(layer, Gru | Lstm) else layer
        for layer in graph.layers
        if not isinstance(layer, AnyNotEqual)
    )
    return replace(graph, layers=layers)


def test_a_row_for_which_the_model_gives_nan_is_refused_with_the_layer() -> None:
    graph = stack()
    mean = GlobalPool1D(name="mean", input="g", mask="mask", output="m", kind=PoolKind.AVERAGE)
    graph = replace(graph, layers=(*graph.layers, mean), outputs=(Output(name="y", edge="m"),))
    x = samples()
    x[23] = 0  # masked from end to end
    with pytest.raises(CalibrationError, match=r"layer 'mean' returns NaN .* row 23"):
        calibrate(graph, {"x": x})


def test_constant_features_are_warned_of() -> None:
    x = samples()
    x[:, :, 1] = 0
    (warning,) = calibrate(stack(), {"x": x}).warnings
    assert "input 'x': feature 1 never changes" in warning
    assert calibrate(stack(), {"x": samples()}).warnings == ()


@pytest.mark.parametrize("value", [0, 3])
def test_an_input_that_never_changes_is_refused(value: int) -> None:
    x = np.full_like(samples(), value)
    with pytest.raises(CalibrationError, match="never change in input 'x'"):
        calibrate(stack(), {"x": x})


def test_one_input_of_several_may_be_the_same_in_all_rows() -> None:
    graph = stack()
    head = graph.layers[-1]
    assert isinstance(head, Dense)
    side = Input(name="age", spec=TensorSpec(shape=(None, UNITS)))
    graph = replace(
        graph,
        inputs=(*graph.inputs, side),
        layers=(*graph.layers, replace(head, name="d", input="age", output="z")),
        outputs=(*graph.outputs, Output(name="z", edge="z")),
    )
    x, age = samples(), np.full((40, UNITS), 30, np.float32)
    (warning,) = calibrate(graph, {"x": x, "age": age}).warnings
    assert "input 'age': feature 0, 1, 2, 3 never changes" in warning
    with pytest.raises(CalibrationError, match="never change in input 'x', 'age'"):
        calibrate(graph, {"x": np.ones_like(x), "age": age})


def test_ranges_survive_their_file(tmp_path: Path) -> None:
    graph = stack()
    ranges = calibrate(graph, {"x": samples()}, method=CalibrationMethod.PERCENTILE)
    write_ranges(tmp_path / "ranges.json", ranges)
    again = read_ranges(tmp_path / "ranges.json", graph)
    assert (again.method, again.samples, again.warnings) == (
        ranges.method,
        ranges.samples,
        ranges.warnings,
    )
    for name, expected in ranges.edges.items():
        assert again.edges[name].low == expected.low
        np.testing.assert_array_equal(again.edges[name].channel_high, expected.channel_high)
    assert set(again.cells["lstm"]) == set(LSTM_TAPS)


def test_ranges_of_another_graph_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    write_ranges(path, calibrate(stack(seed=0), {"x": samples()}))
    with pytest.raises(CalibrationError, match="another model"):
        read_ranges(path, stack(seed=1))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"edgernn-ranges"', '"something"'),
        lambda text: text.replace('"version":1', '"version":99'),
        lambda text: text.replace('"low":', '"lower":'),
        lambda _: json.dumps([1, 2]),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage) -> None:
    path = tmp_path / "ranges.json"
    write_ranges(path, calibrate(stack(), {"x": samples()}))
    path.write_text(damage(path.read_text()))
    with pytest.raises(CalibrationError, match="not a file of ranges"):
        read_ranges(path, stack())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_ranges(tmp_path / "none.json", stack())
