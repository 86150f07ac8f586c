"""Google's benchmark_model: what its output says, in the manner of several of its versions."""

from __future__ import annotations

import pytest

from edgernn.devices import open_device
from edgernn.devices.runners.benchmark_tool import BenchmarkTool, read_benchmark
from edgernn.devices.runners.outcome import Skipped
from edgernn.devices.runners.runner import MeasureMemory, Model
from edgernn.graph import DecoderStep

#: Statistics without percentiles, no prefix; one warm-up run has no mean of its own.
OLD = """\
STARTING!
Num threads: [1]
Graph: [m.tflite]
Loaded model m.tflite
The input model file size (MB): 0.080
Initialized session in 1.5ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds.
count=1 curr=4200

Running benchmark for at least 50 iterations and at least 1 seconds.
count=50 first=410 curr=400 min=390 max=900 avg=420.5 std=12

Average inference timings in us: Warmup: 4200, Init: 1500, Inference: 420.5
"""
#: The last line of sums, still without percentiles.
MIDDLE = (
    OLD.rsplit("\n", 2)[0]
    + """
Inference timings in us: Init: 1500, First inference: 4200, Warmup (avg): 4.2e+03, \
Inference (avg): 420.5
Note: as the benchmark tool itself affects memory footprint, this is only APPROXIMATE.
Memory footprint delta from the start of the tool (MB): init=1.5 overall=2.25
Overall peak memory footprint (MB) via periodic monitoring: 7.5
"""
)
NEW = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Graph: [./m.tflite]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Initialized session in 2.25ms.
INFO: Running benchmark for at least 1 iterations and at least 0.1 seconds but terminate if \
exceeding 150 seconds.
INFO: count=9 first=871 curr=516 min=516 max=871 avg=581.4 std=11 p5=516 median=519 p95=871

INFO: Running benchmark for at least 10 iterations and at least 1 seconds.
INFO: count=1000 first=521 curr=497 min=490 max=1e+04 avg=637.4 std=607 p5=496 median=518 p95=686

INFO: Inference timings in us: Init: 2250, First inference: 871, Warmup (avg): 581.4, \
Inference (avg): 637.4
INFO: Memory footprint delta from the start of the tool (MB): init=5 overall=9
"""


def test_the_newest_tells_the_median_and_the_number_of_calls():
    said = read_benchmark(NEW)
    assert said.typical_ms == pytest.approx(0.518)
    assert said.mean_ms == pytest.approx(0.6374)
    assert said.count == 1000
    assert said.init_ms == pytest.approx(2.25)
    assert said.first_ms == pytest.approx(0.871)
    assert said.warm_up_ms == pytest.approx(0.5814)
    assert said.peak_bytes is None


def test_without_a_median_the_mean_stands_for_it():
    said = read_benchmark(MIDDLE)
    assert said.median_ms is None
    assert said.typical_ms == pytest.approx(0.4205)
    assert said.warm_up_ms == pytest.approx(4.2)
    assert said.peak_bytes == 7.5 * 1024 * 1024


def test_the_oldest_has_no_line_of_sums_and_is_read_from_its_statistics():
    said = read_benchmark(OLD)
    assert said.init_ms == pytest.approx(1.5)
    assert said.first_ms == pytest.approx(4.2)
    assert said.typical_ms == pytest.approx(0.4205)
    assert said.count == 50


def test_lines_with_the_carriage_returns_of_a_terminal_are_the_same():
    assert read_benchmark(NEW.replace("\n", "\r\n")) == read_benchmark(NEW)


def test_lines_that_android_s_log_prefixes_are_the_same():
    assert read_benchmark(NEW.replace("INFO: ", "I tflite  : ")) == read_benchmark(NEW)


@pytest.mark.parametrize(
    "text",
    ["", "ERROR: Failed to load model m.tflite\nERROR: Benchmarking failed.\n", OLD[:250]],
)
def test_output_without_times_is_refused(text):
    with pytest.raises(ValueError, match="no times"):
        read_benchmark(text)


def test_a_model_that_needs_its_decoder_is_skipped_with_what_to_give(tmp_path):
    step = DecoderStep(file="d.tflite", input="t", output="p", start=0, stop=0, longest=9)
    model = Model(path=tmp_path / "e.tflite", backend="tflite", decoder=step)
    task = MeasureMemory(case={})
    with open_device("cpu") as device:
        answer = BenchmarkTool(tmp_path / "tool").run(device, model, task, timeout_s=1.0)
    assert isinstance(answer, Skipped)
    assert "e.tflite needs its decoder: give --android-runtime" in answer.reason
