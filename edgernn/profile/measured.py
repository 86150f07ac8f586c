"""Files measured on devices from the first process to the last, without a report to continue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone

from edgernn.devices.device import Choices
from edgernn.errors import DeviceError
from edgernn.profile.candidates import Candidate
from edgernn.profile.measure import Plan
from edgernn.profile.pool import pooled
from edgernn.profile.profiling import begun
from edgernn.profile.report import Report
from edgernn.profile.workload import Workload
from edgernn.tasks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the devices said, and by name why some of them are not in the report."""

    report: Report
    failures: Mapping[str, DeviceError]

    @property
    def complete(self) -> Report:
        """The report.  Raises DeviceError where a device is missing."""
        for failure in self.failures.values():
            raise failure
        return self.report


def measured_files(
    candidates: Sequence[Candidate],
    samples: Samples,
    devices: Sequence[str],
    *,
    plan: Plan | None = None,
    weighs: bool = True,
    answers: bool = True,
    progress: Callable[[str], None] = lambda _text: None,
) -> Measured:
    """Measures files and lets them answer `samples`.

    weighs: memory too.  answers: without them only times are wanted; a call takes the first row.
    Raises DataError for rows that do not fit a file.

    >>> measured_files(find_candidates([Path("out/")]), test, ["cpu", "kitchen"]).complete.cells
    """
    workload = Workload(samples=samples, weighs=weighs, answers=answers)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    report, failures = begun(now, plan or Plan(), workload), {}
    advances = pooled(report, devices, candidates, workload, Choices())
    with closing(advances):
        for advance in advances:
            report = advance.report
            if advance.failure is not None:
                failures[advance.device] = advance.failure
            elif advance.progress is not None and advance.progress.next:
                progress(f"{advance.device}: {advance.progress.next}")
    return Measured(report=report, failures=failures)
