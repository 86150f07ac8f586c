"""An ensemble: models that were trained apart, and one model that answers with their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgernn import atomic
from edgernn.artefact import sha256_hex
from edgernn.recipe import keep_recipe
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.samples import AnyArray, Splits
from edgernn.tasks.score import score
from edgernn.tasks.training_log import Settings, TrainingLog, log_path, read_log, write_log


def average(
    members: Sequence[Path],
    out: Path,
    *,
    settings: Settings,
    splits: Splits,
    count_parameters: Callable[[Path], int],
    answers: Callable[[Path, AnyArray], AnyArray],
) -> TrainingLog:
    """Writes the model `out` (.keras) that answers with the mean of `members`, and its log.

    members: .keras files of one input and one output each, alike in all of them, with their logs
        beside them.  Each keeps its own standardization of the input.
    answers: of a model file to rows [N, ...]; for a single use, Keras takes seconds.
    Time and epochs of the log are those that the members took.  Its validation score is the mean of
    theirs, since each has validation rows of its own.
    Raises MissingRuntime, DataError or OutputError.
    """
    keras = load_keras()
    logs = [read_log(log_path(path)) for path in members]
    model = mean_of([keras.models.load_model(path, compile=False) for path in members])
    with atomic.staged_together((out, log_path(out))) as (model_file, log_file):
        model.save(model_file)
        if splits.train.front_end is not None:
            keep_recipe(model_file, splits.train.front_end)
        log = replace(
            logs[0],
            settings=settings,
            model=out.name,
            model_sha256=sha256_hex(model_file.read_bytes()),
            parameters=count_parameters(model_file),
            epochs_to_best=max(one.epochs_to_best for one in logs),
            seconds_to_best=sum(one.seconds_to_best for one in logs),
            seconds=sum(one.seconds for one in logs),
            validation=replace(
                logs[0].validation,
                value=float(np.mean([one.validation.value for one in logs])),
                low=float(np.mean([one.validation.low for one in logs])),
                high=float(np.mean([one.validation.high for one in logs])),
            ),
            test=score(answers(model_file, splits.test.x), splits.test),
            epochs=(),
        )
        write_log(log_file, log)
    return log


def mean_of(members: Sequence[Any]) -> Any:
    """A keras.Model of the members' layers side by side, with their weights.

    >>> mean_of([gru, lstm])(x) == (gru(x) + lstm(x)) / 2
    """
    keras = load_keras()
    (like,) = members[0].inputs
    inputs = keras.Input(like.shape[1:], dtype=like.dtype, name=like.name)
    outputs = []
    for place, member in enumerate(members, start=1):
        copied = keras.models.clone_model(
            member, input_tensors=inputs, clone_function=_renaming(place)
        )
        copied.set_weights(member.get_weights())
        outputs += copied.outputs
    mean = keras.layers.Average(name="average")(outputs)
    return keras.Model(inputs, mean, name="_and_".join(member.name for member in members))


def _renaming(place: int) -> Callable[[Any], Any]:
    """Makes a layer anew; its name says which member it is of."""

    def copy(layer: Any) -> Any:
        name = layer.name if place == 1 else f"{layer.name}_of_{place}"
        return layer.__class__.from_config({**layer.get_config(), "name": name})

    return copy
