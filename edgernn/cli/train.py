"""`edgernn train`: a reference model on a reference task or on the user's own sequences."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from edgernn.cli.completion import complete_tasks
from edgernn.tasks.registry import TASKS

if TYPE_CHECKING:
    from edgernn.tasks.samples import Splits
    from edgernn.tasks.task import Recipe
    from edgernn.tasks.training_log import Epoch


class KerasFile(click.ParamType[Path]):
    """A path that ends in .keras: the format that keeps its version."""

    name = "model.keras"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        path = Path(value)
        if path.suffix != ".keras":
            self.fail(f"'{path}' does not end in .keras", param, ctx)
        return path

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


_TASK_LINES = "\n".join(f"  {task.name:<16} {task.title}" for task in TASKS.values())

_HELP = f"""Train a GRU or LSTM on TASK, or on your own sequences with --data.

\b
edgernn train digits --cell gru --units 128 -o gru.keras
edgernn train --data recordings/ --hold-out '*_theo_*' --cell lstm -o lstm.keras

\b
The tasks:
{_TASK_LINES}

gru.calibration.npz, gru.test.npz and gru.train.json are written beside gru.keras: rows for `edgernn
export --calibrate` and for `edgernn profile --data`, and the log of the training (time, losses,
accuracy).  The model standardizes its features itself.
"""


@click.command(help=_HELP)
@click.argument("task", required=False, shell_complete=complete_tasks)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own data instead of TASK: an .npz, a .csv, or a folder of .wav files by class.",
)
@click.option(
    "--hold-out",
    metavar="PATTERN",
    help="Test on the rows of --data whose origin matches ('*_theo_*'), train on the others.",
)
@click.option(
    "--cell",
    type=click.Choice(["gru", "lstm", "gru-lstm"]),
    default="gru",
    show_default=True,
    help="Recurrent layer; gru-lstm is an LSTM on top of a GRU.",
)
@click.option("--units", type=click.IntRange(1, 4096), help="Width of a recurrent layer.")
@click.option("--layers", type=click.IntRange(1, 16), help="Number of recurrent layers.")
@click.option(
    "--epochs",
    type=click.IntRange(min=0),
    help="Maximum number of epochs; 0 writes the untrained model.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Stop after this many epochs without improvement.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Rows in one training step.")
@click.option(
    "--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Learning rate of Adam."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "-o",
    "--output",
    "out",
    type=KerasFile(),
    required=True,
    help="Model to write, ending in .keras; its data and its log are written beside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the training log as JSON.")
def command(
    task: str | None,
    data: Path | None,
    hold_out: str | None,
    cell: str,
    seed: int,
    out: Path,
    as_json: bool,
    **overrides: int | float | None,
) -> None:
    from edgernn.export.keras.file import parameters_of
    from edgernn.front.progress import progress_line
    from edgernn.report.trained import trained_text
    from edgernn.tasks.architectures import Cell
    from edgernn.tasks.training import train

    with progress_line("reading the data") as progress:
        name, splits, recipe = _source(task, data, hold_out, progress)
    chosen = {option: value for option, value in overrides.items() if value is not None}
    recipe = replace(recipe, **chosen)  # type: ignore[arg-type]
    with epochs_shown(recipe.epochs) as on_epoch:
        trained = train(
            splits,
            out,
            task=name,
            cell=Cell(cell),
            recipe=recipe,
            seed=seed,
            hold_out=hold_out,
            count_parameters=parameters_of,
            on_epoch=on_epoch,
        )
    click.echo(json.dumps(asdict(trained.log), indent=1) if as_json else trained_text(trained.log))


def _source(
    task: str | None, data: Path | None, hold_out: str | None, progress: Callable[[str], None]
) -> tuple[str, Splits, Recipe]:
    from edgernn.tasks.data import load_path, task_named
    from edgernn.tasks.split import split
    from edgernn.tasks.task import Recipe

    if (task is None) == (data is None):
        raise click.UsageError("Give either a TASK or --data")
    if data is not None:
        samples = load_path(data)
        return samples.name, split(samples, hold_out=hold_out), Recipe()
    if hold_out is not None:
        raise click.UsageError("--hold-out goes with --data: the tasks have their own test rows")
    reference = task_named(task or "")
    return reference.name, reference.read(progress), reference.recipe


@contextmanager
def epochs_shown(most: int) -> Iterator[Callable[[Epoch], None]]:
    """A bar of epochs on stderr, on a terminal only; gone when the block ends."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from edgernn.front.hidden import is_hidden

    log = logging.getLogger(__name__)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=is_hidden() or not console.is_terminal
    ) as bar:
        shown = bar.add_task("starting TensorFlow", total=most)

        def advance(epoch: Epoch) -> None:
            log.info(
                "epoch %d of at most %d: loss %.4f, validation accuracy %.1f %%, %.1f s",
                *(epoch.number, most, epoch.loss, 100 * epoch.validation_accuracy, epoch.seconds),
            )
            bar.update(
                shown,
                completed=epoch.number,
                description=f"validation {100 * epoch.validation_accuracy:.1f} %",
            )

        yield advance
