"""Rows that the tests of scoring share."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.tasks.samples import Samples


@pytest.fixture
def sequences():
    """Three rows of four steps and two features, of 4, 2 and 3 real steps."""
    x = np.arange(1, 25, dtype=np.float32).reshape(3, 4, 2)
    lengths = np.array([4, 2, 3])
    return Samples(name="data", x=x, y=np.array([0, 1, 1]), lengths=lengths)
