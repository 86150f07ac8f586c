"""Each row of docs/refused-layers.md: the layer is refused, and what the row advises exports."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import reference
from edgernn.errors import UnsupportedLayer
from edgernn.export import backend_named
from edgernn.export.keras.object import from_keras

PAGE = Path(__file__).parents[3] / "docs" / "refused-layers.md"

#: x: [B, 6, 8, 8, 2], frames of images; [B, 8, 8, 2], an image; [B, 6, 4], a sequence.
FRAMES, IMAGE, SEQUENCE = (6, 8, 8, 2), (8, 8, 2), (6, 4)
Network = Callable[[Any, Any], Any]  # keras.layers and x


def _own_class(layers: Any, x: Any) -> Any:
    class Doubled(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2.0

    return Doubled()(x)


def _one_step_of(layers: Any, x: Any) -> Any:
    y = layers.TimeDistributed(layers.Conv2D(3, 3))(x)
    return layers.LSTM(4)(layers.TimeDistributed(layers.Flatten())(y))


def _words(layers: Any, _: Any) -> Any:
    """Masked words, which attend to words before them."""
    import keras

    tokens = keras.Input((6,), dtype="int32", name="tokens")
    y = layers.Embedding(9, 4, mask_zero=True)(tokens)
    return layers.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True)


def _with_mask(layers: Any, x: Any) -> Any:
    import keras

    mask = keras.Input((6, 6), dtype="bool", name="mask")
    return layers.MultiHeadAttention(2, 3)(x, x, attention_mask=mask)


def _attending(layers: Any, x: Any) -> Any:
    return layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)


#: By the first words of a row: the shape of x, what is refused, and what is advised.
ROWS: dict[str, tuple[tuple[int, ...], Network, Network]] = {
    "ConvLSTM1D": (FRAMES, lambda layers, x: layers.ConvLSTM2D(3, 3)(x), _one_step_of),
    "Conv2DTranspose": (
        IMAGE,
        lambda layers, x: layers.Conv2DTranspose(3, 3, strides=2)(x),
        lambda layers, x: layers.Conv2D(3, 3, padding="same")(layers.UpSampling2D(2)(x)),
    ),
    "UpSampling2D": (
        IMAGE,
        lambda layers, x: layers.UpSampling2D(2, interpolation="bilinear")(x),
        lambda layers, x: layers.UpSampling2D(2, interpolation="nearest")(x),
    ),
    "layers of three dimensions": (
        FRAMES,
        lambda layers, x: layers.Conv3D(3, 3)(x),
        lambda layers, x: layers.TimeDistributed(layers.Conv2D(3, 3))(x),
    ),
    "MultiHeadAttention called": (SEQUENCE, _with_mask, _words),
    "MultiHeadAttention(sliding_window": (
        SEQUENCE,
        lambda layers, x: layers.GroupQueryAttention(3, 2, 1)(x, x),
        _attending,
    ),
    "attention layers called": (
        SEQUENCE,
        lambda layers, x: layers.Attention()([x, x], return_attention_scores=True)[0],
        lambda layers, x: layers.Attention()([x, x]),
    ),
    "EinsumDense": (
        SEQUENCE,
        lambda layers, x: layers.EinsumDense("abc,bcd->abd", (6, 5))(x),
        lambda layers, x: layers.EinsumDense("abc,cd->abd", (6, 5))(x),
    ),
    "own classes": (SEQUENCE, _own_class, lambda _, x: x * 2.0),
}


def model_of(network: Network, shape: tuple[int, ...]) -> Any:
    import keras

    x = keras.Input(shape, name="x")
    y = network(keras.layers, x)
    return keras.Model(_entries(x, y), y)


def _entries(x: Any, y: Any) -> list[Any]:
    """The inputs that y is made of."""
    import keras

    found: dict[int, Any] = {}
    waiting = [y]
    while waiting:
        tensor = waiting.pop()
        operation, node, _ = tensor._keras_history
        if isinstance(operation, keras.layers.InputLayer):
            found[id(tensor)] = tensor
        else:
            waiting += operation._inbound_nodes[node].input_tensors
    return list(found.values()) or [x]


def _said_by_keras(model: Any, rows: list[Any]) -> Any:
    return np.asarray(model(rows if len(rows) > 1 else rows[0], training=False))


@pytest.mark.filterwarnings("ignore")  # of Keras, about masks that layers drop
@pytest.mark.parametrize("row", ROWS)
def test_a_refused_layer_has_a_way_out_that_exports(row: str) -> None:
    shape, refused, advised = ROWS[row]
    with pytest.raises(UnsupportedLayer):
        from_keras(model_of(refused, shape))
    model = model_of(advised, shape)
    graph = from_keras(model).graph
    random = np.random.default_rng(0)
    rows = [
        random.integers(1, 9, (2, *entry.shape[1:])).astype(np.int32)
        if entry.dtype == "int32"
        else random.normal(size=(2, *entry.shape[1:])).astype(np.float32)
        for entry in model.inputs
    ]
    names = [entry.name for entry in graph.inputs]
    (answer,) = reference.run(graph, dict(zip(names, rows, strict=True))).values()
    np.testing.assert_allclose(answer, _said_by_keras(model, rows), atol=1e-5)
    for format_name in ("onnx", "tflite", "native"):
        assert backend_named(format_name).lower(graph, metadata={}).content


def test_rows_normalized_alike_are_refused_by_the_native_runtime_alone() -> None:
    def normalized(axis: int) -> Any:
        return from_keras(
            model_of(lambda layers, x: layers.LSTM(3)(layers.BatchNormalization(axis)(x)), SEQUENCE)
        ).graph

    over_rows = normalized(1)
    with pytest.raises(UnsupportedLayer):
        backend_named("native").lower(over_rows, metadata={})
    for format_name in ("onnx", "tflite"):
        assert backend_named(format_name).lower(over_rows, metadata={}).content
    assert backend_named("native").lower(normalized(-1), metadata={}).content


def test_every_row_of_the_page_is_tried() -> None:
    table = PAGE.read_text().split("| layer | instead |")[1].split("\n\n")[0]
    first = [line.split("|")[1].replace("`", "").strip() for line in table.splitlines()[2:]]
    tried = [*ROWS, "Normalization, BatchNormalization over rows"]
    untried = [row for row in first if not any(row.startswith(known) for known in tried)]
    assert not untried
    assert len(first) == len(tried)


def test_a_lambda_written_with_keras_ops_keeps_its_weights() -> None:
    import keras

    def build(root: Callable[[Any], Any]) -> Any:
        x = keras.Input(SEQUENCE)
        y = root(keras.layers.Dense(5, activation="softplus")(x))
        return keras.Model(x, keras.layers.GRU(3)(y))

    model = build(keras.layers.Lambda(lambda x: x**0.5))
    with pytest.raises(UnsupportedLayer):
        from_keras(model)
    rebuilt = build(keras.ops.sqrt)
    rebuilt.set_weights(model.get_weights())
    graph = from_keras(rebuilt).graph
    rows = np.random.default_rng(0).normal(size=(2, *SEQUENCE)).astype(np.float32)
    (answer,) = reference.run(graph, {graph.inputs[0].name: rows}).values()
    np.testing.assert_allclose(answer, _said_by_keras(model, [rows]), atol=1e-5)


@pytest.mark.parametrize("place", ["end", "middle"])
def test_a_model_is_split_at_a_layer_at_its_end_or_in_the_middle(place: str) -> None:
    """The page's two lines: the part before the layer, and the part behind it."""
    import keras

    assert re.search(r"keras.Model\(model.input, model.get_layer\(.*\).input\)", PAGE.read_text())
    x = keras.Input(SEQUENCE)
    y = keras.layers.GRU(5, return_sequences=place == "middle")(x)
    y = keras.layers.Lambda(lambda x: x * 3.0, name="last")(y)
    y = keras.layers.LSTM(3)(y) if place == "middle" else y
    model = keras.Model(x, y)
    rows = np.random.default_rng(0).normal(size=(2, *SEQUENCE)).astype(np.float32)
    before = from_keras(keras.Model(model.input, model.get_layer("last").input)).graph
    (between,) = reference.run(before, {before.inputs[0].name: rows}).values()
    answer = between * 3.0
    if place == "middle":
        start = model.get_layer("last")
        z = entry = keras.Input(start.output.shape[1:])
        for layer in model.layers[model.layers.index(start) + 1 :]:
            z = layer(z)
        behind = from_keras(keras.Model(entry, z)).graph
        (answer,) = reference.run(behind, {behind.inputs[0].name: answer}).values()
    np.testing.assert_allclose(answer, _said_by_keras(model, [rows]), atol=1e-5)
