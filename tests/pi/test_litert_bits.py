"""Where LiteRT's int8 gives the same bits on ARM and x86, and where it only decides alike."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.runners.wheels import packages_on
from tests.pi import litert_kernels

ROWS = 60
SCRIPT = Path(litert_kernels.__file__)


@pytest.fixture(scope="module")
def inputs(exported):
    rows = np.load(exported / "test.npz")["x"][:ROWS].astype(np.float32)
    np.save(exported / "rows.npy", rows)
    return [SCRIPT, exported / "digits_gru.int8.tflite", exported / "rows.npy"]


@pytest.fixture
def here_and_there(device, inputs, tmp_path):
    """By the set of kernels: what the model says here and on the Pi."""
    words = [SCRIPT.name, "digits_gru.int8.tflite", "rows.npy", "outputs.npz"]
    folders = packages_on(device, device.python, ("ai-edge-litert",))
    assert isinstance(folders, tuple), folders
    there = ("env", f"PYTHONPATH={':'.join(folders)}", *device.python, "-s")
    found = []
    with open_device("cpu") as host:
        for one, python in ((host, (sys.executable,)), (device, there)):
            for path in inputs:
                one.push(path, path.name)
            ran = one.run([*python, *words], timeout_s=300)
            assert ran.succeeded, ran.stderr
            one.pull("outputs.npz", tmp_path / "outputs.npz")
            found.append(dict(np.load(tmp_path / "outputs.npz")))
    here, on_pi = found
    return {kind: (here[kind], on_pi[kind]) for kind in here}


def test_reference_kernels_give_the_same_bits_and_fast_ones_the_same_answers(here_and_there):
    here, there = here_and_there["reference"]
    np.testing.assert_array_equal(here, there)
    here, there = here_and_there["default"]
    # XNNPACK rounds by the instructions at hand: a last bit a step, which recurrence carries on.
    assert (here.argmax(axis=1) == there.argmax(axis=1)).mean() >= 0.98
    np.testing.assert_allclose(here, there, atol=0.1)
