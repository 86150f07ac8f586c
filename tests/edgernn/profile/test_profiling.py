"""The whole of a profile on the fake device: what is asked, in which order, and what is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.devices.device import Completed
from edgernn.devices.fake import FakeDevice, FakeModel
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.errors import DataError, IncomparableRuns
from edgernn.graph import State
from edgernn.profile import float_reference
from edgernn.profile.candidates import Candidate, find_candidates
from edgernn.profile.measure import Plan
from edgernn.profile.profiling import begun, profiled, resumed
from edgernn.profile.rows import rows_of
from edgernn.profile.workload import Workload
from edgernn.scoring.predictions import Predictions
from edgernn.tasks.npz import read_npz
from edgernn.tasks.samples import Samples

PLAN = Plan(processes=3)


@pytest.fixture
def candidates(tmp_path) -> tuple[Candidate, ...]:
    for name in ("a.onnx", "b.tflite"):
        (tmp_path / name).write_bytes(name.encode())
    return find_candidates([tmp_path])


@pytest.fixture
def samples():
    x = np.arange(8, dtype=np.float32).reshape(4, 2, 1)
    return Samples(name="data", x=x, y=np.array([0, 1, 1, 1]))


def over_half(case):
    """Class 1 when the sequence's last value is over 3."""
    return {"y": (case["x"][:, -1] > 3).astype(np.float32)}


def profile(device, candidates, *, plan=PLAN, workload=None, report=None):
    """All steps of a profile, the last with the finished report."""
    workload = workload or Workload()
    report = report or begun("2026-01-01T00:00:00+00:00", plan, workload)
    return list(profiled(report, device, candidates, workload))


def test_each_file_is_described_weighed_and_then_timed_in_turn(candidates):
    device = FakeDevice()
    profile(device, candidates)
    assert device.log == [
        *(("describe", "a.onnx"), ("memory", "a.onnx")),
        *(("describe", "b.tflite"), ("memory", "b.tflite")),
        *(("latency", "a.onnx"), ("latency", "b.tflite")),
        *(("latency", "b.tflite"), ("latency", "a.onnx")),
        *(("latency", "a.onnx"), ("latency", "b.tflite")),
    ]


def test_progress_tells_what_is_next_and_ends_where_it_said(candidates):
    steps = profile(FakeDevice(), candidates)
    assert [step.done for step in steps] == list(range(11))
    assert {step.total for step in steps} == {10}
    assert steps[4].next == "a.onnx: process 1 of 3"


def test_the_report_grows_with_each_process(candidates):
    runs = [
        sum(len(cell.runs) for cell in s.report.cells) for s in profile(FakeDevice(), candidates)
    ]
    assert runs == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]


def test_rows_hold_the_figures_of_the_device_to_the_digit(candidates, samples):
    model = FakeModel(
        hot_ms=((1.0, 2.0, 3.0), (2.0, 3.0, 4.0), (9.0, 9.0, 9.0)),
        paced_ms=(5.0, 7.0),
        deadlines_missed=1,
        compute=over_half,
    )
    device = FakeDevice(models={"a.onnx": model})
    plan = replace(PLAN, period_ms=8.0)
    steps = profile(device, candidates[:1], plan=plan, workload=Workload(samples=samples))
    (row,) = rows_of(steps[-1].report)
    assert (row.load_ms, row.first_call_ms, row.p50_ms) == (5.0, 1.5, 3.0)
    assert row.p95_ms == pytest.approx(9.0)
    assert (row.paced_p50_ms, row.deadlines_missed, row.duty_cycle) == (6.0, 3, 0.5)
    assert (row.peak_rss_bytes, row.rss_of_model_bytes) == (60_000_000, 10_000_000)
    assert (row.metric, row.score) == ("accuracy", 0.75)  # 1, 3, 5, 7 > 3: one of four is wrong
    assert row.score_low == pytest.approx(0.19412044968324357)
    assert (row.runtime, row.processes, row.outcome) == ("fake 1", 3, "measured")


def test_a_resumed_profile_measures_only_what_is_missing(candidates, samples):
    workload = Workload(samples=samples)
    device = FakeDevice(
        models={name: FakeModel(compute=over_half) for name in ("a.onnx", "b.tflite")}
    )
    steps = profile(device, candidates, workload=workload)
    half_done = steps[8].report
    device.log.clear()
    rest = profile(device, candidates, workload=workload, report=resumed(half_done, PLAN, workload))
    assert device.log == [
        *(("describe", "a.onnx"), ("describe", "b.tflite")),
        *(("latency", "b.tflite"), ("latency", "a.onnx")),
        *(("latency", "a.onnx"), ("latency", "b.tflite")),
    ]
    assert [len(cell.runs) for cell in rest[-1].report.cells] == [3, 3]
    assert rest[-1].report == steps[-1].report


def test_more_processes_may_be_added_later(candidates):
    report = profile(FakeDevice(), candidates)[-1].report
    more = resumed(report, replace(PLAN, processes=5), Workload())
    done = profile(FakeDevice(), candidates, report=more)[-1].report
    assert [len(cell.runs) for cell in done.cells] == [5, 5]


def test_another_plan_or_other_data_are_not_a_continuation(candidates, samples):
    report = profile(FakeDevice(), candidates)[-1].report
    with pytest.raises(IncomparableRuns, match=r"another plan: --threads was 1 and is 2\. Give"):
        resumed(report, replace(PLAN, threads=2), Workload())
    with pytest.raises(IncomparableRuns, match="other data"):
        resumed(report, PLAN, Workload(samples=samples))


def test_a_runtime_that_was_updated_meanwhile_does_not_spoil_what_was_measured(candidates):
    report = profile(FakeDevice(), candidates)[-1].report
    updated = {one.item.file: FakeModel(versions={"fake": "2"}) for one in candidates}
    more = resumed(report, replace(PLAN, processes=5), Workload())
    steps = profiled(more, FakeDevice(models=updated), candidates, Workload())
    seen = [more]
    with pytest.raises(IncomparableRuns, match="runtime versions"):
        seen.extend(step.report for step in steps)
    assert [cell.runs for cell in seen[-1].cells] == [cell.runs for cell in report.cells]


def test_another_length_of_made_up_sequences_is_not_a_continuation(candidates):
    report = profile(FakeDevice(), candidates, workload=Workload(steps=1000))[-1].report
    more = resumed(report, replace(PLAN, processes=5), Workload(steps=10))
    with pytest.raises(IncomparableRuns, match="Give the same --steps"):
        profile(FakeDevice(), candidates, report=more, workload=Workload(steps=10))


def test_a_failure_stays_told_until_it_is_tried_again(candidates):
    crash = Completed(exit_code=None, signal="SIGSEGV")
    device = FakeDevice(models={"a.onnx": FakeModel(ends={"describe": crash})})
    report = profile(device, candidates)[-1].report
    other = profile(FakeDevice(), candidates[1:], report=resumed(report, PLAN, Workload()))[-1]
    assert isinstance(other.report.cells[0].outcome, Failed)
    again = profile(FakeDevice(), candidates, report=resumed(report, PLAN, Workload()))[-1]
    assert again.report.cells[0].outcome is None
    assert len(again.report.cells[0].runs) == 3


def test_progress_on_an_emulator_counts_what_is_done_there(candidates, samples):
    marker = {"/etc/edgernn-emulated": "qemu-user\ncounter: /opt/count\n"}
    model = FakeModel(before=marker, compute=over_half)
    device = FakeDevice(models={one.item.file: model for one in candidates})
    steps = profile(device, candidates, workload=Workload(samples=samples))
    assert steps[-1].done == steps[-1].total == 6  # load, rows, instructions; twice
    assert steps[4].total == 6


def test_another_machine_under_the_same_name_is_not_a_continuation(candidates):
    report = profile(FakeDevice(), candidates)[-1].report
    with pytest.raises(IncomparableRuns, match="another machine now: node was fake and is other"):
        profile(FakeDevice(node="other"), candidates, report=resumed(report, PLAN, Workload()))


@pytest.mark.parametrize("task", ["describe", "memory", "latency"])
def test_a_crash_is_one_row_and_the_others_go_on(candidates, task):
    crash = Completed(exit_code=None, signal="SIGSEGV")
    device = FakeDevice(models={"a.onnx": FakeModel(ends={task: crash})})
    first, second = profile(device, candidates)[-1].report.cells
    assert first.outcome == Failed(reason="onnxruntime crashed (SIGSEGV)", signal="SIGSEGV")
    assert first.runs == ()
    assert (second.outcome, len(second.runs)) == (None, 3)
    assert device.log.count((task, "a.onnx")) == 1


def test_a_missing_runtime_is_skipped_and_tried_again_on_resume(candidates):
    missing = FakeDevice(models={"a.onnx": FakeModel(missing="onnxruntime: no module")})
    report = profile(missing, candidates)[-1].report
    assert isinstance(report.cells[0].outcome, Skipped)
    assert "pip install onnxruntime" in report.cells[0].outcome.reason
    again = profile(FakeDevice(), candidates, report=resumed(report, PLAN, Workload()))
    assert [(cell.outcome, len(cell.runs)) for cell in again[-1].report.cells] == [
        (None, 3),
        (None, 3),
    ]


def test_an_output_that_is_not_a_number_is_a_failure_that_names_the_row(candidates, samples):
    def broken(case):
        return {"y": np.where(case["x"][:, -1] > 5, np.nan, 1).astype(np.float32)}

    device = FakeDevice(models={"a.onnx": FakeModel(compute=broken)})
    cell = profile(device, candidates[:1], workload=Workload(samples=samples))[-1].report.cells[0]
    assert isinstance(cell.outcome, Failed)
    assert cell.outcome.reason == "output 'y' contains NaN or infinity for row 3 of the data"


def test_without_data_the_length_of_a_free_sequence_is_assumed_and_said(candidates):
    cell = profile(FakeDevice(), candidates, workload=Workload(steps=7))[-1].report.cells[0]
    assert (cell.assumed_steps, cell.shapes) == (7, (("x", (1, 7, 1)),))
    fixed = FakeDevice(models={"a.onnx": FakeModel(inputs={"x": (1, 4, 1)})})
    cell = profile(fixed, candidates)[-1].report.cells[0]
    assert (cell.assumed_steps, cell.shapes) == (None, (("x", (1, 4, 1)),))


def test_a_streaming_model_is_timed_on_one_step_and_its_states_are_not_data(candidates, samples):
    candidate = replace(
        candidates[0],
        item=replace(candidates[0].item, streaming=True),
        states=(State(input="h", output="h_next"),),
    )

    def step(case):
        assert set(case) == {"x"}
        return {"y": case["x"], "h_next": np.zeros((1, 5), np.float32)}

    inputs = {"x": (1, 1, 1), "h": (1, 5)}
    device = FakeDevice(models={"a.onnx": FakeModel(inputs=inputs, compute=step)})
    cell = profile(device, [candidate], workload=Workload(samples=samples))[-1].report.cells[0]
    assert cell.shapes == (("x", (1, 1, 1)),)
    assert cell.predictions is not None
    assert cell.predictions.classes == (1, 1, 1, 1)  # the last step's value is over one half


def test_data_for_a_model_of_several_inputs_are_refused(candidates, samples):
    device = FakeDevice(models={"a.onnx": FakeModel(inputs={"x": (1, 2, 1), "z": (1, 2, 1)})})
    with pytest.raises(DataError, match=r"takes 2 inputs \(x, z\)"):
        profile(device, candidates[:1], workload=Workload(samples=samples))


def test_data_that_fit_no_model_are_refused(candidates, samples):
    wide = FakeModel(inputs={"x": (1, None, 13)})
    device = FakeDevice(models={"a.onnx": wide, "b.tflite": wide})
    with pytest.raises(DataError, match=r"data does not fit a\.onnx"):
        profile(device, candidates, workload=Workload(samples=samples))
    assert {task for task, _ in device.log} == {"describe"}


def test_a_model_that_the_data_do_not_fit_is_one_row_and_the_others_go_on(candidates, samples):
    wide = FakeModel(inputs={"x": (1, None, 13)})
    device = FakeDevice(models={"a.onnx": wide, "b.tflite": FakeModel(compute=over_half)})
    workload = Workload(samples=samples)
    first, second = profile(device, candidates, workload=workload)[-1].report.cells
    assert isinstance(first.outcome, Failed)
    assert first.outcome.reason.startswith("data does not fit a.onnx: input 'x' has shape")
    assert first.runs == ()
    assert (second.outcome, len(second.runs)) == (None, 3)


@pytest.mark.parametrize(
    ("y", "labels"),
    [(["low", "high", "high", "high"], None), ([1, 0, 0, 0], ["high", "low"])],
    ids=["names in y", "labels in another order than the model's"],
)
def test_accuracy_goes_by_the_names_of_the_classes(candidates, samples, tmp_path, y, labels):
    path = tmp_path / "named.npz"
    np.savez(path, x=samples.x, y=np.array(y), **({"labels": labels} if labels else {}))
    device = FakeDevice(models={"a.onnx": FakeModel(compute=over_half)})
    candidate = replace(candidates[0], labels=("low", "high"))
    workload = Workload(samples=read_npz(path))
    report = profile(device, [candidate], workload=workload)[-1].report
    assert [row.score for row in rows_of(report)] == [0.75]


def test_names_of_classes_that_a_model_does_not_know_are_refused_before_it_is_run(
    candidates, samples
):
    named = replace(samples, labels=("high", "low"), named=True)
    device = FakeDevice(models={"a.onnx": FakeModel(compute=over_half)})
    with pytest.raises(DataError, match=r"names of the classes of a\.onnx are unknown"):
        profile(device, candidates[:1], workload=Workload(samples=named))
    assert device.log == [("describe", "a.onnx")]


def test_the_original_model_is_asked_once_where_its_file_is_at_hand(
    candidates, samples, monkeypatch
):
    asked = []

    def answers(source, given, _labels, _decoding):
        asked.append((source.name, len(given)))
        return Predictions(classes=(0, 1, 1, 1))

    monkeypatch.setattr(float_reference, "reference_predictions", answers)
    both = [
        replace(
            one, item=replace(one.item, source_sha256="abc"), source=one.path.with_suffix(".keras")
        )
        for one in candidates
    ]
    device = FakeDevice(models={one.item.file: FakeModel(compute=over_half) for one in both})
    workload = Workload(samples=samples)
    report = profile(device, both, workload=workload)[-1].report
    assert asked == [("a.keras", 4)]
    assert [row.agreement for row in rows_of(report)] == [0.75, 0.75]
    profile(device, both, workload=workload, report=resumed(report, PLAN, workload))
    assert len(asked) == 1


def test_an_emulated_device_is_asked_for_outputs_but_never_for_times_or_memory(candidates, samples):
    emulated = FakeModel(before={"/etc/edgernn-emulated": "qemu"}, compute=over_half)
    device = FakeDevice(models={"a.onnx": emulated, "b.tflite": emulated})
    report = profile(device, candidates, workload=Workload(samples=samples))[-1].report
    assert {task for task, _ in device.log} == {"describe", "outputs"}
    assert all(row.score is not None and row.p50_ms is None for row in rows_of(report))
