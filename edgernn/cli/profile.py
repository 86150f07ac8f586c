"""`edgernn profile`: size, speed, memory and accuracy of artefacts, on the device itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgernn.cli.bars import bars
from edgernn.cli.completion import complete_devices
from edgernn.cli.parameters import CpuList, Duration, ReportFile
from edgernn.cli.sinks import Sinks
from edgernn.devices.kinds import spellings

if TYPE_CHECKING:
    from edgernn.cli.gate import Gate
    from edgernn.errors import DeviceError
    from edgernn.profile.report import Report
    from edgernn.profile.workload import Workload

INTERRUPTED = 130


@click.command()
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATHS…",
)
@click.option("--data", metavar="SPEC", help="Labelled data: digits:test, or a .npz with x and y.")
@click.option(
    "--device",
    "devices",
    metavar="NAME,…",
    default="cpu",
    show_default=True,
    help=f"{', '.join(spellings())}, or a name (edgernn devices).",
    shell_complete=complete_devices,
)
@click.option(
    "--use-device-python",
    is_flag=True,
    help="On a target, run the Python packages it has, instead of bringing ours.",
)
@click.option(
    "--android-runtime",
    "android_runtimes",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="AAR",
    help="For a phone: ONNX Runtime or TensorFlow Lite (.aar, .so, or a folder). Repeatable.",
)
@click.option(
    "--benchmark-model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="For a phone: Google's benchmark_model, which times .tflite files.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Threads of the runtime.",
)
@click.option("--cpus", type=CpuList(), metavar="LIST", help="Run on these CPUs only: 3, 0-1.")
@click.option(
    "--processes",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Fresh processes for each artefact; verdicts need 5.",
)
@click.option(
    "--min-time",
    "min_time_s",
    type=Duration(),
    default="500ms",
    show_default=True,
    help="Shortest time to measure in each process.",
)
@click.option(
    "--warmup",
    "warm_up_s",
    type=Duration(),
    default="100ms",
    show_default=True,
    help="Calls before that, which are not counted.",
)
@click.option(
    "--period",
    "period_s",
    type=Duration(),
    metavar="DURATION",
    help="Also call once every so often (10ms), as a real-time program does.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Length of made-up sequences, without --data, where the model leaves it free.",
)
@click.option(
    "--cool-down",
    "cool_down_s",
    type=Duration(),
    metavar="DURATION",
    help="Before each process wait, so long at most, until the device is as cool as at first.",
)
@click.option(
    "--check-noise",
    is_flag=True,
    help="Also measure one artefact as if it were two: how small a difference can be told?",
)
@click.option(
    "--allow-emulated-timing",
    is_flag=True,
    help="Time emulated devices too. Every such figure is stamped, and no budget believes it.",
)
@click.option("--json", "json_file", metavar="FILE", help="Write all measurements; - is stdout.")
@click.option(
    "--markdown",
    "markdown_file",
    type=ReportFile(),
    metavar="FILE",
    help="Write the table, sentences and cautions.",
)
@click.option(
    "--csv",
    "csv_file",
    type=ReportFile(),
    metavar="FILE",
    help="Write plain numbers, a line for each artefact.",
)
@click.option(
    "--html",
    "html_file",
    type=ReportFile(),
    metavar="FILE",
    help="Write one page with tables and plots, to be opened offline.",
)
@click.option(
    "--budget",
    "budget_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Limits (TOML): what exceeds one ends in exit code 14.",
)
@click.option(
    "--junit",
    "junit_file",
    type=ReportFile(),
    metavar="FILE",
    help="Write the budget's checks for a CI service.",
)
@click.option("--resume", is_flag=True, help="Complete the report in the --json file.")
def command(
    paths: tuple[Path, ...],
    data: str | None,
    devices: str,
    use_device_python: bool,
    android_runtimes: tuple[Path, ...],
    benchmark_model: Path | None,
    threads: int,
    cpus: tuple[int, ...] | None,
    processes: int,
    min_time_s: float,
    warm_up_s: float,
    period_s: float | None,
    steps: int,
    cool_down_s: float | None,
    check_noise: bool,
    allow_emulated_timing: bool,
    json_file: str | None,
    markdown_file: Path | None,
    csv_file: Path | None,
    html_file: Path | None,
    budget_file: Path | None,
    junit_file: Path | None,
    resume: bool,
) -> int:
    """Measure artefacts where they are to run: size, speed, memory and accuracy.

    \b
    edgernn profile out/ --data digits:test
    edgernn profile out/gru.tflite out/lstm.tflite --period 10ms --cpus 1 --json report.json
    edgernn profile out/ --device cpu,kitchen,android --data digits:test --budget budget.toml

    A folder stands for all that its model.json lists. Results are written after each process;
    Ctrl-C keeps them, and --resume continues.
    """
    from edgernn.devices.device import Choices
    from edgernn.errors import EdgernnError
    from edgernn.profile.candidates import find_candidates
    from edgernn.profile.measure import Plan
    from edgernn.profile.pool import device_names, pooled
    from edgernn.profile.workload import Workload

    if resume and json_file in (None, "-"):
        raise click.UsageError("--resume needs --json FILE: the report to complete")
    if junit_file and not budget_file:
        raise click.UsageError("--junit tells of a budget: give --budget FILE too")
    plan = Plan(
        threads=threads,
        cpus=cpus,
        warm_up_s=warm_up_s,
        min_time_s=min_time_s,
        processes=processes,
        period_ms=None if period_s is None else period_s * 1e3,
        cool_down_s=cool_down_s or 0.0,
        check_noise=check_noise,
        emulated_timing=allow_emulated_timing,
    )
    specs = _specs(devices)
    _require_cpus(specs, cpus)
    choices = Choices(
        own_packages=use_device_python,
        android_runtimes=android_runtimes,
        benchmark_model=benchmark_model,
    )
    gate = _gate(budget_file, junit_file, markdown_file, device_names(specs, choices))
    candidates = find_candidates(paths)
    workload = Workload(samples=_samples(data), steps=steps)
    files = {"markdown": markdown_file, "csv": csv_file, "html": html_file}
    sinks = Sinks(json_file=json_file, files=files)
    sinks.require_writable(junit_file)
    report = _start(plan, workload, Path(str(json_file)) if resume else None)
    interrupted, error = False, None
    failures: dict[str, DeviceError] = {}
    try:
        advances = pooled(report, specs, candidates, workload, choices)
        with closing(advances), bars(len(specs)) as show:
            for advance in advances:
                report = advance.report
                show(advance)
                sinks.save(report)
                if advance.failure is not None:
                    failures[advance.device] = advance.failure
    except KeyboardInterrupt:
        interrupted = True
    except EdgernnError as raised:  # of data or runs: it concerns all devices
        error = raised
    told = report.cells
    if error is not None:  # of a cell that was only looked at there is nothing to tell
        told = tuple(cell for cell in told if cell.runs or cell.predictions or cell.outcome)
    if told:
        sinks.finish(report)
    if interrupted or error is not None:
        for failure in failures.values():
            click.echo(f"edgernn: {failure}", err=True)
    if error is not None:
        raise error
    if interrupted:
        hint = f"; complete it with --resume --json {json_file}" if json_file else ""
        click.echo(f"edgernn: interrupted; what was measured is kept{hint}", err=True)
        return INTERRUPTED
    if gate is not None:
        gate.keep(report, failures)
    if failures:
        *others, last = failures.values()
        for failure in others:
            click.echo(f"edgernn: {failure}", err=True)
        raise last
    _require_something(report)
    return 0


def _gate(
    budget_file: Path | None,
    junit_file: Path | None,
    markdown_file: Path | None,
    names: Mapping[str, str],
) -> Gate | None:
    if budget_file is None:
        return None
    from edgernn.cli.gate import Gate
    from edgernn.profile.budget import for_devices, read_budget

    budget = for_devices(read_budget(budget_file), names)
    return Gate(budget=budget, junit_file=junit_file, markdown_file=markdown_file)


def _require_something(report: Report) -> None:
    """Raises MissingRuntime or DeviceError when not one artefact could be measured."""
    from edgernn.devices.runners.outcome import Skipped
    from edgernn.errors import DeviceError, MissingRuntime

    if any(cell.runs or cell.outcome is None for cell in report.cells):
        return
    outcomes = [cell.outcome for cell in report.cells if cell.outcome]
    first = f"nothing could be measured; {report.cells[0].item.file}: {outcomes[0]}"
    if all(isinstance(outcome, Skipped) for outcome in outcomes):
        raise MissingRuntime(first, remedy="Install the runtime, or choose another --device")
    raise DeviceError(first, remedy="`edgernn inspect` tells what is in the file")


def _samples(data: str | None) -> Any:
    if data is None:
        return None
    from edgernn.tasks.data import load

    return load(data, notify=lambda message: click.echo(message, err=True))


def _start(plan: Any, workload: Workload, earlier: Path | None) -> Report:
    from datetime import datetime, timezone

    from edgernn.profile.profiling import begun, resumed
    from edgernn.profile.storage import read_report

    if earlier is not None and earlier.exists():
        return resumed(read_report(earlier), plan, workload)
    return begun(datetime.now(timezone.utc).isoformat(timespec="seconds"), plan, workload)


def _specs(devices: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spec.strip() for spec in devices.split(",")))


def _require_cpus(specs: tuple[str, ...], cpus: tuple[int, ...] | None) -> None:
    """Of this machine we know at once; another one tells when it is asked.  Raises DeviceError."""
    if cpus is not None and any(spec.partition(":")[0] == "cpu" for spec in specs):
        from edgernn.devices.host import require_cpus

        require_cpus(cpus)
