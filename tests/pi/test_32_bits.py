"""Models on a Raspberry Pi with a processor of 32 bits: the last tflite-runtime, and our own."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Outputs, Skipped
from edgernn.devices.ssh import COMMAND_VARIABLE
from edgernn.devices.survey import survey
from tests.pi.boards import BOARDS
from tests.pi.emulated import EmulatedPi, reason_against
from tests.pi.root import CannotBuild


@pytest.fixture(scope="module")
def pi2(tmp_path_factory):
    if reason := reason_against("qemu-arm"):
        pytest.skip(reason)
    pi = EmulatedPi(folder=tmp_path_factory.mktemp("pi2"), board=BOARDS["2"])
    try:
        pi.up()
    except CannotBuild as reason:
        pytest.skip(f"no emulated Pi of 32 bits: {reason}")
    yield pi
    pi.down()


@pytest.fixture
def device(pi2, monkeypatch, tmp_path):
    monkeypatch.setenv(COMMAND_VARIABLE, pi2.ssh_command)
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path / "settings"))
    with open_device("pi@emulated") as opened:
        yield opened


def here_and_there(device, path, backend, cases) -> list[tuple[np.ndarray, np.ndarray]]:
    with open_device("cpu") as host:
        here, there = (run_cases(one, path, backend, cases) for one in (host, device))
    assert isinstance(here, Outputs), here
    assert isinstance(there, Outputs), there
    return [(a[name], b[name]) for a, b in zip(here.cases, there.cases, strict=True) for name in a]


def test_it_is_a_pi_2(device):
    found = survey(device)
    assert found.machine.architecture == "armv7l"
    assert found.identity.board == BOARDS["2"].model
    assert found.identity.cpu == "Cortex-A7"


def test_native_integers_give_the_same_bits_with_32_bits(device, exported, cases):
    for here, there in here_and_there(device, exported / "digits_gru.int8.ernn", "native", cases):
        np.testing.assert_array_equal(here, there)


def test_native_floats_differ_little(device, exported, cases):
    for here, there in here_and_there(device, exported / "digits_gru.ernn", "native", cases):
        np.testing.assert_allclose(here, there, atol=1e-5)


@pytest.mark.parametrize("file", ["digits_gru.tflite", "digits_gru.int8.tflite"])
def test_tflite_runs_by_our_runtime_and_the_numpy_of_the_target(device, exported, cases, file):
    for here, there in here_and_there(device, exported / file, "tflite", cases):
        np.testing.assert_allclose(here, there, atol=1e-2)
        assert here.argmax() == there.argmax()


def test_onnx_runtime_is_not_made_for_32_bits(device, exported, cases):
    answer = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
    assert isinstance(answer, Skipped)
    assert "no package of onnxruntime" in answer.reason


def test_without_a_numpy_there_the_remedy_is_told(pi2, device, exported, cases):
    packages = pi2.inside / "usr/lib/python3/dist-packages"
    packages.chmod(0o700)  # root's: the user pi does not see what is in it
    try:
        answer = run_cases(device, exported / "digits_gru.tflite", "tflite", cases)
    finally:
        packages.chmod(0o755)
    assert isinstance(answer, Skipped)
    assert "pi@emulated has no numpy" in answer.reason
    assert "apt-get install python3-numpy" in answer.reason
