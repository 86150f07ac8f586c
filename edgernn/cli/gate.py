"""The gate at the end of `edgernn profile --budget`: what was not kept, for people and for CI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgernn.cli.terminal import print_note, print_warning

if TYPE_CHECKING:
    from edgernn.errors import DeviceError
    from edgernn.profile.budget import Budget
    from edgernn.profile.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A budget, and the files that report how it was kept."""

    budget: Budget
    files: tuple[Path, ...]  # of the reports: .xml gets the checks, .md gets them too
    allow_skipped: bool = False  # a budget of which nothing can be checked passes

    def keep(self, report: Report, failures: Mapping[str, DeviceError]) -> None:
        """Reports the limits that are exceeded or not checked.

        Raises BudgetExceeded, also where no limit could be checked.

        `failures`: the devices that could not be measured, or not to the end.  They are errors in
        the JUnit file; the caller raises them.
        """
        from edgernn import atomic
        from edgernn.errors import BudgetExceeded
        from edgernn.profile.budget import (
            NOTHING_CHECKED,
            Verdict,
            checked,
            exceeded,
            nothing_checked,
        )
        from edgernn.report.junit import as_junit
        from edgernn.report.markdown import as_markdown

        checks = checked(report, self.budget)
        errors = {device: str(failure) for device, failure in failures.items()}
        vain = nothing_checked(checks) and not failures and not self.allow_skipped
        if vain:
            errors["every"] = NOTHING_CHECKED
        lines = "".join(f"- {check.sentence}\n" for check in checks)
        texts = {".xml": as_junit(checks, errors), ".md": f"{as_markdown(report)}\n{lines}"}
        for path in self.files:
            if text := texts.get(path.suffix.lower()):
                atomic.write_bytes(path, text.encode())
        for check in checks:
            if check.verdict is not Verdict.KEPT:
                click.echo(check.sentence, err=True)
        kept = sum(check.verdict is Verdict.KEPT for check in checks)
        over = exceeded(checks)
        if over and not failures:
            raise BudgetExceeded(
                f"{len(over)} of {len(checks)} limits of the budget are exceeded",
                remedy="The lines above name them",
            )
        if vain:
            raise BudgetExceeded(
                NOTHING_CHECKED,
                remedy="The lines above say why; --allow-skipped lets such a budget pass",
            )
        if not kept:
            print_warning(NOTHING_CHECKED)
        elif not over:
            print_note(f"Within budget: {kept} of {len(checks)} limits checked and kept.")
