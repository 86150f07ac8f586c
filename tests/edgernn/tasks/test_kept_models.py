"""A model that is kept for the next training trains as a new one would, whatever came before."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.keras.file import parameters_of
from edgernn.tasks.architectures import build, standardized
from edgernn.tasks.kept_models import KeptModels
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.samples import Samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def splits(seed, rows=120):
    random = np.random.default_rng(seed)
    x = random.normal(3.0 + seed, 2.0, size=(rows, 5, 2)).astype(np.float32)
    return split(Samples(name="mine", x=x, y=(x[:, 2, 0] > 3).astype(np.int64)))


def weights(folder, seed, kept, **options):
    recipe = Recipe(units=3, epochs=2, **options)
    made = train(
        splits(seed),
        folder / "model.keras",
        task="mine",
        cell="gru",
        recipe=recipe,
        seed=seed,
        count_parameters=parameters_of,
        kept=kept,
    )
    return load_keras().models.load_model(made.model, compile=False).get_weights()


def test_what_a_worker_trained_before_changes_no_weight(tmp_path):
    pytest.importorskip("tensorflow")
    alone = {patience: weights(tmp_path, 2, None, patience=patience) for patience in (8, 0)}
    kept = KeptModels()
    weights(tmp_path, 2, kept, learning_rate=0.1)
    weights(tmp_path, 1, kept, patience=0)
    for patience in (8, 0, 8):
        again = weights(tmp_path, 2, kept, patience=patience)
        for one, other in zip(alone[patience], again, strict=True):
            np.testing.assert_array_equal(one, other)


def test_features_are_standardized_as_the_layer_of_the_model_does_it():
    pytest.importorskip("tensorflow")
    rows = splits(0).train
    model = build(rows, architecture_named("gru"), units=3, layers=1)
    layer = model.get_layer("standardize")
    np.testing.assert_allclose(
        standardized(rows.x, rows), np.asarray(layer(rows.x)), rtol=1e-6, atol=1e-6
    )
    tokens = Samples(name="tokens", x=np.array([[1, 2]]), y=np.array([0]))
    np.testing.assert_array_equal(standardized(tokens.x, tokens), tokens.x)
