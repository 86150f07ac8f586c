"""`edgernn demo`: the whole way from spoken digits to a verdict and a table, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edgernn.cli import several_trainings

if TYPE_CHECKING:
    from edgernn.front.comparing import Compared

TASK: Final = "digits"
CELLS: Final = ("gru", "lstm")
#: And what each is calibrated with.
SCHEMES: Final = {"float32": None, "int8": f"{TASK}:calibration"}


@click.command()
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(file_okay=False, path_type=Path),
    default="demo",
    show_default=True,
    help="Folder for trainings, artefacts and reports; trainings in it are used again.",
)
@click.option("--units", type=click.IntRange(1, 1024), default=128, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(2, 100),
    default=3,
    show_default=True,
    help="Trainings of each cell.",
)
@several_trainings.workers(default=2)
@click.option(
    "--processes",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Fresh processes for each artefact, as in `edgernn profile`.",
)
def command(out: Path, units: int, seeds: int, workers: int, processes: int) -> None:
    """GRU or LSTM for spoken digits? Train both over seeds, export and profile a pair of them.

    The same as

    \b
    edgernn compare digits --seeds 3 --workers 2 --rows-percent none -o demo/compare/
    edgernn export demo/gru.keras -o demo/                 (and lstm)
    edgernn export demo/gru.keras --scheme int8 --calibrate digits:calibration -o demo/
    edgernn profile demo/ --data digits:test -o demo/report.html

    where demo/gru.keras is the training with the median score.
    """
    from edgernn.front.comparing import compare
    from edgernn.front.loaded import load
    from edgernn.front.measuring import measure

    folder = out / "compare"
    verdict = compare(
        TASK,
        models=CELLS,
        units=units,
        seeds=seeds,
        workers=workers,
        shares=(),
        out=folder,
        resume=folder.exists(),
        progress=several_trainings.progress_lines(),
    )
    click.echo(f"{verdict}\n")
    for cell in CELLS:
        _hand_over(verdict, cell, out / f"{cell}.keras")
        model = load(out / f"{cell}.keras")
        for scheme, data in SCHEMES.items():
            click.echo(f"{model.export(out, scheme=scheme, calibrate=data)}\n")
    report = measure(out, data=f"{TASK}:test", processes=processes)
    report.write(*(out / f"report.{suffix}" for suffix in ("json", "md", "html")))
    click.echo(f"{report}\n\n{verdict.recommendation}")


def _hand_over(verdict: Compared, cell: str, model: Path) -> None:
    """The median training of a cell, with its log, as `edgernn train` would have left it."""
    from edgernn import atomic
    from edgernn.tasks.training_log import log_path

    source = verdict.model(cell)
    atomic.write_bytes(model, source.read_bytes())
    atomic.write_bytes(log_path(model), log_path(source).read_bytes())
