"""Several devices at once: that they do not wait for each other, and end together."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from edgernn.devices.device import Choices, Completed, Stopped
from edgernn.devices.fake import FakeDevice
from edgernn.devices.host import HostDevice
from edgernn.errors import DataError, DeviceError
from edgernn.profile.candidates import Candidate
from edgernn.profile.measure import Plan
from edgernn.profile.pool import pooled
from edgernn.profile.profiling import begun, resumed
from edgernn.profile.workload import Workload
from tests.edgernn.report.reports import item

WORKLOAD = Workload()


@dataclass(slots=True, kw_only=True)
class MeetingDevice(FakeDevice):
    """Its first command waits until all devices have begun theirs."""

    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))
    has_met: bool = False

    def run(self, argv, *, timeout_s: float) -> Completed:
        if not self.has_met:
            self.has_met = True
            self.meeting.wait(timeout=30)
        return FakeDevice.run(self, argv, timeout_s=timeout_s)


@dataclass(slots=True, kw_only=True)
class EndlessDevice(FakeDevice):
    """Its commands only end when the user gives up."""

    choices: Choices = field(default_factory=Choices)
    began: threading.Event = field(default_factory=threading.Event)
    was_left: bool = False

    def run(self, argv, *, timeout_s: float) -> Completed:  # noqa: ARG002
        self.began.set()
        assert self.choices.stop.wait(30)
        raise Stopped

    def __exit__(self, *_) -> None:
        self.was_left = True


@dataclass(slots=True, kw_only=True)
class RefusingDevice(FakeDevice):
    """Raises at its first command."""

    error: Exception = field(default_factory=lambda: DeviceError("it is on fire"))

    def run(self, argv, *, timeout_s: float) -> Completed:  # noqa: ARG002
        raise self.error


@pytest.fixture
def candidates(tmp_path) -> tuple[Candidate, ...]:
    one = item("gru", "onnx", 4)
    (tmp_path / one.file).write_bytes(b"gru")
    return (Candidate(item=one, path=tmp_path / one.file),)


@pytest.fixture
def open_as(monkeypatch):
    """Lets open_device find these devices by their names."""

    def install(*devices) -> list[str]:
        by_name = {device.name: device for device in devices}
        monkeypatch.setattr(
            "edgernn.profile.pool.open_device", lambda spec, _choices: by_name[spec]
        )
        return list(by_name)

    return install


def pool(specs, candidates, choices=None):
    report = begun("2026-01-01T00:00:00+00:00", Plan(processes=2), WORKLOAD)
    return pooled(report, specs, candidates, WORKLOAD, choices or Choices())


def test_devices_work_side_by_side(open_as, candidates):
    meeting = threading.Barrier(4)
    names = open_as(*(MeetingDevice(name=f"phone{i}", meeting=meeting) for i in range(4)))
    advances = list(pool(names, candidates))  # a broken barrier would be an error here
    assert [len(cell.runs) for cell in advances[-1].report.cells] == [2] * 4


def test_rows_keep_the_order_in_which_devices_were_named(open_as, candidates):
    class Slow(FakeDevice):
        def run(self, argv, *, timeout_s):
            time.sleep(0.05)
            return super().run(argv, timeout_s=timeout_s)

    names = open_as(Slow(name="slow"), FakeDevice(name="fast"))
    advances = list(pool(names, candidates))
    assert [cell.device for cell in advances[-1].report.cells] == ["slow", "fast"]
    assert {one.device for one in advances if one.progress is None} == {"slow", "fast"}


def test_this_machine_is_measured_when_no_other_device_is(open_as, candidates):
    order = []

    class Host(HostDevice):
        def __enter__(self):
            order.append("cpu")
            raise DeviceError("enough seen")

    class Other(FakeDevice):
        def __exit__(self, *_):
            order.append(self.name)

    names = open_as(Host(), Other(name="pi"), Other(name="phone"))
    list(pool(names, candidates))
    assert order[2:] == ["cpu"]
    assert set(order[:2]) == {"pi", "phone"}


def test_a_device_that_fails_costs_the_others_nothing(open_as, candidates):
    names = open_as(RefusingDevice(name="broken"), FakeDevice(name="sound"))
    advances = list(pool(names, candidates))
    failures = [one for one in advances if one.failure]
    assert [(one.device, one.failure.what) for one in failures] == [("broken", "it is on fire")]
    assert [cell.device for cell in advances[-1].report.cells] == ["sound"]


def test_an_error_that_concerns_all_ends_what_runs_elsewhere(open_as, candidates):
    choices = Choices()
    endless = EndlessDevice(name="endless", choices=choices)
    names = open_as(RefusingDevice(name="broken", error=DataError("no such row")), endless)
    with pytest.raises(DataError, match="no such row"):
        list(pool(names, candidates, choices))
    assert endless.was_left


def test_giving_up_ends_what_runs_everywhere_and_keeps_the_rest(open_as, candidates):
    choices = Choices()
    endless = EndlessDevice(name="endless", choices=choices)
    names = open_as(FakeDevice(name="quick"), endless)
    advances = pool(names, candidates, choices)
    with closing(advances):
        for advance in advances:
            if advance.device == "quick" and advance.progress is None:
                break
        assert endless.began.wait(30)
    assert endless.was_left
    assert [len(cell.runs) for cell in advance.report.cells] == [2]


def test_two_names_of_one_device_are_one_device(candidates, monkeypatch):
    device = FakeDevice(name="kitchen")
    monkeypatch.setattr("edgernn.profile.pool.open_device", lambda *_: device)
    advances = list(pool(["pi", "kitchen"], candidates))
    assert [len(cell.runs) for cell in advances[-1].report.cells] == [2]


def test_a_name_that_nobody_has_is_a_failure_of_that_name_alone(candidates):
    advances = list(pool(["toaster", "fake"], candidates))
    (failed,) = [one for one in advances if one.failure]
    assert failed.device == "toaster"
    assert [cell.device for cell in advances[-1].report.cells] == ["fake"]


def test_a_report_is_resumed_on_all_devices_and_keeps_one_that_is_not_measured_now(
    open_as, candidates
):
    names = open_as(FakeDevice(name="pi"), FakeDevice(name="phone"), FakeDevice(name="desk"))
    first = list(pool(names, candidates))[-1].report
    more = resumed(first, Plan(processes=3), WORKLOAD)
    last = list(pooled(more, ["phone", "pi"], candidates, WORKLOAD, Choices()))[-1].report
    assert {cell.device: len(cell.runs) for cell in last.cells} == {"pi": 3, "phone": 3, "desk": 2}
    assert last.cells[0].runs[:2] == first.cells[0].runs
