"""Trainings without patience: all epochs, and a learning rate that rises and falls once."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.tasks.goal import goal_of
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.samples import Samples
from edgernn.tasks.schedule import rate_at
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import built, fitted


def test_the_learning_rate_rises_to_its_highest_and_falls_to_0():
    rates = np.array([rate_at(done, 0.01) for done in np.linspace(0, 1, 101)])
    highest = int(rates.argmax())
    assert rates.max() == pytest.approx(0.01)
    assert rates[0] == pytest.approx(0.001)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    assert highest == 10
    assert (np.diff(rates[: highest + 1]) > 0).all()
    assert (np.diff(rates[highest:]) < 0).all()


@pytest.mark.parametrize("patience", [0, 1])
def test_without_patience_all_epochs_are_trained_and_the_best_weights_stay(patience):
    pytest.importorskip("tensorflow")
    load_keras().utils.set_random_seed(0)
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 5, 2)).astype(np.float32)
    # Labels of chance, learned by heart: the validation loss only rises.
    parts = split(Samples(name="mine", x=x, y=random.integers(0, 2, 120)))
    architecture = architecture_named("gru")
    recipe = Recipe(units=48, epochs=6, patience=patience, learning_rate=0.1, batch_size=16)
    model = built(parts.train, architecture, recipe)
    goal = goal_of(parts, architecture, recipe)
    found = fitted(model, parts, goal, recipe, lambda _epoch: None)
    losses = [one.validation_loss for one in found]
    best = 1 + losses.index(min(losses))
    assert best <= 4
    assert len(found) == (min(6, best + patience) if patience else 6)
    kept = model.evaluate(goal.inputs(parts.validation), goal.of(parts.validation), verbose=0)[0]
    assert kept == pytest.approx(min(losses), rel=1e-4)
    assert kept < losses[-1]
    at_the_end = float(model.optimizer.learning_rate)
    assert (at_the_end < 1e-3) == (patience == 0)
