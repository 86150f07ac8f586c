"""`edgernn demo`: the whole way from spoken digits to a table, in one command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edgernn.cli.terminal import print_note

if TYPE_CHECKING:
    from edgernn.tasks.samples import Splits
    from edgernn.tasks.training_log import TrainingLog

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
    help="Folder for models, artefacts and reports; trained models in it are used again.",
)
@click.option("--units", type=click.IntRange(1, 1024), default=128, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--processes",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Fresh processes for each artefact, as in `edgernn profile`.",
)
def command(out: Path, units: int, seed: int, processes: int) -> None:
    """Train a GRU and an LSTM on spoken digits, export both, float and int8, profile them here.

    The same as

    \b
    edgernn train digits --cell gru -o demo/gru.keras      (and lstm)
    edgernn export demo/gru.keras -o demo/                 (and lstm)
    edgernn export demo/gru.keras --scheme int8 --calibrate digits:calibration -o demo/
    edgernn profile demo/ --data digits:test -o demo/report.html
    """
    from edgernn.front.loaded import load
    from edgernn.front.measuring import measure
    from edgernn.front.progress import progress_line
    from edgernn.report.trained import trained_text
    from edgernn.tasks import TASKS

    with progress_line("reading the data") as progress:
        splits = TASKS[TASK].read(progress)
    for cell in CELLS:
        log = _trained(splits, out / f"{cell}.keras", cell=cell, units=units, seed=seed)
        click.echo(trained_text(log) + "\n")
    for cell in CELLS:
        model = load(out / f"{cell}.keras")
        for scheme, data in SCHEMES.items():
            click.echo(f"{model.export(out, scheme=scheme, calibrate=data)}\n")
    report = measure(out, data=f"{TASK}:test", processes=processes)
    report.write(*(out / f"report.{suffix}" for suffix in ("json", "md", "html")))
    click.echo(str(report))


def _trained(splits: Splits, model: Path, *, cell: str, units: int, seed: int) -> TrainingLog:
    """The log of a model trained like this before, or else now."""
    from edgernn.cli.train import epochs_shown
    from edgernn.export.keras.file import parameters_of
    from edgernn.tasks import TASKS
    from edgernn.tasks.training import settings_of, train
    from edgernn.tasks.training_log import log_of_same

    recipe = replace(TASKS[TASK].recipe, units=units)
    settings = settings_of(splits, task=TASK, cell=cell, recipe=recipe, seed=seed)
    if log := log_of_same(model, settings):
        print_note(f"{model} is already trained like this")
        return log
    with epochs_shown(recipe.epochs) as on_epoch:
        trained = train(
            splits,
            model,
            task=TASK,
            cell=cell,
            recipe=recipe,
            seed=seed,
            count_parameters=parameters_of,
            on_epoch=on_epoch,
        )
    return trained.log
