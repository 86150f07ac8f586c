"""Given models side by side, without training: a paired test on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.errors import DataError, MissingRuntime, WrongOption
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph, training_log_of
from edgernn.export.sound_input import text_recipe
from edgernn.export.study.labelled import predict
from edgernn.graph import Graph
from edgernn.profile.candidates import Candidate, find_candidates
from edgernn.profile.measure import Plan
from edgernn.profile.measured import measured_files
from edgernn.recipe import FrontEndRecipe
from edgernn.scoring.metric import METRICS, Metric
from edgernn.scoring.predictions import Predictions
from edgernn.selection.crossed import Effect, RowScores, by_origin
from edgernn.selection.row_scores import per_row, row_metric
from edgernn.selection.verdict import Verdict, Worth, verdicts
from edgernn.stats import Interval, mcnemar, student_cdf, student_quantile
from edgernn.tasks.samples import Samples

_KERAS: Final = (".keras", ".h5", ".hdf5")
#: Only answers are wanted; times of such a run are not shown.
_PLAN: Final = Plan(processes=1, min_time_s=0.001, warm_up_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A file, its score, and its difference from the first file; None for the first."""

    name: str
    score: float
    bytes: int
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileComparison:
    """Verdicts about files.  About architectures they say nothing."""

    data: str
    rows: int
    metric: str  # a name of METRICS
    worth: float
    files: tuple[Judged, ...]

    @property
    def judge(self) -> Metric:
        """The metric's row."""
        return METRICS[self.metric]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelFile:
    """A trained model.  front_end: how sound or text goes in, where the file says it."""

    path: Path
    front_end: FrontEndRecipe | None
    graph: Graph | None = None  # of a Keras file
    labels: tuple[str, ...] = ()  # of a Keras file, in the log of its training
    candidate: Candidate | None = None  # any other file


def model_files(paths: Sequence[Path]) -> list[ModelFile]:
    """The files, opened.

    Raises WrongOption for fewer than two, ModelFileError, UnsupportedLayer.
    """
    if len(set(paths)) < 2:
        raise WrongOption(
            f"{len(set(paths))} model is given, and a comparison needs two",
            remedy="Name two or more files: --from a.keras,b.onnx",
        )
    return [_opened(path) for path in paths]


def _opened(path: Path) -> ModelFile:
    if path.suffix.lower() in _KERAS:
        source = read_model(path)
        log = training_log_of(path, source.source.sha256)
        return ModelFile(
            path=path,
            front_end=source.front_end or text_recipe(source.graph),
            graph=float_graph(source.graph),
            labels=log.labels if log else (),
        )
    (candidate,) = find_candidates([path])
    return ModelFile(path=path, front_end=candidate.front_end, candidate=candidate)


def compared_files(
    files: Sequence[ModelFile], samples: Sequence[Samples], worth: Worth
) -> FileComparison:
    """Scores each file on its samples and compares the others with the first, row by row.

    samples: for each file, the same rows as its front end makes them.
    Raises DataError for rows without answers, that do not fit a model, or that differ from file to
    file; MissingRuntime.
    """
    first = samples[0]
    metric = row_metric(first)
    if len(first) < 2:
        raise DataError(f"{first.name} has one row", remedy="Give some hundred rows")
    names = _names([file.path for file in files])
    for name, its in zip(names, samples, strict=True):
        if not _same_answers(first, its):
            raise DataError(
                f"{names[0]} and {name} make {len(first)} and {len(its)} rows of {first.name}, "
                "whose answers differ",
                remedy="Compare models that take the data in the same pieces",
            )
    scores = [
        np.array(per_row(_predictions(file, its), its))
        for file, its in zip(files, samples, strict=True)
    ]
    amount = worth.of(float(scores[0].mean()))
    effects = [_paired(one, scores[0], first) for one in scores[1:]]
    found = verdicts(effects, worth=amount, higher_is_better=metric.higher_is_better)
    return FileComparison(
        data=first.name,
        rows=len(first),
        metric=metric.name,
        worth=amount,
        files=tuple(
            Judged(
                name=name, score=float(of.mean()), bytes=file.path.stat().st_size, verdict=verdict
            )
            for name, file, of, verdict in zip(names, files, scores, (None, *found), strict=True)
        ),
    )


def _same_answers(one: Samples, other: Samples) -> bool:
    if one is other or one.y is None or other.y is None:
        return one is other
    return one.labels == other.labels and np.array_equal(one.y, other.y)


def _names(paths: Sequence[Path]) -> list[str]:
    """File names, with their folders where two are alike."""
    short = [path.name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _predictions(file: ModelFile, samples: Samples) -> Predictions:
    if file.graph is not None:
        return predict(file.graph, samples, file.labels, file=file.path.name)
    assert file.candidate is not None  # noqa: S101
    measured = measured_files([file.candidate], samples, ("cpu",), plan=_PLAN, weighs=False)
    (cell,) = measured.complete.cells
    if cell.predictions is None:
        raise MissingRuntime(
            f"{file.path.name} gives no answers: {cell.unjudged or cell.outcome}",
            remedy="Install its runtime, or give the model that it was made from",
        )
    return cell.predictions


def _paired(a: RowScores, b: RowScores, samples: Samples) -> Effect:
    """a minus b: McNemar's test of right and wrong rows, else a t-test of differences."""
    rows = by_origin((a - b)[None], samples.origins)[0]
    count = len(rows)
    variance = float(rows.var(ddof=1)) / count
    is_right = count == len(a) and bool(np.isin([a, b], (0.0, 1.0)).all())
    exact = mcnemar(a == 1.0, b == 1.0) if is_right else None
    if exact is not None and exact.interval is not None and exact.p_value is not None:
        estimate, interval, p_value = exact.estimate, exact.interval, exact.p_value
    else:
        estimate = float(rows.mean())
        error = math.sqrt(variance)
        half = student_quantile(0.975, count - 1) * error
        interval = Interval(estimate - half, estimate + half)
        if error > 0:
            p_value = 2 * student_cdf(-abs(estimate) / error, count - 1)
        else:
            p_value = 0.0 if estimate else 1.0
    return Effect(
        estimate=estimate,
        interval=interval,
        p_value=p_value,
        seed_variance=0.0,
        row_variance=variance,
        seeds=0,
        rows=count,
    )
