"""--benchmark-model: a stand-in for Google's tool, which is in no registry, speaks as it does."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.device import Choices
from edgernn.devices.runners import runner_for
from edgernn.devices.runners.outcome import Description, Failed, Memory, Skipped, Timing
from edgernn.devices.runners.runner import Describe, MeasureMemory, Model, RunCases, TimeCalls
from edgernn.profile.measure import Benchmark, Plan, measured
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import read_report
from tests.devices.models import FEATURES, tflite_sum

#: It insists on the file, on as many numbers as the shape says, and on what else it was given.
TOOL = """\
#!/system/bin/sh
for word; do
  case $word in
    --graph=*) graph=${word#*=} ;;
    --input_layer_value_files=*) values=${word#*input0:} ;;
    --input_layer_shape=*) shape=${word#*=} ;;
    --input_layer=input0|--num_threads=*|--warmup_min_secs=*|--min_secs=*|--num_runs=*) ;;
    --report_peak_memory_footprint=true) peak=1 ;;
    *) echo "ERROR: Unrecognized flag $word"; exit 1 ;;
  esac
done
[ -f "$graph" ] || { echo "ERROR: no $graph"; exit 1; }
if [ -n "$values" ]; then
  wanted=$((${shape//,/*} * 4)) found=$(wc -c < "$values")
  [ "$wanted" = "$found" ] || { echo "ERROR: $found bytes for $shape"; exit 1; }
fi
echo "INFO: STARTING!" >&2
echo "INFO: Initialized session in 1.5ms."
echo "INFO: count=3 first=900 curr=400 min=400 max=900 avg=600 std=9 p5=400 median=500 p95=900"
echo
echo "INFO: count=70 first=450 curr=400 min=390 max=990 avg=420 std=9 p5=400 median=410 p95=500"
echo
echo "INFO: Inference timings in us: Init: 1500, First inference: 900, Warmup (avg): 600, \
Inference (avg): 420"
[ -z "$peak" ] || echo "INFO: Overall peak memory footprint (MB) via periodic monitoring: 3.5"
"""
CASE = {"x": np.zeros((1, 6, FEATURES), np.float32)}


@pytest.fixture
def tool(tmp_path):
    path = tmp_path / "benchmark_model"
    path.write_text(TOOL)
    return path


@pytest.fixture
def model(tmp_path):
    return Model(path=tflite_sum(tmp_path / "it's.tflite"), backend="tflite")


@pytest.fixture
def spec(attach):
    return f"android:{attach().serial}"


@pytest.fixture
def asked(spec, tool, model):
    def ask(task):
        runner = runner_for("tflite")
        assert runner is not None
        with open_device(spec, Choices(benchmark_model=tool)) as device:
            return runner.run(device, model, task, timeout_s=60.0)

    return ask


def test_it_times_the_case_it_is_given_and_tells_sums(asked):
    answer = asked(TimeCalls(case=CASE, warm_up_s=0.1, min_time_s=0.5))
    assert isinstance(answer, Timing), answer
    assert not answer.per_call
    assert answer.hot_ms == pytest.approx((0.41,))
    assert answer.stride == 70
    assert answer.first_call_ms == pytest.approx(0.9)
    assert answer.process.load_ms == pytest.approx(1.5)


def test_what_it_keeps_to_itself_is_not_made_up(spec, tool, model):
    with open_device(spec, Choices(benchmark_model=tool)) as device:
        runs = [measured(device, model, CASE, Plan()) for _ in range(2)]
    hot = Benchmark(runs=tuple(runs)).hot  # type: ignore[arg-type]
    assert hot.p50_ms == pytest.approx(0.41)
    assert hot.calls == 140
    assert (hot.p90_ms, hot.p95_ms, hot.p99_ms, hot.mad_ms) == (None, None, None, None)


def test_memory_and_the_models_ports_are_told(asked):
    memory = asked(MeasureMemory(case=CASE))
    assert isinstance(memory, Memory), memory
    assert memory.peak_bytes == 3.5 * 1024 * 1024
    described = asked(Describe(read=("/proc/loadavg",)))
    assert isinstance(described, Description), described
    assert [port.name for port in described.inputs] == ["x"]
    assert "/proc/loadavg" in described.facts


def test_accuracy_and_paced_calls_are_skipped_with_what_to_give(asked):
    paced = TimeCalls(case=CASE, warm_up_s=0.1, min_time_s=0.5, period_ms=10.0)
    for task in (RunCases(cases=[CASE]), paced):
        answer = asked(task)
        assert isinstance(answer, Skipped), answer
        assert "--android-runtime tensorflow-lite.aar" in answer.reason


def test_a_tool_that_fails_is_a_failure_with_its_last_word(asked, tool):
    tool.write_text("#!/system/bin/sh\necho 'ERROR: Failed to load model'\nexit 1\n")
    answer = asked(Describe())
    assert isinstance(answer, Failed), answer
    assert "Failed to load model" in answer.reason


def test_a_profile_shows_what_it_tells_and_why_there_is_no_accuracy(
    spec, tool, model, edgernn, tmp_path
):
    report_file, data = tmp_path / "report.json", tmp_path / "data.npz"
    np.savez(data, x=np.ones((4, 6, FEATURES), np.float32), y=np.array([0, 1, 0, 1]))
    ran = edgernn(
        *("profile", model.path, "--device", spec, "--benchmark-model", tool, "--data", data),
        *("--processes", "2", "--allow-emulated-timing", "-o", report_file),
    )
    assert ran.code == 0, ran.err
    (row,) = rows_of(read_report(report_file))
    assert row.outcome == "measured"
    assert row.p50_ms == pytest.approx(0.41)
    assert (row.p95_ms, row.score) == (None, None)
    printed = " ".join(ran.out.split())  # lines are wrapped
    assert "The accuracy on the device is unknown: benchmark_model does not return" in printed
    assert "no percentiles" in printed
