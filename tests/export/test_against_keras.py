"""Keras itself is asked: a misreading that reader and reference share cannot hide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import errors
from edgernn.front.loaded import Loaded, load
from edgernn.graph import Gru
from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"


def misread(loaded: Loaded) -> Loaded:
    """As if the reader took the gates in another order."""
    graph = loaded.model.graph

    def swapped(layer: Any) -> Any:
        if not isinstance(layer, Gru):
            return layer
        first, second, third = np.split(np.asarray(layer.kernel), 3, axis=1)
        return replace(layer, kernel=np.concatenate([second, first, third], axis=1))

    layers = tuple(swapped(layer) for layer in graph.layers)
    return replace(loaded, model=replace(loaded.model, graph=replace(graph, layers=layers)))


def test_a_model_that_was_read_rightly_passes(tmp_path):
    made = load(SMALL).export(tmp_path, to="native", against_keras=True)
    assert made.against_keras is not None
    assert made.against_keras.max_error is not None
    assert made.against_keras.max_error < 1e-5
    assert "Keras itself gives the same" in str(made)


def test_a_misreading_that_the_reference_shares_is_found_and_nothing_is_written(tmp_path):
    loaded = misread(load(SMALL))
    out = tmp_path / "out"
    loaded.export(tmp_path / "unasked", to="native")  # reader and reference agree
    with pytest.raises(errors.VerificationError, match="what edgernn reads from the model differs"):
        loaded.export(out, to="native", against_keras=True)
    assert not out.exists()


def test_without_keras_it_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("edgernn.export.against_keras.find_spec", lambda _name: None)
    with pytest.raises(errors.MissingRuntime, match="pip install keras"):
        load(SMALL).export(tmp_path / "out", against_keras=True)


def test_a_file_that_keras_cannot_load_is_an_error(tmp_path):
    loaded = load(SMALL)
    broken: Path = tmp_path / "broken.keras"
    broken.write_bytes(b"no model")
    with pytest.raises(errors.VerificationError, match="Keras cannot run the model"):
        replace(loaded, origin=broken).export(tmp_path / "out", against_keras=True)


def test_a_legacy_file_is_compared_with_the_keras_of_its_time(tmp_path):
    file = next(iter(sorted((GOLDEN / "legacy").glob("*.h5"))))
    made = load(file).export(tmp_path, to="native", against_keras=True)
    assert made.against_keras is not None
