"""GRU or LSTM? `compare` answers on the user's own data, with trainings over several seeds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgernn import atomic
from edgernn.devices import open_device
from edgernn.errors import WrongOption
from edgernn.formats import format_named
from edgernn.front.arguments import checked_arguments, require_at_least
from edgernn.front.progress import progress_line
from edgernn.front.schemes import parsed_schemes
from edgernn.report.compared import comparison_json, comparison_markdown
from edgernn.report.compared_html import comparison_html, picture_files
from edgernn.report.compared_values import recommendation
from edgernn.scheme import Scheme
from edgernn.scoring.metric import Metric
from edgernn.selection import comparison as values
from edgernn.selection.comparing import Question, compared
from edgernn.selection.contender import parsed_equals, parsed_models
from edgernn.selection.controls import with_controls
from edgernn.selection.crossed import FEWEST_SEEDS
from edgernn.selection.data import splits_of
from edgernn.selection.hosts import parsed_hosts
from edgernn.selection.row_scores import row_metric
from edgernn.selection.training import median_training, model_file
from edgernn.selection.verdict import Worth
from edgernn.selection.work import forms_of
from edgernn.tasks.given import Given
from edgernn.tasks.goal import require_learnable
from edgernn.tasks.notation import architecture_named

DEFAULT_SEEDS: Final = 5
#: The smallest difference that changes a choice: of shares in points, of errors in percent.
DEFAULT_WORTH_POINTS: Final = 0.5
DEFAULT_WORTH_PERCENT: Final = 2.0
_WRITERS: Final[dict[str, Callable[[values.Comparison], str]]] = {
    ".md": comparison_markdown,
    ".json": comparison_json,
    ".html": comparison_html,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Compared:
    """The result of `compare`.  `print` shows the recommendation and the tables behind it.

    values: scores of every training, verdicts, times, as edgernn.selection.comparison has them.
    folder: trainings, models and files.
    """

    values: values.Comparison
    folder: Path

    @property
    def recommendation(self) -> str:
        """One or two sentences."""
        return recommendation(self.values)

    def write(self, *paths: str | os.PathLike[str]) -> None:
        """Writes .md, .html or .json files, each whole or not at all.

        Raises WrongOption for another suffix, before anything is written; OutputError.

        >>> verdict.write("compare.html")
        """
        files = {Path(path): Path(path).suffix.lower() for path in paths}
        for path, suffix in files.items():
            if suffix not in _WRITERS:
                raise WrongOption(
                    f"no comparison is written as '{path.name}'",
                    remedy=f"End its name in {', '.join(_WRITERS)}",
                )
        for path, suffix in files.items():
            atomic.write_bytes(path, _WRITERS[suffix](self.values).encode())

    def model(self, architecture: str) -> Path:
        """The .keras file of an architecture's training with the median score, at equal units.

        Raises WrongOption for an architecture that was not compared.
        """
        found = [one for one in self.values.trainings if one.architecture == architecture]
        if not found:
            raise WrongOption(
                f"'{architecture}' was not compared",
                remedy=f"It is one of {', '.join(one.name for one in self.values.trainings)}",
            )
        middle = median_training(self.values.trainings[found[0]])
        return model_file(self.folder, middle.key)

    def write_plots(self, folder: str | os.PathLike[str]) -> None:
        """Writes every picture of the report as an .svg file.  Raises OutputError.

        >>> verdict.write_plots("plots/")
        """
        atomic.make_folder(Path(folder))
        for name, content in picture_files(self.values).items():
            atomic.write_bytes(Path(folder) / name, content.encode())

    def __str__(self) -> str:
        return comparison_markdown(self.values).rstrip("\n")

    def __repr__(self) -> str:
        return f"<edgernn.Compared {self.values.data}: {self.recommendation}>"

    def _repr_html_(self) -> str:
        return comparison_html(self.values)


@checked_arguments
def compare(
    data: Given,
    *,
    models: str | Sequence[str] = ("gru", "lstm"),
    target: str | None = None,
    out: str | os.PathLike[str],
    equal: str | Sequence[str] = "units",
    units: int | None = None,
    epochs: int | None = None,
    seeds: int = DEFAULT_SEEDS,
    scheme: str | Sequence[str] = ("float32", "int8"),
    to: str | Sequence[str] = "native",
    device: str | Sequence[str] = "cpu",
    workers: int = 1,
    hosts: str | Sequence[str] = (),
    time_limit_s: float | None = None,
    worth: str | float | None = None,
    hold_out: str | None = None,
    controls: bool = True,
    shares: Sequence[float] = (0.25, 0.5),
    resume: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Compared:
    """Trains architectures on the data, over seeds, and says whether their difference matters.

    data: a task ("digits"), (x, y), (x, y, lengths), a path or a spec.
    models: architectures by notation, as for `train --cell`; the first is the reference.
    target: what y means, or the columns of a table to predict, as for `train --target`.
    out: the folder of trainings, files and report.json; continued with `resume`.
    equal: "units" (the same in each layer), "bytes" (files of equal size, within 5 %), or both.
    units: of the first architecture; without it those of the task, or 128.
    epochs: at most; of tasks with a fixed schedule (digits), all of them.
    seeds: trainings of each contender, each with its own weights and validation rows; controls have
        3 at most.
    scheme, to: the files that are made, scored and measured.
    device: where they are measured, after the last training.
    workers: trainings at a time, one processor each; results do not depend on it.
    hosts: machines that train, too, over ssh: "user@host=4" for four trainings at a time there.
        Another kind of processor may round otherwise.
    time_limit_s: for everything; no training begins that is not expected to end in time.
    controls: where a mix gains something, also train what it must beat: gru-gru and lstm-lstm for
        gru-lstm.
    shares: of the training rows: the two first architectures are trained on these, too, at most 3
        times each, when all else is trained.  Empty: no such trainings.
    worth: the smallest difference that matters: points of a share (0.5), or "2%" of an error.
    progress: called with each phase; without it a line on a terminal.

    Raises WrongOption, UnsupportedScheme, DataError, TrainingFailed (also where the time is too
    short), DeviceError for a host that cannot train and for a device that does not exist,
    OutputError.

    >>> verdict = edgernn.compare((x, y), models=["gru", "lstm"], seeds=5, out="cmp/")
    >>> print(verdict.recommendation)
    """
    architectures = parsed_models(models)
    machines = parsed_hosts(hosts)
    devices = (device,) if isinstance(device, str) else tuple(device)
    for one in devices:
        open_device(one)  # a name that does not exist is known before anything is trained
    require_at_least(0 if machines else 1, workers=workers)
    require_at_least(1, epochs=epochs, units=units)
    require_at_least(0, time_limit_s=time_limit_s)
    if seeds < FEWEST_SEEDS:
        raise WrongOption(
            f"{seeds} training of each contender shows nothing about the luck of a seed",
            remedy=f"Give {FEWEST_SEEDS} seeds or more; 5 are usual",
        )
    schemes, per_layer = parsed_schemes(scheme)
    if per_layer:
        raise WrongOption(
            "a comparison has no schemes of single layers", remedy="Name schemes of whole models"
        )
    forms = forms_of(_formats(to), _sorted(schemes))
    folder = Path(out)
    with progress_line("reading the data", progress) as phase:
        name, splits, recipe = splits_of(data, target=target, hold_out=hold_out, notify=phase)
        recipe = replace(
            recipe,
            units=recipe.units if units is None else units,
            epochs=recipe.epochs if epochs is None else epochs,
        )
        for one in architectures:
            require_learnable(splits.train, architecture_named(one))
        metric = row_metric(splits.test)
        question = Question(
            name=name,
            splits=splits,
            recipe=recipe,
            architectures=architectures,
            controls=with_controls(architectures)[len(architectures) :] if controls else (),
            shares=_shares(shares),
            equal=parsed_equals(equal),
            seeds=seeds,
            forms=forms,
            devices=devices,
            workers=workers,
            hosts=machines,
            time_limit_s=time_limit_s,
            worth=parsed_worth(worth, metric),
        )
        found = compared(question, folder, resume=resume, progress=phase)
    result = Compared(values=found, folder=folder)
    result.write(*(folder / f"report{suffix}" for suffix in _WRITERS))
    return result


def parsed_worth(given: str | float | None, metric: Metric) -> Worth:
    """Points of a share, or percent of an error.

    Raises WrongOption for points of an error, percent of a share, and for what is not positive.
    """
    is_share = metric.is_share
    text = str(DEFAULT_WORTH_POINTS if is_share else f"{DEFAULT_WORTH_PERCENT}%")
    text = text if given is None else str(given)
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%|points?)?\s*", text)
    if found is None or not float(found[1]) > 0:
        raise WrongOption(
            f"a smallest worthwhile difference cannot be '{text}'",
            remedy="Give points of a share (0.5), or percent of an error (2%)",
        )
    number, unit = float(found[1]), found[2]
    if is_share:
        if unit == "%":
            raise WrongOption(
                f"{metric.noun} is a share, and '{text}' would be a percentage of a percentage",
                remedy=f"Give points: --worth {found[1]}",
            )
        return Worth(amount=number / metric.scale)
    if unit != "%":
        raise WrongOption(
            f"the {metric.noun} has the unit of the data, and '{text}' has none",
            remedy=f"Give percent of the error: --worth {found[1]}%",
        )
    return Worth(amount=number / 100, is_relative=True)


def _shares(shares: Sequence[float]) -> tuple[float, ...]:
    if not all(0 < share < 1 for share in shares):
        raise WrongOption(
            f"a share of the training rows lies between 0 and 1, and {max(shares)} does not",
            remedy="Give shares such as 0.25 and 0.5",
        )
    return tuple(sorted(shares))


def _formats(to: str | Sequence[str]) -> tuple[str, ...]:
    names = to.split(",") if isinstance(to, str) else to
    try:
        return tuple(dict.fromkeys(format_named(name.strip()).name for name in names))
    except ValueError as error:
        raise WrongOption(str(error).rstrip(".")) from error


def _sorted(schemes: Sequence[Scheme]) -> tuple[Scheme, ...]:
    """The smallest last: it is the form that the advice is about."""
    return tuple(sorted(schemes, key=list(Scheme).index))
