"""An emulated Raspberry Pi for the tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Final

import numpy as np
import pytest

from edgernn.devices.remote import RemoteDevice
from edgernn.devices.ssh import COMMAND_VARIABLE, SshLink
from tests.edgernn.cli.conftest import edgernn
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN
from tests.pi.emulated import EmulatedPi, reason_against
from tests.pi.root import CannotBuild

__all__ = ["edgernn"]  # a fixture: the command line

TEST_ROWS: Final = 300
#: Options of `edgernn profile` for who wants it done, not measured.
QUICK: Final = ("--processes", "1", "--min-time", "1ms", "--warmup", "1ms")


@pytest.fixture(scope="session")
def emulated_pi(tmp_path_factory) -> Iterator[EmulatedPi]:
    """Up for the whole session.  Its skip names what is missing on this machine."""
    if reason := reason_against():
        pytest.skip(reason)
    pi = EmulatedPi(folder=tmp_path_factory.mktemp("pi"))
    try:
        pi.up()
    except CannotBuild as reason:
        pytest.skip(f"no emulated Pi: {reason}")
    yield pi
    pi.down()


@pytest.fixture
def pi(emulated_pi: EmulatedPi, monkeypatch, tmp_path) -> EmulatedPi:
    """The emulated Pi, known to ssh as `emulated`; settings of edgernn are empty."""
    monkeypatch.setenv(COMMAND_VARIABLE, emulated_pi.ssh_command)
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path / "settings"))
    return emulated_pi


@pytest.fixture
def device(pi) -> Iterator[RemoteDevice]:  # noqa: ARG001 - makes ssh find it
    with RemoteDevice(SshLink("pi@emulated", name="pi")) as opened:
        yield opened


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A trained GRU in every format, float and int8, and data that it was not trained on."""
    from edgernn.cli import edgernn as command_line

    splits = splits_of("digits")
    folder = tmp_path_factory.mktemp("exported")
    assert splits.test.y is not None
    np.savez(folder / "calibration.npz", x=splits.calibration.x)
    np.savez(folder / "test.npz", x=splits.test.x[:TEST_ROWS], y=splits.test.y[:TEST_ROWS])
    # Beside what is made from it, so that agreement is with the original.
    model = str(shutil.copy(GOLDEN / "trained/digits_gru.keras", folder))
    for more in ([], ["--scheme", "int8", "--calibrate", str(folder / "calibration.npz")]):
        arguments = ["export", model, *more, "--no-verify", "-o", str(folder)]
        assert command_line.main(arguments, standalone_mode=False) in (0, None)
    return folder


@pytest.fixture(scope="session")
def cases(exported):
    from edgernn.runtime import Model

    name = Model(exported / "digits_gru.ernn").inputs[0].name
    return [{name: row[None]} for row in np.load(exported / "test.npz")["x"][:8]]


@pytest.fixture
def left_behind(pi):
    """What is in the cache of a user of the Pi besides files that are meant to stay."""

    def names(user: str = "pi") -> set[str]:
        cache = pi.inside / "home" / user / ".cache/edgernn"
        return {path.name for path in cache.iterdir()} - {"files", "packages"}

    return names
