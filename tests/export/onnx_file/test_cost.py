"""A keyword model is read in milliseconds, in a few times the memory of its file."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from onnx import helper

from edgernn.export.reading import read_source
from tests.export.onnx_file.hand_made import model, saved

FEATURES, UNITS, WORDS = 40, 128, 12


@pytest.fixture
def keyword_model(tmp_path):
    """A GRU of 128 units over 40 features, its last step, 12 words."""
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 3 * UNITS, FEATURES), "r": (1, 3 * UNITS, UNITS), "b": (1, 6 * UNITS),
              "k": (UNITS, WORDS)}  # fmt: skip
    constants = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["t", "w", "r", "b"], ["", "h"], hidden_size=UNITS,
                         linear_before_reset=1),
        helper.make_node("Squeeze", ["h", "axis"], ["last"]),
        helper.make_node("MatMul", ["last", "k"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["y"], axis=-1),
    ]  # fmt: skip
    constants["axis"] = np.array([0])
    return saved(model(nodes, constants=constants, inputs={"x": ["b", "t", FEATURES]}), tmp_path)


def test_a_keyword_model_is_read_within_20_ms(keyword_model):
    read_source(keyword_model)  # imports
    seconds = []
    for _ in range(10):
        started = time.process_time()
        read_source(keyword_model)
        seconds.append(time.process_time() - started)
    assert min(seconds) <= 0.02


def test_reading_takes_at_most_five_times_the_file_in_memory(keyword_model):
    read_source(keyword_model)
    tracemalloc.start()
    try:
        read_source(keyword_model)
        assert tracemalloc.get_traced_memory()[1] <= 5 * keyword_model.stat().st_size
    finally:
        tracemalloc.stop()
