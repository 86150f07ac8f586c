"""Layers that make one tensor of several, and masks."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.graph import (
    AnyNotEqual,
    ApplyMask,
    Attention,
    Dot,
    Merge,
    MergeKind,
    NotEqual,
)
from tests.edgernn.reference.layers import XY, X, assert_same, computed, weight


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("axes", [(1, 1), (2, 2), (1, 2)])
def test_dot(keras, axes, normalize) -> None:
    left, right = weight(3, 5, 5), weight(3, 5, 5)
    layer = Dot(
        name="dot",
        left="a",
        right="b",
        output="y",
        left_axis=axes[0],
        right_axis=axes[1],
        normalize=normalize,
    )
    twin = keras.layers.Dot(axes=axes, normalize=normalize)
    assert_same(computed(layer, a=left, b=right), twin([left, right]))


def test_a_dot_of_vectors_keeps_an_axis(keras) -> None:
    left, right = weight(3, 5), weight(3, 5)
    layer = Dot(name="dot", left="a", right="b", output="y", left_axis=1, right_axis=1)
    assert_same(computed(layer, a=left, b=right), keras.layers.Dot(axes=1)([left, right]))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention(keras, causal, masked) -> None:
    query, value, key = weight(3, 5, 4), weight(3, 5, 6), weight(3, 5, 4)
    query_mask = np.array([[1, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    key_mask = np.array([[0, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    layer = Attention(
        name="attention",
        query="q",
        value="v",
        key="k",
        output="y",
        query_mask="qm" if masked else None,
        key_mask="km" if masked else None,
        causal=causal,
        scale=0.7,
    )
    twin = keras.layers.Attention(use_scale=True)
    twin.build([query.shape, value.shape, key.shape])
    twin.set_weights([np.float32(0.7)])
    mask = [query_mask, key_mask, key_mask] if masked else None
    expected = twin([query, value, key], mask=mask, use_causal_mask=causal)
    ours = computed(layer, q=query, v=value, k=key, qm=query_mask, km=key_mask)
    np.testing.assert_allclose(ours, np.asarray(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (MergeKind.ADD, X + X[:, :1] + X),
        (MergeKind.MULTIPLY, X * X[:, :1] * X),
        (MergeKind.AVERAGE, (X + X[:, :1] + X) / 3),
        (MergeKind.MAXIMUM, np.maximum(X, X[:, :1])),
        (MergeKind.MINIMUM, np.minimum(X, X[:, :1])),
    ],
)
def test_merging_broadcasts(kind, expected) -> None:
    layer = Merge(name="merge", inputs=("a", "b", "c"), output="y", kind=kind)
    assert_same(computed(layer, a=X, b=X[:, :1], c=X), expected)


def test_masks() -> None:
    tokens = np.array([[4, 0, 2], [0, 0, 1]], np.int32)
    mask = computed(NotEqual(**XY), x=tokens)
    np.testing.assert_array_equal(mask, [[True, False, True], [False, False, True]])
    features = np.array([[[0, 0], [0, 1]], [[-1, 0], [0, 0]]], np.float32)
    real = computed(AnyNotEqual(**XY, value=0.0), x=features)
    np.testing.assert_array_equal(real, [[False, True], [True, False]])
    layer = ApplyMask(name="apply", input="x", mask="m", output="y")
    assert (computed(layer, x=features + 1, m=real)[~real] == 0).all()
    both = Merge(name="and", inputs=("a", "b"), output="y", kind=MergeKind.AND)
    np.testing.assert_array_equal(computed(both, a=mask, b=~mask), np.zeros_like(mask))
