"""Which matrices keep 15 numbers when the others of a model have fewer."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.aware.weights import chosen_weights
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import QTensor, as_float32
from edgernn.scheme import Scheme
from edgernn.tasks.keras_backend import load_keras

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FEWEST = {"int3": 4, "ternary": 1}


@pytest.fixture(scope="module")
def layers() -> Any:
    return load_keras().layers


def numbers(model: Any, scheme: str) -> dict[str, int]:
    """The largest number of each matrix, by layer and field."""
    found = chosen_weights(model, scheme).weights
    parts = [one.variable.replace("/gru_cell", "").split("/")[-2:] for one in found]
    return {"/".join(part): one.most for part, one in zip(parts, found, strict=True)}


@pytest.mark.parametrize("scheme", FEWEST)
def test_what_reads_the_inputs_and_what_gives_the_answers_keeps_15_numbers(
    scheme: str, layers: Any
) -> None:
    """Layers without a matrix, and the mask that both GRUs read, are no end."""
    model = load_keras().Sequential([
        layers.Input((6, 3)),
        layers.Masking(),
        layers.GRU(4, return_sequences=True, name="first"),
        layers.GRU(5, name="second"),
        layers.Dense(6, name="inner"),
        layers.Dense(2, name="head"),
        layers.Softmax(),
    ])  # fmt: skip
    few = FEWEST[scheme]
    assert numbers(model, scheme) == {
        "first/kernel": 7,
        "first/recurrent_kernel": few,
        "second/kernel": few,
        "second/recurrent_kernel": few,
        "inner/kernel": few,
        "head/kernel": 7,
    }
    assert set(numbers(model, "int4").values()) == {7}
    assert set(numbers(model, "int8").values()) == {127}


def test_a_table_of_tokens_is_the_first_layer_and_each_output_has_a_last_one(layers: Any) -> None:
    inputs = layers.Input((6,), dtype="int32")
    edge = layers.Embedding(9, 4, name="table")(inputs)
    edge = layers.GRU(4, name="gru")(edge)
    outputs = [layers.Dense(width, name=f"head_{width}")(edge) for width in (2, 3)]
    assert numbers(load_keras().Model(inputs, outputs), "ternary") == {
        "table/embeddings": 127,
        "gru/kernel": 1,
        "gru/recurrent_kernel": 1,
        "head_2/kernel": 7,
        "head_3/kernel": 7,
    }


def test_a_last_layer_with_states_has_few_numbers(layers: Any) -> None:
    """It has most weights of its model: to leave them out would leave little."""
    inputs = layers.Input((6,), dtype="int32")
    edge = layers.Embedding(9, 4, name="table")(inputs)
    model = load_keras().Model(inputs, layers.GRU(4, name="gru")(edge))
    assert numbers(model, "ternary")["gru/kernel"] == 1


def test_a_layer_at_an_end_and_within_keeps_15_numbers(layers: Any) -> None:
    """One kernel, read twice: it has one grid."""
    twice = layers.Dense(3, name="twice")
    inputs = layers.Input((3,))
    outputs = layers.Dense(2, name="head")(twice(layers.Dense(3, name="first")(twice(inputs))))
    assert numbers(load_keras().Model(inputs, outputs), "ternary") == {
        "twice/kernel": 7,
        "first/kernel": 1,
        "head/kernel": 7,
    }


@pytest.mark.parametrize("scheme", FEWEST)
def test_a_file_and_its_export_keep_both_kinds_of_numbers(
    scheme: str, layers: Any, tmp_path: Path
) -> None:
    keras = load_keras()
    keras.utils.set_random_seed(0)
    given = keras.Sequential([layers.Input((6, 9)), layers.GRU(8), layers.Dense(4)])
    model, path = edgernn.quantization_aware(given, scheme), tmp_path / "model.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        grids = json.loads(archive.read("edgernn.json"))["grids"]
    assert [grid["most"] for grid in grids] == [7, FEWEST[scheme], 7]

    graph = float_graph(read_model(path).graph)
    rows = np.random.default_rng(0).normal(size=(16, 6, 9)).astype(np.float32)
    ranges = calibrate(graph, {graph.inputs[0].name: rows})
    exported = quantize(graph, ranges, Scheme.INT4).layers
    weights = [weight for layer in exported for weight in layer.weights.values()]
    stored = [as_float32(weight) for weight in weights if isinstance(weight, QTensor)]
    arrays = keras.models.load_model(path).get_weights()
    wanted = [array for array in arrays if array.ndim == 2 and len(array) > 2]  # not a GRU's bias
    assert len(stored) == len(wanted) == 3
    for found, kernel in zip(stored, wanted, strict=True):
        np.testing.assert_array_equal(found, kernel)
    most = [max(len(np.unique(column)) for column in kernel.T) for kernel in wanted]
    assert most[1] <= 2 * FEWEST[scheme] + (scheme == "ternary")
    if scheme == "ternary":
        assert min(most[0], most[2]) > 3


def test_an_initial_state_that_is_an_input_makes_no_end_of_a_layer(layers: Any) -> None:
    x, h = layers.Input((6, 3)), layers.Input((4,))
    first = layers.GRU(4, return_sequences=True, name="first")(x)
    second = layers.GRU(4, name="second")(first, initial_state=h)
    model = load_keras().Model([x, h], layers.Dense(2, name="head")(second))
    found = numbers(model, "ternary")
    assert (found["first/kernel"], found["second/kernel"], found["head/kernel"]) == (7, 1, 7)


def test_weights_that_cannot_be_told_apart_have_the_larger_grid(layers: Any) -> None:
    inner, other = (layers.Dense(6, "tanh", name=name) for name in ("inner", "other"))
    ends = (layers.Dense(6, name="first"), layers.Dense(2, name="head"))
    model = load_keras().Sequential([layers.Input((6,)), ends[0], inner, other, ends[1]])
    inner.set_weights(ends[0].get_weights())
    assert numbers(model, "ternary") == {
        "first/kernel": 7,
        "inner/kernel": 7,
        "other/kernel": 1,
        "head/kernel": 7,
    }
