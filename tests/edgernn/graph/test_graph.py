"""A Graph refuses to exist with a wrong name, order or shape."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest

from edgernn import graph as g


def gru(name: str = "gru", source: str = "x", features: int = 4, units: int = 3) -> g.Gru:
    return g.Gru(
        name=name,
        input=source,
        output=name,
        state_h=f"{name}:h",
        kernel=np.zeros((features, 3 * units), np.float32),
        recurrent_kernel=np.zeros((units, 3 * units), np.float32),
        bias=np.zeros(3 * units, np.float32),
        recurrent_bias=None,
        return_sequences=True,
    )


def model(*layers: g.Layer, output: str, shape: g.Shape = (None, None, 4)) -> g.Graph:
    return g.Graph(
        name="m",
        inputs=(g.Input(name="x", spec=g.TensorSpec(shape=shape)),),
        layers=layers,
        outputs=(g.Output(name="y", edge=output),),
    )


def test_specs_tell_the_shape_of_every_edge():
    made = model(gru(), gru("second", "gru", features=3, units=5), output="second")
    assert made.specs["gru"].shape == (None, None, 3)
    assert made.specs["second:h"].shape == (None, 5)
    assert made.output_specs["y"].shape == (None, None, 5)


@pytest.mark.parametrize(
    ("layers", "output", "complaint"),
    [
        ([gru("second", "gru", 3), gru()], "second", "reads 'gru', which nothing wrote yet"),
        ([gru(), gru()], "gru", "two layers are named 'gru'"),
        ([gru(features=5)], "gru", "takes 5 input features, not 4"),
        ([gru()], "gone", "names the edge 'gone'"),
        ([gru(), replace(gru("other"), output="gru")], "gru", "writes 'gru' a second time"),
    ],
)
def test_a_wrong_graph_is_refused_with_what_is_wrong(layers, output, complaint):
    with pytest.raises(g.GraphError, match=complaint):
        model(*layers, output=output)


def test_a_state_must_be_an_input_and_an_output():
    with pytest.raises(g.GraphError, match="not an input and an output"):
        replace(model(gru(), output="gru"), states=(g.State(input="x", output="nowhere"),))


def test_dead_layers_go_and_live_ones_stay():
    made = model(gru(), gru("unused"), output="gru")
    assert [layer.name for layer in g.without_dead_layers(made).layers] == ["gru"]


def test_a_shared_weight_is_counted_once():
    first = gru()
    twin = replace(first, name="twin", output="twin", state_h="twin:h")
    alone = model(first, output="gru").parameters
    assert model(first, twin, output="twin").parameters == alone == 4 * 9 + 3 * 9 + 9


@pytest.mark.parametrize("kind", get_args(g.Layer), ids=lambda kind: kind.__name__)
def test_every_field_of_a_layer_is_an_edge_a_weight_or_a_plain_option(kind):
    """The generic passes see edges and weights only through INPUTS, OUTPUTS and WEIGHTS."""
    named = {*kind.INPUTS, *kind.OUTPUTS, *kind.WEIGHTS}
    declared = {field.name: field.type for field in fields(kind)}
    assert named <= set(declared)
    weights = {name for name, written in declared.items() if "Weight" in str(written)}
    assert weights == set(kind.WEIGHTS)
    edges = {
        name
        for name, written in declared.items()
        if str(written) in {"str", "str | None", "tuple[str, ...]"} and name != "name"
    }
    assert edges == {*kind.INPUTS, *kind.OUTPUTS}


def test_edges_are_renamed_and_others_kept():
    renamed = g.with_edges(gru(), {"x": "z", "gru": "out"})
    assert (renamed.input, renamed.output, renamed.state_h) == ("z", "out", "gru:h")
    merged = g.Merge(name="m", inputs=("a", "b"), output="c", kind=g.MergeKind.ADD)
    assert g.with_edges(merged, {"b": "d"}).inputs == ("a", "d")


def test_gates_are_columns_by_name():
    layer = gru(units=2)
    columns = np.arange(6, dtype=np.float32)[None, :]
    assert g.gate(layer, columns, "r").tolist() == [[2.0, 3.0]]


def test_a_quantized_weight_stands_for_values_times_scale_per_channel():
    weight = g.QTensor(
        values=np.array([[1, 2], [3, -4]], np.int8), scale=np.array([0.5, 2], np.float32), axis=1
    )
    assert g.as_float32(weight).tolist() == [[0.5, 4.0], [1.5, -8.0]]
    assert weight.nbytes == 4 + 8
