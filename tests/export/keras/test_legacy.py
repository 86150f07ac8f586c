"""Genuine old files (tests/golden/legacy/make_golden.py): their own versions' answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgernn import reference
from edgernn.export.keras.file import read_model
from edgernn.graph import HARD_SIGMOID_KERAS2, HARD_SIGMOID_KERAS3, Gru, Lstm
from tests.export.keras.archives import LEGACY

MODELS = sorted([*LEGACY.glob("*.h5"), *LEGACY.glob("*.keras")])


def test_the_legacy_models_are_there():
    assert len(MODELS) == 17


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_a_legacy_model_gives_what_its_own_keras_predicted(path: Path):
    graph = read_model(path).graph
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as stored:
        inputs = {
            entry.name: stored[f"input_{number}"].astype(entry.spec.dtype.numpy)
            for number, entry in enumerate(graph.inputs)
        }
        expected = [stored[f"output_{number}"] for number in range(len(graph.outputs))]
        assert f"output_{len(expected)}" not in stored
    results = list(reference.run(graph, inputs).values())
    for result, answer in zip(results, expected, strict=True):
        assert result.shape == answer.shape
        np.testing.assert_allclose(result, answer, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("file", "slope"),
    [
        ("text-2.2.4.h5", HARD_SIGMOID_KERAS2),
        ("text-2.8.0.h5", HARD_SIGMOID_KERAS2),
        ("text-3.0.5.keras", HARD_SIGMOID_KERAS3),
    ],
)
def test_hard_sigmoid_means_what_the_file_s_keras_meant(file, slope):
    (lstm,) = (entry for entry in read_model(LEGACY / file).graph.layers if isinstance(entry, Lstm))
    assert lstm.recurrent_activation == slope


def test_cudnn_layers_are_read_as_the_layers_that_they_compute():
    graph = read_model(LEGACY / "cudnn-2.4.0.h5").graph
    kinds = [type(entry) for entry in graph.layers]
    assert kinds == [Gru, Lstm]


def test_a_frozen_layer_in_a_nested_model_keeps_its_own_weights():
    """A legacy file lists frozen weights after all others of the nested model."""
    graph = read_model(LEGACY / "seq2seq-2.8.0.h5").graph
    shapes = {
        entry.name: entry.weights["kernel"].shape
        for entry in graph.layers
        if "kernel" in entry.weights
    }
    assert shapes["head/frozen"] == (4, 3)
    assert shapes["head/inner_out"] == (3, 2)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_the_source_says_what_was_read(path: Path):
    source = read_model(path).source
    assert source.file == path.name
    assert source.bytes == path.stat().st_size
    assert source.keras_version == path.stem.partition("-")[2]
