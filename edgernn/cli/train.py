"""`edgernn train`: a reference model on a reference task or on the user's own sequences."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from edgernn.cli.completion import complete_tasks
from edgernn.tasks.notation import CELLS, HELP
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.registry import TASKS
from edgernn.tasks.target import Target

#: Of --qat, from most to fewest numbers.
_ON_GRIDS = ("int8", "int4", "int3", "ternary")

#: What a model to start from has already.
_OF_THE_START = ("cell", "decoder", "units", "layers")

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

_HELP = f"""Train a GRU or LSTM on DATA: one of the tasks below, or your own file or folder.

\b
edgernn train digits --cell gru --units 128 -o gru.keras
edgernn train mydata.csv --target load --cell gru -o gru.keras
edgernn train recordings/ --hold-out '*_theo_*' --cell bi-lstm -o lstm.keras
edgernn train pronunciation --cell gru --decoder lstm -o pronunciation.keras

\b
The tasks:
{_TASK_LINES}

\b
edgernn train digits --qat int4 --from gru.keras -o gru4.keras
edgernn export gru4.keras --scheme int4 --calibrate gru4.calibration.npz -o out/

--qat trains a model again with weights of few bits: each step rounds them as `edgernn export` does,
and the export stores them as they are.  It starts from a training in float.  From there the same
training in float runs, too, and both scores are printed.

Your own data are an .npz, a .csv, or a folder of .wav files by class.  The target may be a class,
several labels, a class for each step, numbers, or a sequence; it is taken from y, or from the
columns of --target.

gru.calibration.npz, gru.test.npz and gru.train.json are written beside gru.keras: rows for `edgernn
export --calibrate` and for `edgernn profile --data`, and the log of the training (time, losses,
score).  The model standardizes its features itself.
"""


@click.command(help=_HELP)
@click.argument("task", metavar="DATA", required=False, shell_complete=complete_tasks)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own data, as the argument DATA; also where a task has the name of your file.",
)
@click.option(
    "--target",
    metavar="COLUMN,…",
    help="Columns of a .csv to predict. Without a column 'sequence' the file is one series, and "
    "the last lines predict the next.",
)
@click.option(
    "--target-kind",
    type=click.Choice([kind.value for kind in Target]),
    help="What the target is, where its values can be read in several ways.",
)
@click.option(
    "--window",
    type=click.IntRange(2),
    default=AS_IT_IS.window,
    show_default=True,
    help="Lines of a series that predict the next.",
)
@click.option(
    "--horizon",
    type=click.IntRange(1),
    default=AS_IT_IS.horizon,
    show_default=True,
    help="Lines of a series that are predicted.",
)
@click.option(
    "--steps", type=click.IntRange(1), help="Length of the sequences of a task (reviews)."
)
@click.option(
    "--full", is_flag=True, help="All rows of a task; without it, those of a few minutes."
)
@click.option(
    "--hold-out",
    metavar="PATTERN",
    help="Test on the rows of your data whose origin matches ('*_theo_*'), train on the others.",
)
@click.option("--cell", default="gru", show_default=True, metavar="ARCHITECTURE", help=f"{HELP}.")
@click.option(
    "--decoder",
    type=click.Choice(CELLS),
    help="The cell that writes sequences, behind the encoder --cell; as seq2seq-a-b.",
)
@click.option("--units", type=click.IntRange(1, 4096), help="Width of a recurrent layer.")
@click.option("--layers", type=click.IntRange(1, 16), help="Number of recurrent layers.")
@click.option(
    "--epochs",
    type=click.IntRange(min=0),
    help="Number of epochs, at most where --patience is above 0; 0 writes the untrained model.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=0),
    help="Stop after this many epochs without improvement. 0: train all epochs, with a learning "
    "rate that rises and falls once.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Rows in one training step.")
@click.option(
    "--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Learning rate of Adam."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--qat",
    type=click.Choice(_ON_GRIDS),
    help="Quantization-aware training: weights of 8 or 4 bits, of 8 numbers (int3) or of 3 "
    "(ternary), and 15 of what reads the inputs or is a last Dense. Export stores these two as "
    "int4.",
)
@click.option(
    "--from",
    "start",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="MODEL",
    help="With --qat: the trained .keras or .h5 file to start from. Without it, one is trained "
    "before.",
)
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
    target: str | None,
    target_kind: str | None,
    window: int,
    horizon: int,
    steps: int | None,
    full: bool,
    hold_out: str | None,
    cell: str,
    decoder: str | None,
    seed: int,
    qat: str | None,
    start: Path | None,
    out: Path,
    as_json: bool,
    **overrides: int | float | None,
) -> None:
    from edgernn.atomic import require_writable
    from edgernn.aware.fine_tuning import fine_tune, gentler
    from edgernn.export.keras.file import parameters_of
    from edgernn.front.progress import progress_line
    from edgernn.report.trained import trained_text
    from edgernn.tasks.augmentation import why_not_in_noise
    from edgernn.tasks.notation import architecture_named, for_sequences
    from edgernn.tasks.training import train

    architecture_named(cell)  # before data are read or downloaded
    _require_start(qat, start)
    reading = Reading(
        target=tuple(name.strip() for name in target.split(",")) if target else (),
        kind=Target(target_kind) if target_kind else None,
        window=window,
        horizon=horizon,
        hold_out=hold_out,
    )
    with progress_line("reading the data") as progress:
        given = {"steps": steps, "full": full}
        sized: dict[str, int | bool | None] = {name: size for name, size in given.items() if size}
        name, splits, recipe = _source(task, data, reading, sized, progress)
    if decoder or splits.train.target is Target.SEQUENCE:
        cell = for_sequences(cell, decoder)
    chosen = {option: value for option, value in overrides.items() if value is not None}
    recipe = replace(recipe, **chosen)  # type: ignore[arg-type]
    common: dict[str, Any] = {
        "task": name, "seed": seed, "reading": reading, "count_parameters": parameters_of,
    }  # fmt: skip
    if reason := why_not_in_noise(splits.train):
        click.echo(
            f"edgernn: the recordings are trained without noise around them: {reason}", err=True
        )
    with ExitStack() as stack:
        if qat is None or start is None:
            base = out
            if qat is not None:
                require_writable(out)  # before the minutes of the trainings
                base = Path(stack.enter_context(tempfile.TemporaryDirectory())) / out.name
            with epochs_shown(recipe.epochs) as on_epoch:
                trained = train(splits, base, cell=cell, recipe=recipe, on_epoch=on_epoch, **common)
            start = base
        if qat is not None:
            tuning = replace(gentler(recipe), **chosen)  # type: ignore[arg-type]
            trained = fine_tune(
                *(splits, start, out),
                scheme=qat,
                recipe=tuning,
                shown=partial(epochs_shown, tuning.epochs),
                **common,
            )
    click.echo(json.dumps(asdict(trained.log), indent=1) if as_json else trained_text(trained.log))


def _require_start(qat: str | None, start: Path | None) -> None:
    """Raises UsageError for options that contradict each other."""
    if start is None:
        return
    if qat is None:
        raise click.UsageError("--from is the model that --qat starts from; add --qat int4")
    context = click.get_current_context()
    given = [
        name
        for name in _OF_THE_START
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given:
        raise click.UsageError(f"--{given[0]} is that of the model in --from; leave it out")


def _source(
    task: str | None,
    data: Path | None,
    reading: Reading,
    sized: dict[str, int | bool | None],
    progress: Callable[[str], None],
) -> tuple[str, Splits, Recipe]:
    from edgernn.tasks.data import load_path, task_named
    from edgernn.tasks.split import split
    from edgernn.tasks.task import Recipe

    if (task is None) == (data is None):
        raise click.UsageError("Give either DATA or --data")
    if task is not None and task not in TASKS and Path(task).exists():
        data = Path(task)
    if data is not None:
        if sized:
            raise click.UsageError("--steps and --full go with a task; your data have their sizes")
        samples = load_path(data, reading)
        return samples.name, split(samples, hold_out=reading.hold_out), Recipe()
    if reading.hold_out is not None:
        raise click.UsageError(
            "--hold-out goes with your own data: the tasks have their own test rows"
        )
    if reading.target or reading.kind:
        raise click.UsageError("--target goes with your own data: the tasks have their own targets")
    reference = task_named(task or "")
    for option in sized:
        if option not in reference.sizes:
            reason = "has all its rows without it" if option == "full" else "has one length"
            raise click.UsageError(
                f"--{option} changes nothing: the task {reference.name} {reason}"
            )
    if sized and reference.sized is not None:
        return reference.name, reference.sized(progress, **sized), reference.recipe
    return reference.name, reference.read(progress), reference.recipe


@contextmanager
def epochs_shown(most: int, name: str = "") -> Iterator[Callable[[Epoch], None]]:
    """A bar of epochs on stderr, on a terminal only; gone when the block ends.

    name: of one of several trainings.
    """
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
        shown = bar.add_task(name or "starting TensorFlow", total=most)

        def advance(epoch: Epoch) -> None:
            reached = f"loss {epoch.validation_loss:.3g}"
            if epoch.validation_accuracy is not None:
                reached = f"accuracy {100 * epoch.validation_accuracy:.1f} %"
            log.info(
                "%sepoch %d of at most %d: loss %.4f, validation %s, %.1f s",
                *(
                    f"{name}: " if name else "",
                    epoch.number,
                    most,
                    epoch.loss,
                    reached,
                    epoch.seconds,
                ),
            )
            described = f"{name}, validation {reached}" if name else f"validation {reached}"
            bar.update(shown, completed=epoch.number, description=described)

        yield advance
