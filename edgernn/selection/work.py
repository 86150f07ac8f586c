"""What a worker does for one job: train, write the files, score each of them on the test rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgernn import atomic, reference
from edgernn.artefact import Artefact
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.errors import MissingRuntime
from edgernn.export.calibration import Calibration
from edgernn.export.keras.file import parameters_of, read_model
from edgernn.export.keras.object import from_keras
from edgernn.export.pipeline import export_model, float_graph, require_scheme
from edgernn.export.request import Request
from edgernn.export.source_model import SourceModel
from edgernn.export.study.labelled import artefact_predictions, predict
from edgernn.formats import format_named
from edgernn.scheme import Scheme
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.data import parts_of
from edgernn.selection.memory import peak_bytes, reset_peak
from edgernn.selection.row_scores import per_row
from edgernn.selection.training import ORIGINAL, Epoch, Training, model_file, read_training
from edgernn.tasks.architectures import build
from edgernn.tasks.averaging import average, mean_of
from edgernn.tasks.kept_models import KeptModels
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.samples import AnyArray, Samples, Splits
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import settings_of, train
from edgernn.tasks.training_log import TrainingLog, log_path

#: A worker trains the same architecture with one seed after the other.
_KEPT: Final = KeptModels()
_SIZING_ROWS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """What is made of each trained model: every format in every scheme that it has."""

    formats: tuple[str, ...]
    schemes: tuple[Scheme, ...]

    def having(self, scheme: Scheme) -> tuple[str, ...]:
        """The formats that have the scheme; all, to be refused by name, where none has."""
        some = tuple(name for name in self.formats if scheme in format_named(name).schemes)
        return some or self.formats

    @property
    def names(self) -> tuple[str, ...]:
        """As in `Training.scores`."""
        return tuple(
            f"{name} {scheme.value}" for scheme in self.schemes for name in self.having(scheme)
        )


def forms_of(formats: Sequence[str], schemes: Sequence[Scheme]) -> Forms:
    """Raises UnsupportedScheme for a scheme that none of the formats has, before any training."""
    forms = Forms(formats=tuple(formats), schemes=tuple(schemes))
    for scheme in forms.schemes:
        for name in forms.having(scheme):
            require_scheme(format_named(name), scheme)
    return forms


def form_name(artefact: Artefact) -> str:
    """ "native int8": how tables and files call what was made from a model."""
    return f"{artefact.backend} {artefact.scheme.value}"


def trained(job: Job, splits: Splits, forms: Forms, folder: Path) -> Training:
    """Trains, and scores the model and each file made from it, on the rows of the job's role.

    folder: the model is written there (`model_file`; its log beside it).  The members of an
        ensemble, which is averaged and not trained, are there already.
    Raises DataError, UnsupportedLayer, MissingRuntime, OutputError.
    """
    parts = parts_of(splits, job)
    is_apart = job.role in (Role.COMPARED, Role.CONFIRMED)
    judged = parts.test if is_apart else parts.validation
    reset_peak()
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model.keras"
        log = _averaged(job, parts, model, folder) if job.members else _fitted(job, parts, model)
        peak = peak_bytes()
        artefacts = _exported(read_model(model), Path(scratch), parts.calibration, forms)
        scores = {ORIGINAL: _original_scores(model, judged)}
        for artefact in artefacts:
            found = artefact_predictions(artefact, Path(scratch), judged)
            if isinstance(found, Skipped | Failed):
                raise MissingRuntime(
                    f"{form_name(artefact)} cannot be scored: {found}",
                    remedy="Install the runtime, or leave this format out of --to",
                )
            scores[form_name(artefact)] = per_row(found, judged)
        _keep(model, model_file(folder, job.key))
    return Training(
        key=job.key,
        name=job.contender.name,
        repetition=job.repetition,
        seed=job.seed,
        parameters=log.parameters,
        seconds=log.seconds,
        seconds_to_best=log.seconds_to_best,
        epochs_to_best=log.epochs_to_best,
        peak_bytes=max([peak, *(one.peak_bytes for one in _results(job.members, folder))]),
        curve=tuple(
            Epoch(loss=epoch.loss, validation_loss=epoch.validation_loss) for epoch in log.epochs
        ),
        scores=scores,
        bytes={form_name(one): sum(file.bytes for file in one.files) for one in artefacts},
    )


def _fitted(job: Job, parts: Splits, model: Path) -> TrainingLog:
    return train(
        parts,
        model,
        task=parts.train.name,
        cell=job.contender.architecture,
        recipe=job.recipe,
        seed=job.seed,
        count_parameters=parameters_of,
        kept=_KEPT,
        answers=_answers,
    ).log


def _averaged(job: Job, parts: Splits, model: Path, folder: Path) -> TrainingLog:
    settings = settings_of(
        parts,
        task=parts.train.name,
        cell=job.contender.architecture,
        recipe=job.recipe,
        seed=job.seed,
    )
    return average(
        [model_file(folder, one.key) for one in job.members],
        model,
        settings=settings,
        splits=parts,
        count_parameters=parameters_of,
        answers=_answers,
    )


def _answers(path: Path, x: AnyArray) -> AnyArray:
    """[N, ...] -> [N, ...]: of the first output, by the reference executor."""
    graph = float_graph(read_model(path).graph)
    (seen,), said = graph.inputs, graph.outputs[0].name
    calls = [{seen.name: x[row : row + 1]} for row in range(len(x))]
    return np.concatenate([one[said] for one in reference.run_calls(graph, calls)])


def _results(jobs: Sequence[Job], folder: Path) -> list[Training]:
    found = (read_training(folder, job.key) for job in jobs)
    return [one for one in found if one is not None]


def size_of(
    contender: Contender, recipe: Recipe, splits: Splits, forms: Forms, *, role: Role
) -> dict[str, int]:
    """Bytes by form, of an untrained model: its weights are as many as those of a trained one.

    role: an ensemble that is compared has a standardization for each member.
    """

    def untrained(name: str, place: int = 0) -> Any:
        # Without `place` rows: equal standardizations would be stored once.
        rows = splits.train.rows(np.arange(place, len(splits.train)), name=splits.train.name)
        return build(rows, architecture_named(name), units=contender.units, layers=recipe.layers)

    names = architecture_named(contender.architecture).member_names
    apart = role is Role.COMPARED and len(names) > 1
    if apart:
        model = mean_of([untrained(name, place) for place, name in enumerate(names)])
    else:
        model = untrained(contender.architecture)
    random = np.random.default_rng(0)  # equal arrays (biases of 0) would be stored once, too
    model.set_weights([random.normal(0, 0.1, one.shape) for one in model.get_weights()])
    few = splits.calibration.rows(  # sizes do not depend on ranges
        np.arange(min(_SIZING_ROWS, len(splits.calibration))), name=splits.calibration.name
    )
    with tempfile.TemporaryDirectory() as scratch:
        artefacts = _exported(from_keras(model), Path(scratch), few, forms)
        return {form_name(one): sum(file.bytes for file in one.files) for one in artefacts}


def _original_scores(path: Path, test: Samples) -> tuple[float, ...]:
    graph = float_graph(read_model(path).graph)
    return per_row(predict(graph, test, file=path.name), test)


def _exported(
    model: SourceModel, out: Path, calibration: Samples, forms: Forms
) -> tuple[Artefact, ...]:
    """Unchecked: the files of the representative training are checked when they are handed over."""
    if not forms.schemes:
        return ()
    graph = float_graph(model.graph)
    needed = any(scheme is not Scheme.FLOAT32 for scheme in forms.schemes)
    calibrated = Calibration(spec=calibration if needed else None).of(graph, lambda _phase: None)
    made: list[Artefact] = []
    for scheme in forms.schemes:
        request = Request(
            backends=forms.having(scheme),
            scheme=scheme,
            ranges=calibrated.ranges,
            verify=False,
            labels=calibration.labels,  # they are a part of the file, and of its size
        )
        made += export_model(model, out, request)
    return tuple(made)


def _keep(model: Path, kept: Path) -> None:
    atomic.write_bytes(kept, model.read_bytes())
    atomic.write_bytes(log_path(kept), log_path(model).read_bytes())
