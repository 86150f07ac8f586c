"""The words of each conclusion, at the values where they change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgernn.profile.measure import Plan
from edgernn.profile.report import Noise
from edgernn.report.sentences import sentences
from tests.edgernn.report import reports

LSTM_BYTES = 100_000


def sized(folder, gru_bytes: int, plan: Plan | None = None) -> str:
    """The sentence about a GRU of this size that is faster than an LSTM of LSTM_BYTES."""
    items = (reports.item("gru", "onnx", gru_bytes), reports.item("lstm", "onnx", LSTM_BYTES))
    return sentences(reports.measured(folder, items=items, plan=plan or Plan()))[0]


@pytest.mark.parametrize(
    ("gru_bytes", "size"),
    [
        (99_400, "1 % smaller"),
        (99_500, "equally large"),
        (100_500, "equally large"),
        (100_600, "1 % larger"),
        (199_000, "99 % larger"),
        (200_000, "2.00 × as large"),
        (310_000, "3.10 × as large"),
    ],
)
def test_the_size_is_said_in_percent_or_as_a_multiple(tmp_path, gru_bytes, size):
    assert f"the GRU is {size} and 1.20 ×" in sized(tmp_path, gru_bytes)


@pytest.mark.parametrize(
    ("gru_bytes", "size"),
    [
        (50_000, "50 % smaller than"),
        (100_000, "as large as"),
    ],
)
def test_the_size_alone_is_compared_with_the_other_model(tmp_path, gru_bytes, size):
    said = sized(tmp_path, gru_bytes, Plan(processes=3))
    assert f"the GRU is {size} the LSTM, and which is faster cannot be judged" in said


def test_formats_whose_speed_nobody_can_judge_share_a_sentence(tmp_path):
    items = (
        reports.item("gru", "onnx", 76_000),
        reports.item("lstm", "onnx", LSTM_BYTES),
        reports.item("gru", "tflite", 80_000),
        reports.item("lstm", "tflite", LSTM_BYTES),
    )
    measured = {
        f"{cell}.{suffix}": reports.MODELS[f"{cell}.onnx"]
        for cell in ("gru", "lstm")
        for suffix in ("onnx", "tflite")
    }
    plan = Plan(processes=3)
    report = reports.measured(tmp_path, items=items, models=measured, plan=plan)
    models = [one for one in sentences(report) if one.startswith("At equal units")]
    assert len(models) == 1
    assert "the GRU is 20 to 24 % smaller than the LSTM, and which is faster cannot" in models[0]
    assert "(onnx float32 and tflite float32); the accuracy difference" in models[0]


@pytest.mark.parametrize(
    ("gru_right", "lstm_right", "said"),
    [
        (990, 950, "its accuracy is 4.0 points higher, which is significant"),
        (950, 990, "its accuracy is 4.0 points lower, which is significant"),
        (990, 990, "both have the same accuracy"),
        (990, 988, "the accuracy difference, 0.2 points, is not significant"),
    ],
)
def test_the_accuracy_of_the_faster_model_is_compared(tmp_path, gru_right, lstm_right, said):
    models = {
        file: replace(reports.MODELS[file], compute=reports.wrong_from(right))
        for file, right in (("gru.onnx", gru_right), ("lstm.onnx", lstm_right))
    }
    first = sentences(reports.measured(tmp_path, models=models, items=reports.ITEMS[:2]))[0]
    assert said in first


def noise(folder, second_ms, processes: int = 5) -> str:
    """The sentence about two series: calls of 1 ms, and of these times, one for each process."""
    report = reports.measured(folder, items=reports.ITEMS[:1])
    (run, *_), device = report.cells[0].runs, report.cells[0].device
    first, second = (
        tuple(replace(run, hot_ms=(value,)) for value in series)
        for series in ([1.0] * processes, second_ms)
    )
    found = Noise(device=device, file="gru.onnx", first=first, second=second)
    return sentences(replace(report, noise=(found,)))[-1]


def test_noise_is_never_said_to_be_below_one_percent(tmp_path):
    assert noise(tmp_path, [1.0] * 5).endswith(
        "as long: differences below 1.0 % are within the noise here."
    )


def test_noise_is_the_far_end_of_its_interval(tmp_path):
    said = noise(tmp_path, [0.9, 0.95, 1.0, 1.05, 1.1])
    assert "differences below" in said
    assert "below 1.0 %" not in said


def test_two_series_that_differ_are_noise(tmp_path):
    assert noise(tmp_path, [2.0] * 5).endswith(
        "the difference is noise, so smaller differences are not reliable here."
    )


def test_noise_of_too_few_processes_is_not_judged(tmp_path):
    assert noise(tmp_path, [1.0] * 4, processes=4) == (
        "The noise of desk cannot be judged from fewer than 5 processes."
    )
