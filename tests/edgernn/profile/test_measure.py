"""Scheduling and summaries, to the digit, on the fake device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.devices.device import Completed
from edgernn.devices.fake import FakeDevice, FakeModel
from edgernn.devices.runners.outcome import Failed
from edgernn.devices.runners.runner import Model
from edgernn.errors import IncomparableRuns
from edgernn.profile.measure import (
    Benchmark,
    Plan,
    Run,
    interleaved,
    latency_ratio,
    measured,
    summary,
)

PLAN = Plan()
CASE = {"x": np.zeros((1, 4, 1), np.float32)}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"")
    return Model(path=path, backend="onnx")


def runs_of(model, plan=PLAN, count=1, **script):
    """Runs of a fake device that does what `script` (fields of FakeModel) says."""
    device = FakeDevice(models={model.path.name: FakeModel(**script)})
    return tuple(measured(device, model, CASE, plan) for _ in range(count))


def test_every_round_measures_each_once_and_begins_with_another():
    order = list(interleaved("abc", [0, 0, 0], 4))
    assert order == [
        *(("a", 0), ("b", 0), ("c", 0)),
        *(("b", 1), ("c", 1), ("a", 1)),
        *(("c", 2), ("a", 2), ("b", 2)),
        *(("a", 3), ("b", 3), ("c", 3)),
    ]


def test_who_has_runs_already_joins_in_the_round_after():
    order = list(interleaved("ab", [0, 2], 3))
    assert order == [("a", 0), ("a", 1), ("a", 2), ("b", 2)]


def test_nobody_is_measured_twice_too_often():
    assert list(interleaved("ab", [5, 9], 5)) == []
    assert list(interleaved("", [], 5)) == []


def test_a_run_keeps_calibration_and_warm_up_apart_from_what_counts(model):
    (run,) = runs_of(model, hot_ms=((3.0, 1.0, 2.0),), first_call_ms=9.0, load_ms=4.0)
    assert isinstance(run, Run)
    assert (run.load_ms, run.first_call_ms) == (4.0, 9.0)
    assert run.calibration_ms == run.warm_up_ms == (3.0,)
    assert run.hot_ms == (3.0, 1.0, 2.0)
    assert Benchmark(runs=(run,)).hot.calls == 3


def test_a_period_gives_a_paced_figure_beside_the_hot_one(model):
    script = {"hot_ms": ((1.0,),), "paced_ms": (4.0, 6.0), "deadlines_missed": 1}
    runs = runs_of(model, Plan(period_ms=10.0), count=2, **script)
    benchmark = Benchmark(runs=runs)
    assert benchmark.hot.p50_ms == 1.0
    assert benchmark.paced is not None
    assert benchmark.paced.p50_ms == 5.0
    assert (benchmark.period_ms, benchmark.deadlines_missed, benchmark.duty_cycle) == (10.0, 2, 0.5)


def test_without_a_period_nothing_is_paced(model):
    benchmark = Benchmark(runs=runs_of(model))
    assert (benchmark.paced, benchmark.period_ms, benchmark.deadlines_missed) == (None, None, None)


def test_the_median_is_that_of_the_processes_and_tails_are_of_all_calls():
    processes = [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [9.0, 9.0, 9.0, 9.0, 9.0, 9.0]]
    found = summary(processes)
    assert found.p50_ms == 2.0
    assert found.p99_ms == 9.0
    assert found.calls == 12
    assert found.per_second == 500.0


def test_the_summary_of_a_hundred_calls_to_the_digit():
    found = summary([list(np.arange(1.0, 101.0))])
    assert (found.p50_ms, found.p90_ms, found.p95_ms) == pytest.approx((50.5, 90.1, 95.05))
    assert found.p99_ms == pytest.approx(99.01)
    assert found.mad_ms == 25.0


def test_load_and_first_call_are_medians_over_processes(model):
    runs = tuple(
        run for load in (1.0, 2.0, 60.0) for run in runs_of(model, load_ms=load, first_call_ms=load)
    )
    assert Benchmark(runs=runs).load_ms == 2.0
    assert Benchmark(runs=runs).first_call_ms == 2.0


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("machine", lambda run: {"machine": replace(run.machine, node="other")}),
        ("machine", lambda run: {"machine": replace(run.machine, architecture="aarch64")}),
        ("runtime versions", lambda _run: {"versions": {"fake": "2"}}),
        ("threads", lambda _run: {"threads": 4}),
        ("CPUs", lambda _run: {"cpus": (3,)}),
    ],
)
def test_runs_that_differ_in_what_matters_are_not_put_together(model, what, change):
    (run,) = runs_of(model)
    with pytest.raises(IncomparableRuns, match=what):
        Benchmark(runs=(run, replace(run, **change(run))))


def test_runs_of_another_period_are_not_put_together(model):
    runs = (*runs_of(model, Plan(period_ms=10.0)), *runs_of(model, Plan(period_ms=20.0)))
    with pytest.raises(IncomparableRuns, match=r"period was 10\.0, then 20\.0"):
        Benchmark(runs=runs)


def test_a_benchmark_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        Benchmark(runs=())


def test_a_ratio_needs_the_same_machine_but_not_the_same_runtime(model):
    fast = Benchmark(runs=runs_of(model, count=5, hot_ms=((1.0,),)))
    slow = Benchmark(runs=runs_of(model, count=5, hot_ms=((3.0,),), versions={"other": "1"}))
    assert latency_ratio(slow, fast).estimate == 3.0
    elsewhere = [replace(run, machine=replace(run.machine, node="pi")) for run in slow.runs]
    with pytest.raises(IncomparableRuns, match="machine"):
        latency_ratio(Benchmark(runs=tuple(elsewhere)), fast)


def test_load_by_others_is_what_the_machine_did_beyond_us(model):
    # 1 s of wall time, of which our process used 1 CPU second.
    before = {"/proc/stat": "cpu 1000 0 0 0 0 0 0 10 0 0\n"}
    after = {"/proc/stat": "cpu 1250 0 0 0 0 0 0 40 0 0\n"}
    (run,) = runs_of(model, before=before, after=after)
    assert run.foreign_cpus == pytest.approx(1.5)
    assert run.stolen_cpus == pytest.approx(0.3)


def test_load_by_others_is_unknown_where_the_kernel_counts_in_longer_ticks(model):
    before, after = ({"/proc/stat": f"cpu {busy} 0 0 0 0 0 0 0 0 0\n"} for busy in (1000, 1103))
    (run,) = runs_of(model, before=before, after=after, wall_s=0.02)
    assert (run.foreign_cpus, run.stolen_cpus) == (None, None)


def test_load_by_others_is_unknown_where_the_system_the_system_does_not_tell(model):
    (run,) = runs_of(model)
    assert (run.foreign_cpus, run.stolen_cpus) == (None, None)


def test_a_crash_while_timing_is_a_value(model):
    crash = Completed(exit_code=None, signal="SIGBUS")
    (result,) = runs_of(model, ends={"latency": crash})
    assert result == Failed(reason="onnxruntime crashed (SIGBUS)", signal="SIGBUS")
