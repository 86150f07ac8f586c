"""Masks in Keras files: which steps count, as the version that wrote the file has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.graph import (
    AnyNotEqual,
    Concatenate,
    DType,
    Gru,
    Lstm,
    Merge,
    MergeKind,
    NotEqual,
)
from edgernn.reference import run
from tests.export.keras.archives import (
    KERAS_2,
    KERAS_3,
    call,
    called,
    dense,
    functional,
    gru,
    gru_weights,
    input_layer,
    layer,
    operation,
    ramp,
    read,
    small,
    tensor,
)

DENSE = {"kernel": ramp(2, 3), "bias": ramp(3)}

MASKED = [
    called(input_layer("a", [None, None, 2])),
    called(input_layer("b", [None, None, 2])),
    called(layer("Masking", "ma", mask_value=0.0), call(tensor("a"))),
    called(layer("Masking", "mb", mask_value=-1.0), call(tensor("b"))),
]


@pytest.mark.parametrize(
    ("version", "kind"), [("2.8.0", MergeKind.AND), ("3.4.0", MergeKind.OR), ("3.3.0", None)]
)
def test_masks_of_merged_tensors_are_combined_as_that_version_did(tmp_path, version, kind):
    layers = [
        *MASKED,
        called(layer("Add", "add"), call([tensor("ma"), tensor("mb")])),
        called(gru(reset_after=True), call(tensor("add"))),
    ]
    config = functional(layers, ["a", "b"], ["gru"])
    graph = read(tmp_path, config, {"gru": gru_weights(2, 3)}, version).graph
    masks = [
        entry.kind
        for entry in graph.layers
        if isinstance(entry, Merge) and entry.kind in (MergeKind.AND, MergeKind.OR)
    ]
    (found,) = (entry for entry in graph.layers if isinstance(entry, Gru))
    assert masks == ([] if kind is None else [kind])
    assert (found.mask is None) == (kind is None)


def test_masks_joined_in_time_are_joined(tmp_path):
    layers = [
        *MASKED,
        called(layer("Concatenate", "c", axis=1), call([tensor("ma"), tensor("mb")])),
        called(gru(), call(tensor("c"))),
    ]
    graph = read(
        tmp_path, functional(layers, ["a", "b"], ["gru"]), {"gru": gru_weights(2, 3)}
    ).graph
    axes = [entry.axis for entry in graph.layers if isinstance(entry, Concatenate)]
    assert axes == [1, 1]


@pytest.mark.parametrize(("version", "masked"), [(KERAS_3, False), (KERAS_2, True)])
def test_keras_3_drops_the_mask_beside_an_initial_state_and_we_say_so(tmp_path, version, masked):
    calls: Any = (
        call(tensor("ma"), initial_state=[tensor("h")])
        if version == KERAS_3
        else [["ma", 0, 0, {}], ["h", 0, 0, {}]]
    )
    layers = [
        *MASKED[:1],
        called(input_layer("h", [None, 3])),
        *MASKED[2:3],
        called(gru(reset_after=True), calls),
    ]
    model = read(
        tmp_path, functional(layers, ["a", "h"], ["gru"]), {"gru": gru_weights(2, 3)}, version
    )
    (found,) = (entry for entry in model.graph.layers if isinstance(entry, Gru))
    assert found.initial_h == "h"
    assert (found.mask is not None) == masked
    assert any("mask" in warning for warning in model.warnings) != masked


def test_a_recorded_mask_wins_over_the_rules(tmp_path):
    layers = [
        called(input_layer("a", [None, None, 2])),
        called(operation("NotEqual", "unequal"), call(tensor("a"), -1.0)),
        called(operation("Any", "any", axis=-1, keepdims=False), call(tensor("unequal"))),
        called(gru(), call(tensor("a"), mask=tensor("any"))),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["gru"]), {"gru": gru_weights(2, 3)}).graph
    (mask,) = (entry for entry in graph.layers if isinstance(entry, AnyNotEqual))
    (found,) = (entry for entry in graph.layers if isinstance(entry, Gru))
    assert mask.value == -1.0
    assert found.mask == mask.output


def test_the_same_mask_is_computed_once(tmp_path):
    layers = [
        called(input_layer("a", [None, None])),
        called(operation("NotEqual", "unequal"), call(tensor("a"), 0)),
        called(
            layer("Embedding", "e", input_dim=4, output_dim=2, mask_zero=True), call(tensor("a"))
        ),
        called(gru(return_sequences=True), call(tensor("e"), mask=tensor("unequal"))),
        called(gru("last"), call(tensor("gru"))),
    ]
    weights = {
        "e": {"embeddings": ramp(4, 2)}, "gru": gru_weights(2, 3), "last": gru_weights(3, 3),
    }  # fmt: skip
    graph = read(tmp_path, functional(layers, ["a"], ["last"]), weights).graph
    (mask,) = (entry for entry in graph.layers if isinstance(entry, NotEqual))
    assert [entry.mask for entry in graph.layers if isinstance(entry, Gru)] == [mask.output] * 2


def test_operations_that_only_a_dead_mask_reads_do_not_matter(tmp_path):
    layers = [
        called(input_layer("a", [None, 2])),
        called(operation("Einsum", "strange"), call(tensor("a"))),
        called(dense("d"), call(tensor("a"))),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["d"]), {"d": DENSE}).graph
    assert [entry.name for entry in graph.layers] == ["d"]


@pytest.mark.parametrize("version", ["2.2.4", "2.8.0", "3.15.1"])
def test_a_bidirectional_gives_zeros_at_masked_steps_since_keras_joined_tensorflow(
    tmp_path, version
):
    inner = layer("LSTM", "lstm", units=2, return_sequences=True)
    config = small(layer("Masking", "masking"), layer("Bidirectional", "both", layer=inner))
    weights = {"kernel": ramp(2, 8), "recurrent_kernel": ramp(2, 8), "bias": ramp(8)}
    halves = {"both/forward_layer": weights, "both/backward_layer": weights}
    graph = read(tmp_path, config, halves, version).graph
    found = [entry for entry in graph.layers if isinstance(entry, Lstm)]
    assert [entry.go_backwards for entry in found] == [False, True]
    assert [entry.zero_output_for_mask for entry in found] == [version != "2.2.4"] * 2


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_an_input_of_numbers_that_makes_a_mask_stays_one_of_numbers(tmp_path, value):
    """Only an Embedding makes tokens: as integers, .3 and .5 would all be masked."""
    layers = [
        called(input_layer("x", [None, None, 2])),
        called(input_layer("y", [None, None])),
        called(operation("NotEqual", "unequal"), call(tensor("y"), value)),
        called(gru(), call(tensor("x"), mask=tensor("unequal"))),
    ]
    config = functional(layers, ["x", "y"], ["gru"])
    graph = read(tmp_path, config, {"gru": gru_weights(2, 3)}).graph
    y = np.array([[0.3, 0, 0.5, 1.2]], np.float32)
    x = np.ones((1, 4, 2), np.float32)
    (masked,) = run(graph, {"x": x, "y": y}).values()
    (kept,) = run(graph, {"x": x[:, :3], "y": np.full((1, 3), 9, np.float32)}).values()
    assert graph.specs["y"].dtype is DType.FLOAT32
    np.testing.assert_allclose(masked, kept, atol=1e-6)
