"""Several devices at once: each is profiled by its own thread, into one report.

Other devices do their work themselves, so they run in parallel.  This machine is measured when none
of them is, because driving them takes CPU time here.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import TypeAlias

from edgernn.devices import open_device
from edgernn.devices.device import Choices, Device, Stopped
from edgernn.errors import DeviceError
from edgernn.profile.candidates import Candidate
from edgernn.profile.profiling import Progress, profiled
from edgernn.profile.report import Report
from edgernn.profile.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Progress of one device.  `report` contains the results of all devices so far."""

    device: str
    report: Report
    progress: Progress | None  # None: this device is finished
    failure: DeviceError | None = None  # why it ended early: the others go on


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """The last progress of a device."""

    device: str
    error: BaseException | None


_Message: TypeAlias = tuple[str, Progress] | _Ended


def pooled(
    report: Report,
    specs: Sequence[str],
    candidates: Sequence[Candidate],
    workload: Workload,
    choices: Choices,
) -> Generator[Advance, None, None]:
    """Profiles the candidates on all devices, each named as for open_device.

    A device that is missing, or is lost, becomes a failure.  On any other error and on Ctrl-C
    `choices.stop` is set, and programs on the devices are ended before the error is raised.
    """
    pool = _Pool(report, candidates, workload, choices)
    devices: dict[str, Device] = {}
    for spec in specs:
        try:
            device = open_device(spec, choices)
        except DeviceError as error:  # noqa: PERF203 - a loop over machines, not over numbers
            yield pool.ended(spec, error)
        else:
            devices.setdefault(device.name, device)  # two names of one device count as one device
    pool.order = tuple(devices)
    hosts = [device for device in devices.values() if device.is_this_machine]
    others = [device for device in devices.values() if not device.is_this_machine]
    yield from pool.side_by_side(others)
    for host in hosts:
        yield from pool.alone(host)


def device_names(specs: Sequence[str], choices: Choices) -> dict[str, str]:
    """The devices' names in a report; a missing device keeps the name that the user gave."""
    names = {}
    for spec in specs:
        try:
            names[spec] = open_device(spec, choices).name
        except DeviceError:  # noqa: PERF203 - reported when it is measured
            names[spec] = spec
    return names


class _Pool:
    """The report while devices add to it."""

    def __init__(
        self,
        report: Report,
        candidates: Sequence[Candidate],
        workload: Workload,
        choices: Choices,
    ) -> None:
        self.order: tuple[str, ...] = ()
        self._begun = report
        self._latest: dict[str, Report] = {}  # by device
        self._candidates = candidates
        self._workload = workload
        self._stop = choices.stop

    def alone(self, device: Device) -> Iterator[Advance]:
        """In this thread, so that nothing else runs on this machine."""
        try:
            with device:
                for progress in self._profiled(device):
                    yield self._advanced(device.name, progress)
        except DeviceError as error:
            yield self.ended(device.name, error)
        else:
            yield self.ended(device.name)

    def side_by_side(self, devices: Sequence[Device]) -> Iterator[Advance]:
        messages: SimpleQueue[_Message] = SimpleQueue()
        threads = [
            threading.Thread(target=self._work, args=(device, messages), name=device.name)
            for device in devices
        ]
        for thread in threads:
            thread.start()
        running = len(threads)
        try:
            while running:
                match messages.get():
                    case _Ended(device=name, error=error):
                        running -= 1
                        if error is not None and not isinstance(error, DeviceError):
                            raise error
                        yield self.ended(name, error)
                    case name, progress:
                        yield self._advanced(name, progress)
        finally:
            if running:  # an error or Ctrl-C: nothing keeps running, here or on the devices
                self._stop.set()
            for thread in threads:
                thread.join()

    def ended(self, device: str, failure: DeviceError | None = None) -> Advance:
        return Advance(device=device, report=self._merged(), progress=None, failure=failure)

    def _work(self, device: Device, messages: SimpleQueue[_Message]) -> None:
        error: BaseException | None = None
        try:
            with device:
                for progress in self._profiled(device):
                    messages.put((device.name, progress))
        except Stopped:
            pass
        except BaseException as raised:  # noqa: BLE001 - the waiting thread raises it
            error = raised
        messages.put(_Ended(device=device.name, error=error))

    def _profiled(self, device: Device) -> Iterator[Progress]:
        return profiled(self._begun, device, self._candidates, self._workload)

    def _advanced(self, device: str, progress: Progress) -> Advance:
        self._latest[device] = progress.report
        merged = self._merged()
        return Advance(device=device, report=merged, progress=replace(progress, report=merged))

    def _merged(self) -> Report:
        """The rows of each device from its own report, in the order in which they were named."""
        report = self._begun
        for name in self.order:
            if name in self._latest:
                report = report.with_device(name, self._latest[name])
        return report
