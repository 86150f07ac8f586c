"""A budget's checks as JUnit XML, which every CI service shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import assert_never

from edgernn.profile.budget import Check, Verdict
from edgernn.report.xml import element


def as_junit(checks: Sequence[Check], errors: Mapping[str, str] | None = None) -> str:
    """One test case for each limit of an artefact on a device.

    `errors`: by device, why it could not be measured.
    """
    absent = errors or {}
    counts = {verdict: sum(c.verdict is verdict for c in checks) for verdict in Verdict}
    suite = element(
        "testsuite",
        *(_case(check) for check in checks),
        *(_absent(device, reason) for device, reason in absent.items()),
        name="edgernn budget",
        tests=str(len(checks) + len(absent)),
        failures=str(counts[Verdict.EXCEEDED]),
        skipped=str(counts[Verdict.SKIPPED]),
        errors=str(len(absent)),
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element("testsuites", suite)}\n'


def _absent(device: str, reason: str) -> str:
    content = element("error", message=reason)
    return element("testcase", content, classname=f"budget.{device}", name="the device")


def _case(check: Check) -> str:
    match check.verdict:
        case Verdict.KEPT:
            content = ""
        case Verdict.EXCEEDED:
            content = element("failure", message=check.sentence)
        case Verdict.SKIPPED:
            content = element("skipped", message=check.sentence)
        case _:
            assert_never(check.verdict)
    name = f"{check.file}: {check.limit.value}"
    return element("testcase", content, classname=f"budget.{check.device}", name=name)
