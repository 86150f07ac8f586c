"""When a measurement deserves a caution, and when it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.fake import FakeModel
from edgernn.devices.runners.outcome import Skipped
from edgernn.profile.candidates import Candidate
from edgernn.profile.cautions import Caution
from edgernn.profile.judgement import cautions, disturbances, shared_cautions
from edgernn.profile.measure import Plan
from edgernn.profile.profiling import begun, profiled
from edgernn.profile.report import Noise
from edgernn.profile.workload import Workload
from tests.edgernn.report import reports

#: 5 processes of 200 quiet calls on a machine of its own.
QUIET = {"hot_ms": [[1.0, 1.01] * 100], "first_call_ms": 1.5, "compute": reports.wrong_from(990)}
GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
FREQUENCY = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"


def stat(busy: int, stolen: int = 0) -> str:
    return f"cpu {busy} 0 0 0 0 0 0 {stolen} 0 0\n"


def throttled(word: int):
    return {"vcgencmd get_throttled": f"throttled={word:#x}\n"}


def found(tmp_path, plan=None, items=None, samples=reports.SAMPLES, **script):
    items = items or [reports.item("gru", "onnx", 1000)]
    models = {one.file: FakeModel(**{**QUIET, **script}) for one in items}
    report = reports.measured(
        tmp_path, models=models, items=items, plan=plan or Plan(), samples=samples
    )
    return {one.caution: one for one in cautions(report.cells[0], report)}


def test_a_quiet_measurement_deserves_none(tmp_path):
    quiet_machine = {GOVERNOR: "performance\n", FREQUENCY: "1500000\n", "/proc/stat": stat(100)}
    after = {**quiet_machine, "/proc/stat": stat(200)}
    assert found(tmp_path, before=quiet_machine, after=after) == {}


@pytest.mark.parametrize(
    ("caution", "script", "figure"),
    [
        (Caution.FIRST_CALL_SLOW, {"first_call_ms": 6.03}, "6 times"),
        (Caution.PROCESSES_DISAGREE, {"hot_ms": [[1.0] * 200, [1.2] * 200]}, "20 %"),
        (Caution.LONG_TAIL, {"hot_ms": [[1.0] * 90 + [3.5] * 10] * 2}, "3.5 times"),
        (Caution.FEW_VALUES, {"hot_ms": [[1.0] * 99]}, "495 calls"),
        (Caution.GOVERNOR, {"before": {GOVERNOR: "powersave\n"}}, "'powersave'"),
        (
            Caution.FREQUENCY_CHANGED,
            {"before": {FREQUENCY: "1500000\n"}, "after": {FREQUENCY: "600000\n"}},
            "from 1500 to 600 MHz",
        ),
        (Caution.THROTTLED, {"after": {"vcgencmd get_throttled": "throttled=0x4\n"}}, "0x4"),
        (Caution.UNDER_VOLTAGE, {"after": {"vcgencmd get_throttled": "throttled=0x1\n"}}, "0x1"),
        (
            Caution.THROTTLED_MEANWHILE,
            {"before": throttled(0x80000), "after": throttled(0xE0000)},
            "0x80000, then 0xe0000",
        ),
        (
            Caution.THROTTLED_BEFORE,
            {"before": throttled(0x50000), "after": throttled(0x50000)},
            "throttle word 0x50000",
        ),
        (
            Caution.UNDER_VOLTAGE_MEANWHILE,
            {"before": throttled(0x0), "after": throttled(0x10000)},
            "0x0, then 0x10000",
        ),
        (
            Caution.GOVERNOR_CHANGED,
            {"before": {GOVERNOR: "performance\n"}, "after": {GOVERNOR: "\n"}},
            "from 'performance' to ''",
        ),
        (
            Caution.FOREIGN_LOAD,
            {"before": {"/proc/stat": stat(0)}, "after": {"/proc/stat": stat(230)}},
            "1.3 CPUs",  # 2.3 s busy in 1 s, 1 s of it ours
        ),
        (
            Caution.STOLEN_TIME,
            {"before": {"/proc/stat": stat(0)}, "after": {"/proc/stat": stat(100, 7)}},
            "7 %",
        ),
    ],
)
def test_each_disturbance_is_noticed_alone_and_tells_its_figure(tmp_path, caution, script, figure):
    noticed = found(tmp_path, **script)
    assert set(noticed) == {caution}
    assert figure in noticed[caution].sentence


@pytest.mark.parametrize(
    ("caution", "plan", "script", "figure"),
    [
        (Caution.FEW_PROCESSES, Plan(processes=4), {}, "significant: 4."),
        (Caution.MORE_THREADS_THAN_CPUS, Plan(threads=5), {}, "more threads (5) than CPUs (4)"),
        (
            Caution.MORE_THREADS_THAN_CPUS,
            Plan(threads=2, cpus=(3,)),
            {},
            "more threads (2) than CPUs (1)",
        ),
        (
            Caution.SLOWER_WHEN_PACED,
            Plan(period_ms=10.0),
            {"paced_ms": [4.02] * 50},
            "once every 10.0 ms, a call takes 4.0 times",
        ),
        (
            Caution.DEADLINES_MISSED,
            Plan(period_ms=10.0),
            {"paced_ms": [1.0] * 50, "deadlines_missed": 2},
            "10 of 250 calls missed their deadline of 10.0 ms",
        ),
    ],
)
def test_a_plan_can_be_its_own_disturbance(tmp_path, caution, plan, script, figure):
    noticed = found(tmp_path, plan=plan, **script)
    assert set(noticed) == {caution}
    assert figure in noticed[caution].sentence


def test_an_assumed_length_is_said(tmp_path):
    noticed = found(tmp_path, samples=None)
    assert noticed[Caution.ASSUMED_STEPS].sentence.endswith("100 steps were assumed.")


def test_few_rows_make_an_accuracy_vague(tmp_path):
    few = reports.SAMPLES.rows(np.arange(50), name="few")
    noticed = found(tmp_path, samples=few, compute=reports.wrong_from(40))
    assert set(noticed) == {Caution.FEW_TEST_ROWS}
    assert noticed[Caution.FEW_TEST_ROWS].sentence == (
        "On 50 test rows the 95 % interval of the accuracy is wide: [66.3, 90.0] % right."
    )


@pytest.mark.parametrize(
    ("steps", "caution", "begins"),
    [
        (1, Caution.SEQUENCES_CUT, "500 of 1,000 sequences lost steps: the model takes 1, the"),
        (
            3,
            Caution.SEQUENCES_PADDED,
            "1,000 of 1,000 sequences were filled up with zeros, from 2 steps to 3.",
        ),
    ],
)
def test_sequences_that_were_made_to_fit_are_counted(tmp_path, steps, caution, begins):
    x = np.arange(2000, dtype=np.float32).reshape(1000, 2, 1)
    x[:500, 0] = 0  # padding
    samples = replace(reports.SAMPLES, x=x, baselines=None)
    noticed = found(tmp_path, samples=samples, inputs={"x": (1, steps, 1)})
    assert noticed[caution].sentence.startswith(begins)
    assert f"sequences of {steps} steps" in noticed[caution].remedy


def test_the_fake_device_says_that_it_makes_figures_up_whatever_it_is_called(tmp_path):
    with open_device("fake:b") as device:
        item = reports.item("gru", "onnx", 1)
        (tmp_path / item.file).write_bytes(b"")
        candidate = Candidate(item=item, path=tmp_path / item.file)
        report = begun("2026-01-01T00:00:00+00:00", Plan(processes=1), Workload())
        report = list(profiled(report, device, [candidate], Workload()))[-1].report
    assert cautions(report.cells[0], report)[0].caution is Caution.INVENTED
    named_so = reports.measured(tmp_path, name="fakepi")
    assert Caution.INVENTED not in {one.caution for one in cautions(named_so.cells[0], named_so)}


def test_an_interrupted_cell_names_the_way_to_complete_it(tmp_path):
    report = reports.measured(tmp_path)
    cell = replace(report.cells[0], runs=report.cells[0].runs[:2])
    noticed = {one.caution: one for one in cautions(cell, report)}
    assert noticed[Caution.INTERRUPTED].sentence == "Only 2 of 5 processes were measured."
    assert "--resume" in noticed[Caution.INTERRUPTED].remedy
    assert Caution.FEW_PROCESSES not in noticed


def test_a_caution_that_files_share_is_told_once_by_its_worst_case(tmp_path):
    items = [reports.item(name, "onnx", 1000) for name in ("a", "b", "c")]
    models = {
        f"{name}.onnx": FakeModel(**{**QUIET, "first_call_ms": first})
        for name, first in (("a", 7.0), ("b", 30.0), ("c", 1.0))
    }
    report = reports.measured(tmp_path, models=models, items=items)
    (shared,) = shared_cautions(report)
    assert shared.sentence == (
        "b.onnx: The first call took 30 times as long as a steady one. (Also: a.onnx.)"
    )


def test_every_caution_is_a_sentence_and_has_a_remedy():
    for caution in Caution:
        sentence, remedy = caution.value
        assert sentence[0].isupper() or sentence[0] == "{"
        assert sentence.endswith(".")
        assert remedy.endswith(".")


def test_little_noise_is_told_and_believed(tmp_path):
    # Significant, since the fake device repeats to the digit, and too little to matter.
    items = [reports.item("gru", "onnx", 1000)]
    a, b = [1.0] * 200, [1.01] * 200
    times = [*[a] * 5, a, b, b, a, a, b, b, a, a, b]
    models = {"gru.onnx": FakeModel(hot_ms=times, compute=reports.wrong_from(990))}
    report = reports.measured(tmp_path, models=models, items=items, plan=Plan(check_noise=True))
    assert report.noise[0].ratio.significant
    assert disturbances(report.cells[0], report) == ()


def test_cautions_of_several_devices_are_told_for_each(tmp_path):
    items = [reports.item("gru", "onnx", 1000)]
    report = None
    for name, governor in (("pi", "powersave"), ("phone", "schedutil"), ("desk", "performance")):
        model = FakeModel(**QUIET, before={GOVERNOR: f"{governor}\n"})
        report = reports.measured(
            tmp_path, models={"gru.onnx": model}, items=items, name=name, report=report
        )
    assert report is not None
    said = [one.sentence for one in shared_cautions(report)]
    assert [line.partition(":")[0] for line in said] == ["gru.onnx on pi", "gru.onnx on phone"]


def test_an_emulators_times_are_not_judged(tmp_path):
    marker = {"/etc/edgernn-emulated": "qemu-user"}
    items = [reports.item("gru", "onnx", 1000)]
    model = FakeModel(hot_ms=[[1.0] * 5 + [900.0]], before=marker)
    report = reports.measured(
        tmp_path, models={"gru.onnx": model}, items=items, plan=Plan(emulated_timing=True)
    )
    assert report.cells[0].runs
    found = {one.caution for one in cautions(report.cells[0], report)}
    assert found <= {Caution.EMULATED, Caution.FEW_TEST_ROWS}


def test_a_noise_check_that_fails_makes_all_times_of_its_device_unstable(tmp_path):
    # Calls of the second series take a fifth longer.
    items = [reports.item("gru", "onnx", 1000)]
    a, b = [1.0] * 200, [1.2] * 200
    times = [*[a] * 5, a, b, b, a, a, b, b, a, a, b]  # the series begin a round in turn
    models = {"gru.onnx": FakeModel(hot_ms=times, compute=reports.wrong_from(990))}
    plan = Plan(check_noise=True)
    report = reports.measured(tmp_path, models=models, items=items, plan=plan)
    (noise,) = report.noise
    assert noise.file == "gru.onnx"
    (disturbed,) = disturbances(report.cells[0], report)
    assert disturbed.caution is Caution.NOISY
    assert "gru.onnx" in disturbed.sentence


def test_what_a_device_keeps_to_itself_is_said_and_not_made_up(tmp_path):
    items = [reports.item("gru", "tflite", 1000)]
    models = {items[0].file: FakeModel(**QUIET)}
    report = reports.measured(tmp_path, models=models, items=items, plan=Plan())
    (cell,) = report.cells
    runs = tuple(replace(run, per_call=False, hot_ms=(1.0,)) for run in cell.runs)
    skipped = Skipped(reason="it keeps outputs to itself")
    cell = replace(cell, runs=runs, predictions=None, unjudged=skipped)
    found = {one.caution: one for one in cautions(cell, report)}
    assert "it keeps outputs to itself" in found[Caution.UNJUDGED].sentence
    assert Caution.ONE_FIGURE in found
    assert Caution.FEW_VALUES not in found


def clocks(*mhz: int) -> dict[str, str]:
    """The present frequency of each core."""
    return {FREQUENCY.replace("cpu0", f"cpu{core}"): f"{1000 * f}\n" for core, f in enumerate(mhz)}


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (clocks(2000), clocks(1810), False),
        (clocks(2000), clocks(1790), True),
        (clocks(600, 2000), clocks(2000, 1500), False),  # another core, the same fastest clock
        (clocks(600, 2000), clocks(600, 1500), True),
    ],
)
def test_the_clock_of_the_fastest_core_may_change_by_a_tenth(tmp_path, before, after, changed):
    warned = found(tmp_path, before=before, after=after)
    assert (Caution.FREQUENCY_CHANGED in warned) is changed


def test_noise_concerns_the_timed_artefacts_of_its_device_only(tmp_path):
    items = [reports.item("gru", "onnx", 1000), reports.item("lstm", "onnx", 1000)]
    quiet = FakeModel(**QUIET)
    crashing = FakeModel(**QUIET, ends={"latency": reports.CRASH})
    report = reports.measured(
        tmp_path, models={"gru.onnx": quiet, "lstm.onnx": crashing}, items=items, name="pi"
    )
    report = reports.measured(
        tmp_path, models={"gru.onnx": quiet}, items=items[:1], name="desk", report=report
    )
    timed, crashed, elsewhere = report.cells
    slow = tuple(replace(run, hot_ms=(1.2,)) for run in timed.runs)
    noise = Noise(device="pi", file="gru.onnx", first=timed.runs, second=slow)
    report = replace(report, noise=(noise,))
    noisy = [
        Caution.NOISY in {one.caution for one in cautions(cell, report)}
        for cell in (timed, crashed, elsewhere)
    ]
    assert noisy == [True, False, False]


@pytest.mark.parametrize(("second_ms", "matters"), [(1.029, False), (1.031, True)])
def test_noise_of_three_percent_matters(tmp_path, second_ms, matters):
    report = reports.measured(tmp_path, items=reports.ITEMS[:1])
    (cell,) = report.cells
    first, second = (
        tuple(replace(run, hot_ms=(value,)) for run in cell.runs) for value in (second_ms, 1.0)
    )
    noise = Noise(device=cell.device, file="gru.onnx", first=first, second=second)
    found = {one.caution for one in cautions(cell, replace(report, noise=(noise,)))}
    assert (Caution.NOISY in found) is matters


def test_noise_of_too_few_processes_makes_no_time_unstable(tmp_path):
    report = reports.measured(tmp_path, items=reports.ITEMS[:1], plan=Plan(processes=4))
    (cell,) = report.cells
    slow = tuple(replace(run, hot_ms=(2.0,)) for run in cell.runs)
    noise = Noise(device=cell.device, file="gru.onnx", first=cell.runs, second=slow)
    found = {one.caution for one in cautions(cell, replace(report, noise=(noise,)))}
    assert Caution.NOISY not in found
