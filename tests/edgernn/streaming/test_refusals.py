"""What a step model cannot be made of: refused with a remedy."""

from __future__ import annotations

from typing import Any

import pytest

from edgernn.errors import UnsupportedLayer
from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    Affine,
    Attention,
    Concatenate,
    Conv1D,
    Gru,
    Layer,
    LayerNorm,
    Padding,
    Reshape,
    Reverse,
    Slice,
    Transpose,
    Upsample1D,
    ZeroPad1D,
)
from edgernn.streaming import to_streaming
from tests.export.onnx.models import (
    FEATURES,
    cell,
    graph_of,
    numbers,
    sequence,
)


def _conv(**options: Any) -> Layer:
    return Conv1D(
        name="layer", input="x", output="y", kernel=numbers(3, FEATURES, 4), bias=None, **options
    )


_DENSE_OVER_TIME = Affine(
    name="layer", input="x", output="y", scale=numbers(6, FEATURES), offset=numbers(FEATURES)
)


@pytest.mark.parametrize(
    "layer",
    [
        _conv(padding=Padding.SAME),
        cell(Gru, "layer", go_backwards=True),
        Reverse(name="layer", input="x", output="y"),
        Upsample1D(name="layer", input="x", output="y", times=2),
        ZeroPad1D(name="layer", input="x", output="y", left=0, right=1),
        Reshape(name="layer", input="x", output="y", target=(-1,)),
        Transpose(name="layer", input="x", output="y", permutation=(0, 2, 1)),
        Slice(name="layer", input="x", output="y", axis=1, start=1),
        Concatenate(name="layer", inputs=("x", "x"), output="y", axis=1),
        Attention(name="layer", query="x", key="x", value="x", output="y"),
        LayerNorm(name="layer", input="x", output="y", gamma=None, beta=None, epsilon=1e-3, axes=2),
        Activate(
            name="layer",
            input="x",
            output="y",
            activation=Activation(kind=ActivationKind.SOFTMAX, axis=1),
        ),
        _DENSE_OVER_TIME,
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_needs_more_than_one_step_is_refused_with_a_remedy(layer: Layer) -> None:
    with pytest.raises(UnsupportedLayer, match="'layer'") as refusal:
        to_streaming(graph_of(sequence(time=6), layer))
    assert refusal.value.remedy


def test_a_decoder_that_starts_from_its_encoder_is_refused() -> None:
    layers = [
        cell(Gru, "encoder", "x"),
        cell(Gru, "decoder", "y", initial_h="encoder.h", return_sequences=True),
    ]
    with pytest.raises(UnsupportedLayer, match=r"'decoder'.*other layers compute"):
        to_streaming(graph_of([sequence(name="x"), sequence(name="y")], *layers))


def test_zeros_in_front_of_a_recurrent_layer_are_refused() -> None:
    pad = ZeroPad1D(name="pad", input="x", output="p", left=2, right=0)
    with pytest.raises(UnsupportedLayer, match=r"'gru'.*zeros added in front"):
        to_streaming(graph_of(sequence(), pad, cell(Gru, "gru", "p")))
