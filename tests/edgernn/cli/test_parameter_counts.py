"""inspect, export and profile report one number of parameters, counted here by Keras."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import edgernn as api
from edgernn.artefact import read_manifest
from edgernn.export.keras.file import parameters_of

GOLDEN = Path("tests/golden")
MODELS = (
    GOLDEN / "small_gru.keras",
    GOLDEN / "bidirectional_gru.keras",
    *sorted((GOLDEN / "trained").glob("*.keras")),
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_all_commands_count_as_keras_does(edgernn, tmp_path, path):
    keras = pytest.importorskip("keras")
    model = keras.models.load_model(path)
    # Without integers: the counter of a Normalization and the seed of a Dropout are no parameters.
    arrays = [one for one in model.weights if "int" not in one.dtype]
    # Statistics given as an option are no weights for Keras, but the artefacts store them, too.
    arrays += [
        statistic
        for layer in model.layers
        if isinstance(layer, keras.layers.Normalization) and not layer.weights
        for statistic in (layer.mean, layer.variance)
    ]
    expected = sum(math.prod(one.shape) for one in arrays)
    # A BatchNormalization of four arrays is a scale and an offset in the artefacts.
    expected -= sum(
        2 * layer.gamma.shape[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    assert parameters_of(path) == expected
    (inspected,) = json.loads(edgernn("inspect", path, "--json").out)
    assert inspected["parameters"] == expected
    assert f"{expected:,} parameters" in edgernn("inspect", path).out
    assert edgernn("export", path, "--to", "native", "--no-verify", "-o", tmp_path).code == 0
    assert [one.source.parameters for one in read_manifest(tmp_path)] == [expected]
    report = api.measure(tmp_path, device="fake", processes=1, min_time_ms=1, warm_up_ms=1)
    assert [row.parameters for row in report.rows] == [expected]
