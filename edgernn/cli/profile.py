"""`edgernn profile`: size, speed, memory and accuracy of artefacts, on the device itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgernn.cli.completion import complete_data, complete_devices
from edgernn.cli.parameters import CpuList, Duration, ReportFile, former_option
from edgernn.cli.sinks import Sinks
from edgernn.cli.terminal import print_note
from edgernn.devices.kinds import spellings
from edgernn.report.formats import FORMATS

if TYPE_CHECKING:
    from edgernn.cli.gate import Gate

INTERRUPTED = 130


@click.command()
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATHS…",
)
@click.option(
    "--data",
    metavar="SPEC",
    shell_complete=complete_data,
    help="Data to score, or without labels to compare with the original: digits:test, an .npz with "
    "x and y, mydata.csv:test.",
)
@click.option("--target", metavar="COLUMN,…", help="Columns of a .csv to score, or the kind of y.")
@click.option(
    "--metric",
    metavar="NAME",
    help="The metric to put first: accuracy, f1, f1_macro, auc, mae, rmse, r2, perplexity.",
)
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
    help="Before each process, wait up to this long until the device is as cool as at first.",
)
@click.option(
    "--check-noise",
    is_flag=True,
    help="Also measure one artefact as if it were two: which differences are noise?",
)
@click.option(
    "--allow-emulated-timing",
    is_flag=True,
    help="Time emulated devices too. Each such figure is marked, and budgets ignore it.",
)
@click.option(
    "--stream",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Long recordings with label tracks: false alarms per hour and misses of .ernn files.",
)
@click.option(
    "--false-alarms",
    "false_alarms_per_hour",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="PER_HOUR",
    help="Of --stream: choose the threshold that gives at most so many in the validation.",
)
@click.option(
    "--background",
    metavar="LABEL,…",
    help="Of --stream: labels that mean that nothing was said. Default: those named background, "
    "noise, other, silence, unknown or _….",
)
@click.option(
    "-o",
    "--output",
    "files",
    type=ReportFile(),
    multiple=True,
    metavar="FILE",
    help=f"Write a report; the suffix decides: {' '.join(FORMATS)}, with --budget .xml (JUnit). "
    "Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--wide", is_flag=True, help="Show all columns.")
@click.option(
    "--budget",
    "budget_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Limits (TOML): what exceeds one ends in exit code 14.",
)
@former_option("--markdown")
@former_option("--csv")
@former_option("--html")
@former_option("--junit")
@click.option(
    "--allow-skipped",
    is_flag=True,
    help="Let a --budget pass of which no limit could be checked.",
)
@click.option("--resume", is_flag=True, help="Complete the report in the .json file of -o.")
def command(
    paths: tuple[Path, ...],
    data: str | None,
    target: str | None,
    metric: str | None,
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
    stream: Path | None,
    false_alarms_per_hour: float,
    background: str | None,
    files: tuple[Path, ...],
    as_json: bool,
    wide: bool,
    budget_file: Path | None,
    allow_skipped: bool,
    resume: bool,
) -> int:
    """Measure artefacts where they are to run: size, speed, memory and accuracy.

    \b
    edgernn profile out/ --data digits:test
    edgernn profile out/gru.tflite out/lstm.tflite --period 10ms -o report.json
    edgernn profile out/ --device cpu,kitchen --data my.npz --budget budget.toml
    edgernn profile out/words.int8.ernn --stream recordings/ --false-alarms 0.5

    A folder stands for all that its model.json lists. Results are written after each process;
    Ctrl-C keeps them, and --resume continues.
    """
    from edgernn.devices.device import Choices
    from edgernn.front.measuring import Job, carried_out
    from edgernn.profile.measure import Plan
    from edgernn.profile.pool import device_names

    sinks = Sinks(files, as_json=as_json, wide=wide)
    _require_sense(
        paths, files, sinks, as_json=as_json, resume=resume, has_budget=bool(budget_file)
    )
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
    choices = Choices(
        own_packages=use_device_python,
        android_runtimes=android_runtimes,
        benchmark_model=benchmark_model,
    )
    gate = _gate(budget_file, files, device_names(specs, choices), allow_skipped=allow_skipped)
    sinks.require_writable()
    job = Job(
        paths=paths,
        devices=specs,
        plan=plan,
        data=data,
        target=target,
        metric=metric,
        steps=steps,
        choices=choices,
        stream=stream,
        false_alarms_per_hour=false_alarms_per_hour,
        background=None if background is None else background.split(","),
        resume=sinks.json_file if resume else None,
        notify=print_note,
    )
    ending = carried_out(job, save=sinks.save)
    if ending.has_results:
        sinks.finish(ending.report)
    failures = ending.failures
    if ending.interrupted or ending.error is not None:
        for failure in failures.values():
            click.echo(f"edgernn: {failure}", err=True)
    if ending.error is not None:
        raise ending.error
    if ending.interrupted:
        file = sinks.json_file
        hint = f"; complete it with --resume -o {file}" if file else ""
        click.echo(f"edgernn: interrupted; what was measured is kept{hint}", err=True)
        return INTERRUPTED
    if gate is not None:
        gate.keep(ending.report, failures)
    if failures:
        *others, last = failures.values()
        for failure in others:
            click.echo(f"edgernn: {failure}", err=True)
        raise last
    ending.require_something(shown=ending.has_results)
    return 0


def _require_sense(
    paths: tuple[Path, ...],
    files: tuple[Path, ...],
    sinks: Sinks,
    *,
    as_json: bool,
    resume: bool,
    has_budget: bool,
) -> None:
    """Raises UsageError for options that do not go together."""
    report = next((path for path in paths if as_json and path.suffix == ".json"), None)
    if report is not None:
        raise click.UsageError(f"--json prints JSON; write `-o {report}` for a file")
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise click.UsageError(f"There is no file or folder '{missing}'.")
    if resume and sinks.json_file is None:
        raise click.UsageError("--resume needs -o FILE.json: the report to complete")
    if not has_budget and any(path.suffix.lower() == ".xml" for path in files):
        raise click.UsageError("a .xml file reports a budget's checks: give --budget FILE too")


def _gate(
    budget_file: Path | None,
    files: tuple[Path, ...],
    names: Mapping[str, str],
    *,
    allow_skipped: bool,
) -> Gate | None:
    if budget_file is None:
        return None
    from edgernn.cli.gate import Gate
    from edgernn.profile.budget import for_devices, read_budget

    budget = for_devices(read_budget(budget_file), names)
    return Gate(budget=budget, files=files, allow_skipped=allow_skipped)


def _specs(devices: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spec.strip() for spec in devices.split(",")))
