"""How a trained model is trained again."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn.aware.distillation import Distillation
from edgernn.aware.fine_tuning import fine_tune, gentler, on_the_grid_of, tuned
from edgernn.aware.start import start_from
from edgernn.export.keras.file import parameters_of
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.npz import read_npz
from edgernn.tasks.split import split
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RNG = np.random.default_rng(0)
TOKENS = RNG.integers(1, 6, (200, 5))
X = RNG.normal(size=(200, 5, 2)).astype(np.float32)
OF_STEPS = (X[:, :, 0] > 0).astype(np.int64)
LENGTHS = RNG.integers(2, 6, 200)
OF_STEPS[np.arange(5) >= LENGTHS[:, None]] = -1
WRITTEN = np.where(np.arange(5) < LENGTHS[:, None], TOKENS, -1)


@pytest.mark.parametrize(("given", "wanted"), [(50, 30), (8, 8), (0, 0)])
def test_fine_tuning_is_short_and_gentle_and_its_rate_falls_to_0(given: int, wanted: int) -> None:
    recipe = Recipe(units=8, epochs=given, patience=5, learning_rate=0.02)
    tuning = gentler(recipe)
    assert tuning == Recipe(units=8, epochs=wanted, patience=0, learning_rate=0.01)


def test_the_control_gives_all_grids_its_weights_and_int4_its_answers() -> None:
    layers = load_keras().layers
    model = load_keras().Sequential([layers.Input((5, 2)), layers.GRU(4), layers.Dense(1)])
    taught = {
        scheme: on_the_grid_of(model, scheme) for scheme in ("int8", "int4", "int3", "ternary")
    }
    for one in taught.values():
        pairs = zip(one.inner.get_weights(), model.get_weights(), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
    assert taught["int4"].distillation.teacher is model
    others = {scheme: one.distillation for scheme, one in taught.items() if scheme != "int4"}
    assert others == dict.fromkeys(("int8", "int3", "ternary"))


@pytest.mark.parametrize(("patience", "kept"), [(0, -1), (6, 0)])
def test_without_patience_the_last_weights_count(patience: int, kept: int, tmp_path: Path) -> None:
    """Validation rows with the other class: their loss rises from epoch to epoch."""
    path, start = tmp_path / "rows.npz", tmp_path / "start.keras"
    np.savez(path, x=X, y=OF_STEPS[:, 0])
    splits = split(read_npz(path))
    wrong = replace(splits.validation, y=1 - np.asarray(splits.validation.y))
    splits = replace(splits, validation=wrong)
    recipe = Recipe(units=4, epochs=6, batch_size=16, patience=patience, learning_rate=0.05)
    untrained = replace(recipe, epochs=0)
    train(splits, start, task="rows", cell="gru", recipe=untrained, count_parameters=parameters_of)
    begin = start_from(start, splits, recipe)
    model = begin.to_fit()
    epochs = tuned(model, begin, splits, 0, lambda _epoch: None)
    losses = [epoch.validation_loss for epoch in epochs]
    assert losses[-1] > losses[0] + 0.1
    after, _accuracy = model.evaluate(wrong.x, wrong.y, verbose=0)
    assert after == pytest.approx(losses[kept], rel=1e-4)


def test_the_grid_and_its_control_start_from_the_same_training_in_float_and_last_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, start = tmp_path / "rows.npz", tmp_path / "start.keras"
    np.savez(path, x=X, y=OF_STEPS[:, 0])
    splits = split(read_npz(path))
    recipe = Recipe(units=4, epochs=2, batch_size=16, patience=0)
    common: dict[str, Any] = {"task": "rows", "count_parameters": parameters_of}
    train(splits, start, cell="gru", recipe=recipe, **common)
    began: list[list[Any]] = []
    epochs: list[int] = []

    def recorded(model: Any, *given: Any) -> Any:
        began.append(getattr(model, "inner", model).get_weights())
        found = tuned(model, *given)
        epochs.append(len(found))
        return found

    monkeypatch.setattr("edgernn.aware.fine_tuning.tuned", recorded)
    fine_tune(
        *(splits, start, tmp_path / "small.keras"),
        scheme="int4",
        recipe=recipe,
        shown=lambda _name: nullcontext(lambda _epoch: None),
        **common,
    )
    first, on_grid, control = began
    assert epochs == [2, 2, 2]
    assert all(np.array_equal(a, b) for a, b in zip(on_grid, control, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, control, strict=True))


@pytest.mark.long
@pytest.mark.parametrize(
    ("target", "arrays"),
    [
        (Target.CLASS, {"x": X, "y": OF_STEPS[:, 0]}),
        (Target.LABELS, {"x": X, "y": (X[:, 0] > 0).astype(np.int64)}),
        (Target.NUMBERS, {"x": X, "y": 300 + 50 * X[:, 0]}),
        (Target.STEPS, {"x": X, "y": OF_STEPS, "lengths": LENGTHS}),
        (Target.TOKEN, {"x": TOKENS, "y": TOKENS[:, 0]}),
        (Target.SEQUENCE, {"x": TOKENS, "y": WRITTEN, "lengths": LENGTHS}),
        (Target.CLASS, {"x": X, "y.sign": OF_STEPS[:, 0], "y.size": X[:, 0, 0]}),
    ],
)
def test_the_control_teaches_every_kind_of_target(
    target: Target, arrays: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each batch the difference to the loss against labels: it is finite, and never just 0.

    And the teacher is a control that has been trained: its answers are not those of the start.
    """
    added: list[float] = []
    teachers: list[Any] = []

    def more_loss(self: Distillation, *given: Any) -> Any:
        value = computed(self, *given)
        teachers.append(self.teacher)
        sys.modules["tensorflow"].py_function(lambda one: added.append(float(one)), [value], [])
        return value

    computed = Distillation.more_loss
    monkeypatch.setattr(Distillation, "more_loss", more_loss)
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    splits = split(read_npz(path, None if "y.sign" in arrays else target))
    assert splits.train.target is target
    cell = "seq2seq-gru-gru" if target is Target.SEQUENCE else "gru"
    recipe = Recipe(units=4, epochs=2, batch_size=16, patience=0)
    common: dict[str, Any] = {"task": "rows", "count_parameters": parameters_of}
    start = tmp_path / "start.keras"
    train(splits, start, cell=cell, recipe=recipe, **common)
    small = fine_tune(
        *(splits, start, tmp_path / "small.keras"),
        scheme="int4",
        recipe=recipe,
        shown=lambda _name: nullcontext(lambda _epoch: None),
        **common,
    )
    assert len(added) == 2 * -(-len(splits.train) // 16)
    assert np.isfinite(added).all()
    assert np.abs(added).min() > 1e-6
    assert len(small.log.epochs) == 2
    begun = load_keras().models.load_model(start).get_weights()
    taught = zip(begun, teachers[0].get_weights(), strict=True)
    assert any(a.shape == b.shape and np.abs(a - b).max() > 1e-3 for a, b in taught)
