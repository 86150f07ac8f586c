"""The loopback device itself: is it like a phone, and does what fails on a phone fail there?"""

from __future__ import annotations

import shutil

import pytest

from edgernn.devices import open_device
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.survey import survey
from tests.android.root import ABIS


@pytest.mark.parametrize("abi", ABIS)
def test_it_is_of_its_own_processor(attach, abi):
    attach(abi=abi)
    with open_device("android") as device:
        assert isinstance(device, RemoteDevice)
        assert device.architecture == ABIS[abi].machine
        found = survey(device)
    assert found.machine.architecture == ABIS[abi].machine
    assert found.identity.board == ABIS[abi].properties["ro.product.model"]
    assert found.identity.emulated == ABIS[abi].emulated
    if abi == "arm64":
        assert found.identity.cpu == "Cortex-A76"
        assert "asimddp" in found.identity.isa


@pytest.mark.parametrize("abi", ABIS)
def test_programs_of_another_processor_are_found_out(attach, abi, tmp_path):
    loopback = attach(abi=abi)
    others = attach(abi=next(other for other in ABIS if other != abi))
    shutil.copy(others.root / "system/bin/busybox", tmp_path / "busybox")
    with open_device(f"android:{loopback.serial}") as device:
        device.push(tmp_path / "busybox", "busybox")
    (name,) = loopback.foreign_programs()
    (loopback.data / "edgernn/files" / name).unlink()


def test_its_shell_is_held_back_by_permissions_as_root_is_not(attach):
    loopback = attach()
    forbidden = loopback.root / "data/local/tmp/forbidden"
    forbidden.mkdir(mode=0o555)
    with open_device("android") as device:
        assert not device.run(["touch", "/data/local/tmp/forbidden/file"], timeout_s=60).succeeded
