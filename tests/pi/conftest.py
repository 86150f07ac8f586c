"""An emulated Raspberry Pi for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgernn.devices.remote import RemoteDevice
from edgernn.devices.ssh import COMMAND_VARIABLE, SshLink
from tests.edgernn.cli.conftest import edgernn
from tests.pi.emulated import EmulatedPi, reason_against
from tests.pi.root import CannotBuild

__all__ = ["edgernn"]  # a fixture: the command line


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


@pytest.fixture
def left_behind(pi):
    """What is in the cache of a user of the Pi besides files that are meant to stay."""

    def names(user: str = "pi") -> set[str]:
        cache = pi.inside / "home" / user / ".cache/edgernn"
        return {path.name for path in cache.iterdir()} - {"files", "packages"}

    return names
