"""Shape inference agrees with numpy wherever numpy can tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgernn import graph as g

sizes = st.integers(1, 12)


def shape_of(layer: g.Layer, *shapes: g.Shape) -> g.Shape:
    return g.infer(layer, [g.TensorSpec(shape=shape) for shape in shapes])[0].shape


@given(
    time=sizes,
    start=st.integers(-12, 12),
    stop=st.none() | st.integers(-12, 12),
    step=st.integers(1, 4),
)
def test_a_slice_is_as_long_as_numpys(time, start, stop, step):
    layer = g.Slice(name="s", input="x", output="y", axis=1, start=start, stop=stop, step=step)
    expected = np.zeros((2, time, 3))[:, start:stop:step].shape
    assert shape_of(layer, (2, time, 3)) == expected


@given(time=st.integers(1, 40), window=sizes, stride=st.integers(1, 5))
def test_same_padding_gives_a_step_per_stride_and_windows_cover_the_padded_time(
    time, window, stride
):
    left, right = g.window_padding(time, window, stride)
    assert left <= right <= left + 1
    steps = -(-time // stride)
    pool = g.Pool1D(
        name="p",
        input="x",
        output="y",
        kind=g.PoolKind.MAX,
        window=window,
        stride=stride,
        padding=g.Padding.SAME,
    )
    assert shape_of(pool, (1, time, 2)) == (1, steps, 2)
    assert (steps - 1) * stride < time <= (steps - 1) * stride + max(window, stride)
    assert left + right == max((steps - 1) * stride + window - time, 0)


@given(st.data())
def test_merging_broadcasts_as_numpy_does(data):
    full = data.draw(st.lists(sizes, min_size=3, max_size=3))
    shapes = [
        tuple(size if data.draw(st.booleans()) else 1 for size in full),
        tuple(size if data.draw(st.booleans()) else 1 for size in full),
    ]
    layer = g.Merge(name="m", inputs=("a", "b"), output="c", kind=g.MergeKind.ADD)
    assert shape_of(layer, *shapes) == np.broadcast_shapes(*shapes)


@pytest.mark.parametrize(
    ("target", "shape", "expected"),
    [
        ((-1,), (None, 4, 3), (None, 12)),
        ((2, 6), (None, 4, 3), (None, 2, 6)),
        ((-1, 3), (None, None, 6), (None, None, 3)),
    ],
)
def test_reshape_keeps_the_batch_and_solves_for_minus_one(target, shape, expected):
    assert shape_of(g.Reshape(name="r", input="x", output="y", target=target), shape) == expected


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (g.Reshape(name="r", input="x", output="y", target=(5,)), [(None, 4, 3)]),
        (g.Concatenate(name="c", inputs=("a", "b"), output="y"), [(None, 4, 3), (None, 5, 3)]),
        (g.Repeat(name="n", input="x", output="y", times=2), [(None, 4, 3)]),
        (g.Transpose(name="t", input="x", output="y", permutation=(0, 2)), [(None, 4, 3)]),
        (
            g.Pool1D(name="p", input="x", output="y", kind=g.PoolKind.MAX, window=5, stride=1),
            [(None, 4, 3)],
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(layer, shapes):
    with pytest.raises(g.ShapeError):
        shape_of(layer, *shapes)


def test_an_open_dimension_stays_open():
    conv = g.Conv1D(
        name="c",
        input="x",
        output="y",
        kernel=np.zeros((3, 4, 8), np.float32),
        bias=None,
        padding=g.Padding.CAUSAL,
    )
    assert shape_of(conv, (None, None, 4)) == (None, None, 8)
    last = g.Slice(name="s", input="x", output="y", axis=1, start=-1, squeeze=True)
    assert shape_of(last, (None, None, 4)) == (None, 4)
