"""Fine-tunings on grids of few bits beside the same in float, each with the answers of its file."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import edgernn
from bench.few_bits_record import RULES, SCHEMES, TUNINGS, Row
from edgernn.aware.deployed import Deployed, deployed
from edgernn.aware.fine_tuning import gentler, on_the_grid_of
from edgernn.aware.fine_tuning import tuned as fine_tuned
from edgernn.aware.start import start_from
from edgernn.aware.weights import chosen_weights
from edgernn.export.keras.file import parameters_of
from edgernn.runtime import Model
from edgernn.scheme import Scheme
from edgernn.tasks import counter
from edgernn.tasks.augmentation import augmented
from edgernn.tasks.data import task_named
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.samples import Splits
from edgernn.tasks.training import train

_TOP: Final = Path(__file__).resolve().parents[1]
_MODELS: Final = _TOP / "tests" / "golden" / "trained"

_GENERATED_ROWS: Final = 6_000
_GENERATED_SEED: Final = 1_000  # no row of the training
_AT_ONCE: Final = 1_500  # rows of a prediction

_IN_FILE: Final = {"float": Scheme.FLOAT32, "int8": Scheme.INT8}  # the others: int4


def tuned(task: str, name: str, start: Path, seed: int, schemes: tuple[str, ...]) -> Iterator[Row]:
    """One model fine-tuned as `edgernn train --qat` does without options: in float and on grids."""
    splits, recipe = _splits(task), gentler(task_named(task).recipe)
    recipe = replace(recipe, epochs=TUNINGS[task].epochs or recipe.epochs)
    begin = start_from(start, splits, recipe)
    made = _one_of(task, name, seed, splits)
    load_keras().utils.set_random_seed(seed)
    control = begin.to_fit()
    before = _classes(begin.as_deployed(control), splits)
    grids = [scheme for scheme in schemes if scheme not in _IN_FILE]
    rounded = {
        scheme: _classes(
            deployed(begin.as_deployed(control), chosen_weights(control, scheme).weights).model,
            splits,
        )
        for scheme in grids
    }
    rows = augmented(splits, seed)
    fine_tuned(control, begin, rows, seed, lambda _epoch: None)
    for scheme in grids:
        model = on_the_grid_of(control, scheme)
        fine_tuned(model, begin, rows, seed, lambda _epoch: None)
        answering = deployed(begin.as_deployed(model.inner), model.on_grid)
        found = _classes(answering.model, splits)
        yield made(scheme, rounded[scheme], found, _native(answering, scheme, splits))
    if not _IN_FILE.keys() & set(schemes):
        return
    fine_tuned(control, begin, rows, seed, lambda _epoch: None)
    answering = Deployed(model=begin.as_deployed(control), grids=())
    wanted = _classes(answering.model, splits)
    if "float" in schemes:
        yield made("float", before, wanted, _native(answering, "float", splits))
    if "int8" in schemes:  # who runs the file gets its answers
        content = _native(answering, "int8", splits)
        yield made("int8", before, _native_classes(content, splits), content, beside=wanted)


def of_tests(task: str, seed: int, schemes: tuple[str, ...] = SCHEMES) -> Iterator[Row]:
    """From the model that the tests have of the task."""
    name = TUNINGS[task].model
    return tuned(task, name, _MODELS / f"{name}.keras", seed, schemes)


def grown(task: str, units: int, seed: int, schemes: tuple[str, ...]) -> Iterator[Row]:
    """From a model of another width, trained from its first weights: what bytes do as units."""
    cell = TUNINGS[task].cell
    with TemporaryDirectory() as folder:
        start = Path(folder) / "model.keras"
        train(
            *(_splits(task), start),
            task=task,
            cell=cell,
            recipe=replace(task_named(task).recipe, units=units),
            seed=seed,
            count_parameters=parameters_of,
        )
        yield from tuned(task, f"{cell} {units}", start, seed, schemes)


def _one_of(task: str, name: str, seed: int, splits: Splits) -> Any:
    truth = np.asarray(splits.test.y)

    def made(scheme: str, before: Any, found: Any, content: bytes, beside: Any = None) -> Row:
        """found: the classes that count; beside: those of the training, where they are others.

        before: the classes before the training.
        """
        training = found if beside is None else beside
        right = found == truth
        return Row(
            task=task,
            model=name,
            scheme=scheme,
            rule=RULES[scheme],
            seed=seed,
            before=round(float(np.mean(before == truth)), 5),
            after=round(float(right.mean()), 5),
            bytes=len(content),
            alike=round(float(np.mean(_native_classes(content, splits) == training)), 5),
            rows=len(right),
            right=base64.b64encode(np.packbits(right).tobytes()).decode(),
        )

    return made


@functools.cache
def _splits(task: str) -> Splits:
    """Rows of a task; of one that is generated, more to test, for narrower intervals."""
    splits = task_named(task).read(lambda _phase: None)
    rows = TUNINGS[task].rows
    if rows is not None:
        train = replace(splits.train, x=splits.train.x[:rows], y=np.asarray(splits.train.y)[:rows])
        splits = replace(splits, train=train)
    if task == counter.TASK.name:
        return replace(splits, test=counter.generated(_GENERATED_ROWS, seed=_GENERATED_SEED))
    return splits


def _classes(model: Any, splits: Splits) -> npt.NDArray[np.intp]:
    return np.asarray(model.predict(splits.test.x, batch_size=_AT_ONCE, verbose=0)).argmax(-1)


def _native(model: Deployed, scheme: str, splits: Splits) -> bytes:
    """The content of an .ernn file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        stored = _IN_FILE.get(scheme, Scheme.INT4)
        rows = None if stored is Scheme.FLOAT32 else splits.calibration.x
        made = edgernn.load(path).export(
            folder, to="native", scheme=stored.value, calibrate=rows, verify=False
        )
        return made["native"].path.read_bytes()


def _native_classes(content: bytes, splits: Splits) -> npt.NDArray[np.intp]:
    model = Model(content)
    (entry,) = model.free_inputs
    (answers,) = model.run({entry.name: splits.test.x}).values()
    return np.asarray(answers).argmax(-1)
