"""Which bits of int8 TFLite are the same on ARM and here, and why the others are not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgernn.candidates import find_candidates
from edgernn.devices import open_device
from edgernn.devices.runners import Outputs, run_cases
from edgernn.devices.runners.wheels import packages_on
from tests.golden import GOLDEN
from tests.pi import reference_kernels

WHEELS: Final = ("ai-edge-litert", "tflite-runtime")
ROWS: Final = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory, exported):
    """A trained GRU and LSTM in int8: whole, by steps, and in integers only."""
    from edgernn.cli import edgernn as command_line

    folder = tmp_path_factory.mktemp("bits")
    for cell in ("gru", "lstm"):
        for more in ((), ("--streaming",), ("--tflite-profile", "integer-only")):
            arguments = [
                *("export", str(GOLDEN / f"trained/digits_{cell}.keras"), "--to", "tflite"),
                *("--scheme", "int8", "--calibrate", str(exported / "calibration.npz")),
                *("--no-verify", "-o", str(folder / (more[-1] if more[1:] else "default")), *more),
            ]
            assert command_line.main(arguments, standalone_mode=False) in (0, None)
    return folder


@pytest.fixture
def here_and_there(device, folder, cases):
    """Runs a file as `profile` does, and gives both outputs of each case."""

    def here_and_there(name):
        (candidate,) = find_candidates([folder / name])
        with open_device("cpu") as host:
            here, there = (
                run_cases(
                    one,
                    candidate.path,
                    "tflite",
                    cases[:ROWS],
                    states=candidate.states,
                    streaming=candidate.item.streaming,
                )
                for one in (host, device)
            )
        assert isinstance(here, Outputs), here
        assert isinstance(there, Outputs), there
        return list(zip(here.cases, there.cases, strict=True))

    return here_and_there


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_states_after_a_sequence_are_the_same_to_the_bit(here_and_there, cell):
    for here, there in here_and_there(f"default/digits_{cell}.step.int8.tflite"):
        states = [name for name in here if name.endswith("_out")]
        assert states
        for name in states:
            np.testing.assert_array_equal(here[name], there[name])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_a_float_layer_makes_of_them_differs_by_rounding_only(here_and_there, cell):
    for here, there in here_and_there(f"default/digits_{cell}.int8.tflite"):
        for name in here:
            np.testing.assert_allclose(here[name], there[name], atol=1e-6)


@pytest.mark.parametrize(("cell", "units"), [("gru", 1), ("lstm", 0)])
def test_integers_only_differ_in_the_last_place_of_softmax_at_most(here_and_there, cell, units):
    for here, there in here_and_there(f"integer-only/digits_{cell}.int8.tflite"):
        for name in here:
            assert np.abs(here[name] - there[name]).max() <= units / 256


def test_reference_kernels_give_the_same_bits_for_every_file(device, folder, cases, tmp_path):
    names = [f"{kind}/digits_{cell}.int8.tflite" for kind in ("default", "integer-only")
             for cell in ("gru", "lstm")]  # fmt: skip
    rows = [next(iter(case.values())) for case in cases[:ROWS]]
    np.savez(tmp_path / "inputs.npz", x=np.stack(rows))
    device.push(tmp_path / "inputs.npz", "inputs.npz")
    for number, name in enumerate(names):
        device.push(folder / name, f"{number}.tflite")
    device.push(Path(reference_kernels.__file__), "reference_kernels.py")
    assert device.python is not None
    packages = packages_on(device, device.python, WHEELS)
    completed = device.run(
        [
            *("env", f"PYTHONPATH={':'.join(packages)}", *device.python, "reference_kernels.py"),
            *("inputs.npz", "outputs.npz", *(f"{number}.tflite" for number in range(len(names)))),
        ],
        timeout_s=120,
    )
    assert completed.succeeded, completed.stderr
    device.pull("outputs.npz", tmp_path / "outputs.npz")
    there = np.load(tmp_path / "outputs.npz")
    for number, name in enumerate(names):
        here = reference_kernels.outputs_of(folder / name, rows)
        np.testing.assert_array_equal(here, there[f"{number}.tflite"], err_msg=name)
