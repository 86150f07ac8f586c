"""What docs/refused-layers.md advises was tried: the parts of a model export and agree with it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgernn import reference
from edgernn.errors import UnsupportedLayer
from edgernn.export.keras.file import read_model

PAGE = Path(__file__).parents[3] / "docs" / "refused-layers.md"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of numpy, in Keras
def test_the_rest_of_a_model_behind_a_lambda_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    x = keras.Input((6, 4))
    y = keras.layers.Lambda(lambda t: t * 2.0, name="lambda")(x)
    y = keras.layers.GRU(5, return_sequences=True)(y)
    model = keras.Model(x, keras.layers.Dense(3)(keras.layers.LSTM(4)(y)))
    model.save("model.keras")
    with pytest.raises(UnsupportedLayer):
        read_model(Path("model.keras"))
    (snippet,) = [
        code
        for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "rest.keras" in code
    ]
    exec(snippet, {})
    graph = read_model(Path("rest.keras")).graph
    rows = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    (answer,) = reference.run(graph, {graph.inputs[0].name: rows * 2}).values()
    np.testing.assert_allclose(answer, model.predict(rows, verbose=0), atol=1e-5)
