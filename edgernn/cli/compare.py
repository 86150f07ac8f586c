"""`edgernn compare`: GRU or LSTM, answered on the user's own data."""

from __future__ import annotations

from pathlib import Path

import click

from edgernn.cli import several_trainings
from edgernn.cli.completion import complete_devices, complete_schemes, complete_tasks


@click.command()
@click.argument("data", required=False, shell_complete=complete_tasks)
@click.option(
    "--from",
    "given",
    metavar="FILES",
    help="Compare these trained models instead: a.keras,b.onnx.  Nothing is trained.",
)
@click.option("--data", "rows", metavar="DATA", help="With --from: rows that no model has seen.")
@several_trainings.models("; the others are compared with the first")
@click.option(
    "--equal",
    default="units",
    show_default=True,
    help="What contenders have in common: units, bytes (of the file), or units,bytes.",
)
@click.option("--units", type=click.IntRange(1, 4096), help="Width of the first architecture.")
@several_trainings.epochs
@click.option(
    "--seeds",
    type=click.IntRange(2, 1000),
    default=5,
    show_default=True,
    help="Trainings of each contender; controls have 3 at most.",
)
@click.option(
    "--scheme",
    default="float32,int8",
    show_default=True,
    shell_complete=complete_schemes,
    help="Schemes of the files that are scored and measured; int4 is native only.",
)
@click.option("--to", default="native", show_default=True, help="Formats of these files.")
@click.option(
    "--device",
    "devices",
    default="cpu",
    show_default=True,
    shell_complete=complete_devices,
    help="Where the files are measured, after the last training.",
)
@several_trainings.workers(least=0)
@several_trainings.hosts
@several_trainings.time_limit
@click.option(
    "--worth",
    help="Smallest difference that matters: points of a share (0.5, the default), or percent of an "
    "error (2%).",
)
@several_trainings.target
@several_trainings.hold_out
@click.option(
    "--controls/--no-controls",
    default=True,
    show_default=True,
    help="Where a mix gains, also train what it must beat: gru-gru and lstm-lstm for gru-lstm.",
)
@click.option(
    "--rows-percent",
    "percents",
    default="25,50",
    show_default=True,
    help="Also train the two first on so many percent of the rows; none: do not.",
)
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pictures as .svg files.",
)
@click.option("--resume", is_flag=True, help="Continue the comparison in the folder.")
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for trainings, models, files, and report.md, .html, .json.",
)
@several_trainings.as_json
def command(
    data: str | None,
    given: str | None,
    rows: str | None,
    models: str,
    equal: str,
    units: int | None,
    epochs: int | None,
    seeds: int,
    scheme: str,
    to: str,
    devices: str,
    workers: int,
    hosts: str,
    time_limit_s: float | None,
    worth: str | None,
    target: str | None,
    hold_out: str | None,
    controls: bool,
    percents: str,
    plots: Path | None,
    resume: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train GRU, LSTM or a mix on DATA over several seeds, and say which to use.

    DATA is a task (digits) or your own: an .npz, a .csv, or a folder of .wav files by class.

    \b
    edgernn compare digits --models gru,lstm -o cmp/
    edgernn compare mydata.npz --models gru,lstm,gru-lstm --equal units,bytes --workers 2 -o cmp/
    edgernn compare mydata.npz --time-limit 10min -o cmp/ --resume
    edgernn compare --from a.keras,b.onnx --data test.npz

    The answer is one contender, "equal for your purpose", "cannot tell" (and what would help), or
    "use neither".  Intervals hold the luck of seeds and of test rows.
    """
    if given is not None:
        _compare_files(given, data, rows, target=target, worth=worth, out=out, as_json=as_json)
        return
    if data is None or rows is not None:
        raise click.UsageError("name DATA, or models with --from FILES --data DATA")
    if out is None:
        raise click.UsageError("name a folder for the trainings with -o")
    from edgernn.front.comparing import compare

    result = compare(
        data,
        models=models,
        equal=equal,
        units=units,
        epochs=epochs,
        seeds=seeds,
        scheme=scheme,
        to=to,
        device=devices.split(","),
        workers=workers,
        hosts=hosts,
        time_limit_s=time_limit_s,
        worth=worth,
        target=target,
        hold_out=hold_out,
        controls=controls,
        shares=_shares(percents),
        resume=resume,
        out=out,
        progress=several_trainings.progress_lines(),
    )
    if plots is not None:
        result.write_plots(plots)
    if as_json:
        click.echo((out / "report.json").read_text(encoding="utf-8"), nl=False)
    else:
        click.echo(str(result))


def _compare_files(
    given: str,
    data: str | None,
    rows: str | None,
    *,
    target: str | None,
    worth: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    if rows is None or data is not None:
        raise click.UsageError("--from compares trained models: give their test rows with --data")
    from edgernn.front.comparing_files import compare_models
    from edgernn.report.compared_files import files_json

    result = compare_models(given.split(","), data=rows, target=target, worth=worth)
    if out is not None:
        result.write(*(out / f"report{suffix}" for suffix in (".md", ".json", ".html")))
    click.echo(files_json(result.values) if as_json else str(result))


def _shares(percents: str) -> list[float]:
    if percents.strip() == "none":
        return []
    try:
        return [float(one) / 100 for one in percents.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"'{percents}' is no list of percentages; write 25,50 or none",
            param_hint="--rows-percent",
        ) from None
