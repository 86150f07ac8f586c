"""Which bits of int8 TFLite are the same on ARM and here, and why the others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Outputs
from edgernn.devices.runners.wheels import packages_on
from edgernn.devices.ssh import COMMAND_VARIABLE
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model, float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.profile.candidates import find_candidates
from edgernn.scheme import Scheme
from tests.golden import GOLDEN
from tests.pi import litert_outputs

WHEELS: Final = ("ai-edge-litert", "tflite-runtime")
PROFILES: Final = ("default", "integer-only")
CELLS: Final = ("gru", "lstm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, exported):
    """A trained GRU and LSTM in int8: whole, by steps, and in integers only.

    All activations in 8 bits: the sums of float ones depend on the processor.
    """
    folder = tmp_path_factory.mktemp("bits")
    x = np.load(exported / "calibration.npz")["x"]
    for cell in CELLS:
        model = read_model(GOLDEN / f"trained/digits_{cell}.keras")
        graph = float_graph(model.graph)
        wanted = Request(
            backends=("tflite",),
            scheme=Scheme.INT8,
            ranges=calibrate(graph, {graph.inputs[0].name: x}),
            fine={},
            verify=False,
        )
        export_model(model, folder / "step", replace(wanted, streaming=True))
        for profile in PROFILES:
            options = {"tflite": {"profile": profile}}
            export_model(model, folder / profile, replace(wanted, options=options))
    return folder


@pytest.fixture(scope="module")
def device(emulated_pi):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(COMMAND_VARIABLE, emulated_pi.ssh_command)
        with open_device("pi@emulated") as opened:
            yield opened


@pytest.fixture(scope="module")
def here_and_there(device, folder, cases, tmp_path_factory):
    """Outputs by kernels and file, of one process there: starting it takes longest."""
    rows = [next(iter(case.values())) for case in cases]
    files = {f"{profile}-{cell}": folder / profile / f"digits_{cell}.int8.tflite"
             for profile in PROFILES for cell in CELLS}  # fmt: skip
    made = tmp_path_factory.mktemp("made")
    np.savez(made / "inputs.npz", x=np.stack(rows))
    device.push(made / "inputs.npz", "inputs.npz")
    device.push(Path(litert_outputs.__file__), "litert_outputs.py")
    for name, path in files.items():
        device.push(path, name)
    packages = packages_on(device, device.python, WHEELS)
    assert isinstance(packages, tuple), packages
    python = ("env", f"PYTHONPATH={':'.join(packages)}", *device.python, "-s")
    argv = [*python, "litert_outputs.py", "inputs.npz", "outputs.npz", *files]
    completed = device.run(argv, timeout_s=300)
    assert completed.succeeded, completed.stderr
    device.pull("outputs.npz", made / "outputs.npz")
    there = np.load(made / "outputs.npz")
    return {
        (kind, name): (litert_outputs.outputs_of(path, rows, kind), there[f"{kind} {name}"])
        for kind in litert_outputs.KERNELS
        for name, path in files.items()
    }


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("cell", CELLS)
def test_reference_kernels_give_the_same_bits(here_and_there, profile, cell):
    np.testing.assert_array_equal(*here_and_there["reference", f"{profile}-{cell}"])


@pytest.mark.parametrize("cell", CELLS)
def test_a_float_layer_after_the_cells_differs_by_rounding_only(here_and_there, cell):
    here, there = here_and_there["fast", f"default-{cell}"]
    np.testing.assert_allclose(here, there, atol=1e-6)


@pytest.mark.parametrize(("cell", "steps"), [("gru", 1), ("lstm", 0)])
def test_integers_only_differ_in_the_last_place_of_softmax_at_most(here_and_there, cell, steps):
    here, there = here_and_there["fast", f"integer-only-{cell}"]
    assert np.abs(here - there).max() <= steps / 256


@pytest.mark.parametrize("cell", CELLS)
def test_states_after_a_sequence_are_the_same_to_the_bit(device, folder, cases, cell):
    (candidate,) = find_candidates([folder / f"step/digits_{cell}.step.int8.tflite"])
    with open_device("cpu") as host:
        here, there = (
            run_cases(one, candidate.path, "tflite", cases, states=candidate.states, streaming=True)
            for one in (host, device)
        )
    assert isinstance(here, Outputs), here
    assert isinstance(there, Outputs), there
    for mine, theirs in zip(here.cases, there.cases, strict=True):
        for state in candidate.states:
            np.testing.assert_array_equal(mine[state.output], theirs[state.output])
