"""A report against a budget, for Python: kept or not, and each check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgernn.devices.device import Choices
from edgernn.errors import DeviceError
from edgernn.profile.budget import (
    EVERY,
    NOTHING_CHECKED,
    Budget,
    Check,
    Verdict,
    budget_of,
    checked,
    for_devices,
    nothing_checked,
    read_budget,
)
from edgernn.profile.pool import device_names
from edgernn.profile.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The checks of a budget.  `print` shows a sentence for each."""

    checks: tuple[Check, ...]
    failures: Mapping[str, DeviceError]  # devices that could not be measured: nothing is kept there
    allow_skipped: bool = False

    @property
    def kept(self) -> bool:
        """No limit is exceeded, each device was there, and something could be checked.

        Limits that could not be checked are in `skipped`; where these are all, the budget is not
        kept, unless `allow_skipped` was given.
        """
        vain = nothing_checked(self.checks) and not self.allow_skipped
        return not self.exceeded and not self.failures and not vain

    @property
    def exceeded(self) -> tuple[Check, ...]:
        """Artefacts that cost more than a limit allows, or that do not run."""
        return self._with(Verdict.EXCEEDED)

    @property
    def skipped(self) -> tuple[Check, ...]:
        """Limits whose figure is missing or cannot be trusted; each has a reason."""
        return self._with(Verdict.SKIPPED)

    def _with(self, verdict: Verdict) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict is verdict)

    def __str__(self) -> str:
        failed = [f"not measured: {device}: {error}" for device, error in self.failures.items()]
        vain = [NOTHING_CHECKED] if nothing_checked(self.checks) else []
        return "\n".join([*failed, *(check.sentence for check in self.checks), *vain])


def checked_against(
    report: Report,
    failures: Mapping[str, DeviceError],
    budget: str | os.PathLike[str] | Mapping[str, float | Mapping[str, float]],
    *,
    allow_skipped: bool = False,
) -> Checked:
    """As Report.check."""
    limits = _limits(budget)
    names = {name: name for name in (*(one.name for one in report.targets), *failures)}
    # A budget may name a device as `device=` does: "pi", "kitchen", "android".
    others = [name for name in limits if name not in names and name != EVERY]
    spelled = device_names(others, Choices())
    names |= {other: name for other, name in spelled.items() if name in names}
    checks = checked(report, for_devices(limits, names))
    return Checked(checks=checks, failures=failures, allow_skipped=allow_skipped)


def _limits(
    given: str | os.PathLike[str] | Mapping[str, float | Mapping[str, float]],
) -> Budget:
    if isinstance(given, str | os.PathLike):
        return read_budget(Path(given))
    everywhere = {name: bound for name, bound in given.items() if not isinstance(bound, Mapping)}
    devices = {name: bounds for name, bounds in given.items() if isinstance(bounds, Mapping)}
    if everywhere:
        devices[EVERY] = {**everywhere, **devices.get(EVERY, {})}
    return budget_of(devices)
