"""The file between the host and edgernn-library-run."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edgernn.devices.runners.tensor_files import packed, unpacked

F32, I64 = np.dtype("float32"), np.dtype("int64")


@given(
    st.lists(
        st.lists(
            st.tuples(
                arrays("float32", array_shapes(min_dims=0, min_side=0), fill=st.nothing()),
                arrays("int64", array_shapes(min_dims=0, min_side=0), fill=st.nothing()),
            ),
            max_size=3,
        ),
        max_size=3,
    )
)
def test_what_is_written_is_read(made):
    cases = [[{"a": a, "b": b} for a, b in calls] for calls in made]
    back = unpacked(packed(["a", "b"], cases), [("a", F32), ("b", I64)])
    assert len(back) == len(cases)
    for calls, found in zip(cases, back, strict=True):
        for call, again in zip(calls, found, strict=True):
            for name, x in call.items():
                np.testing.assert_array_equal(x, again[name])
                assert x.shape == again[name].shape


def test_numbers_are_aligned_for_any_processor():
    content = packed(["a"], [[{"a": np.ones((3, 5), np.float32)}]])
    assert len(content) % 64 == 0
    assert content.index(np.ones(1, np.float32).tobytes()) % 64 == 0


@given(st.binary(max_size=400))
def test_no_file_does_more_harm_than_a_refusal(content):
    with contextlib.suppress(ValueError):
        unpacked(content, [("a", F32)])


def test_a_file_that_is_cut_short_is_refused():
    content = packed(["a"], [[{"a": np.ones(40, np.float32)}]])
    with pytest.raises(ValueError, match="cut short"):
        unpacked(content[:-64], [("a", F32)])
