"""Our reading of a file beside ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from edgernn.export.onnx_file.file import read_onnx
from tests.export.onnx_file.golden import Array, answers
from tests.export.onnx_file.hand_made import FEATURES, saved

ROWS, STEPS, TOKENS = 2, 6, 6
X = np.random.default_rng(3).normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)


def assert_same(made: onnx.ModelProto, folder: Path, **inputs: Array) -> None:
    """Every output agrees; inputs are made up where none are given."""
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(3)
    given = inputs or {entry.name: _made_up(entry, rng) for entry in session.get_inputs()}
    expected = session.run(None, given)
    computed = answers(read_onnx(saved(made, folder)), given)
    for here, there in zip(computed, expected, strict=True):
        assert here.shape == there.shape
        assert np.abs(here - there).max() <= 1e-5


def _made_up(entry: onnxruntime.NodeArg, rng: np.random.Generator) -> Array:
    free = (ROWS, STEPS)
    shape = [size if isinstance(size, int) else free[at] for at, size in enumerate(entry.shape)]
    if entry.type == "tensor(int64)":
        return rng.integers(0, TOKENS, shape)
    return rng.normal(size=shape).astype(np.float32)
