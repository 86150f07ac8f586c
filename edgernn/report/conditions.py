"""How and on what it was measured, in one sentence for each device."""

from __future__ import annotations

from edgernn.profile.measure import Plan
from edgernn.profile.report import Report, Target


def conditions_line(report: Report) -> str:
    """Devices, runtimes, threads, processes: what a figure means nothing without."""
    is_timed = any(cell.runs for cell in report.cells)
    plan = [_plan(report.plan)] if is_timed else []
    return " ".join([*(_target(target, report) for target in report.targets), *plan])


def _target(target: Target, report: Report) -> str:
    identity, machine = target.identity, target.machine
    name = identity.board or identity.cpu or machine.architecture
    kind = " (virtual machine)" if identity.virtual else ""
    runs = [cell.runs[0] for cell in report.cells if cell.device == target.name and cell.runs]
    known = [cell.versions for cell in report.cells if cell.device == target.name]
    known += [run.versions for run in runs]
    versions = dict(pair for one in known for pair in one.items())
    software = ", ".join(f"{package} {version}" for package, version in versions.items())
    cores = f"{machine.cores} core{'s' if machine.cores != 1 else ''}"
    governors = dict.fromkeys(name for run in runs for name in run.before.governors)
    governed = f"governor {', '.join(governors)}" if governors else ""
    parts = [f"{name}{kind}", f"{cores} {machine.architecture}", machine.system, governed, software]
    return f"Measured on {target.name}: {', '.join(part for part in parts if part)}."


def _plan(plan: Plan) -> str:
    threads = f"{plan.threads} thread{'s' if plan.threads != 1 else ''}"
    pinned = f" on CPUs {', '.join(map(str, plan.cpus))}" if plan.cpus else ""
    return (
        f"Batch 1, {threads}{pinned}, {_processes(plan)} of at least {plan.min_time_s:g} s each, "
        "the artefacts in turn."
    )


def _processes(plan: Plan) -> str:
    return f"{plan.processes} process{'es' if plan.processes != 1 else ''}"
