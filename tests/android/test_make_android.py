"""`make android` and `make android-down`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgernn.devices.inventory import Entry, read_inventory, write_inventory
from edgernn.errors import DeviceError
from edgernn.folders import CACHE_VARIABLE, cache_folder
from tests.android.root import ABIS, CannotBuild, programs
from tests.android.runtime_libraries import c_library
from tests.android.space import reason_against
from tests.emulated_entry import keep_emulated


@pytest.mark.usefixtures("adb", "settings")
def test_the_device_that_a_person_tries_is_reached_by_its_name_until_it_is_stopped(
    tmp_path: Path, edgernn
) -> None:
    """With a cache of its own, which does not know of a device that is up."""
    abi = ABIS["x86_64"]
    if reason := reason_against(abi):
        pytest.skip(reason)
    try:
        programs(abi)
        c_library(abi)
    except CannotBuild as missing:
        pytest.skip(f"no loopback device: {missing}")
    (tmp_path / "loopback-android").symlink_to(cache_folder() / "loopback-android")
    environment = {**os.environ, CACHE_VARIABLE: str(tmp_path)}

    def make(*words: str) -> str:
        command = [sys.executable, "-m", "tests.android", *words]
        ran = subprocess.run(
            command, env=environment, check=True, timeout=60, capture_output=True, text=True
        )
        return ran.stdout

    def state() -> dict[str, object]:
        kept: dict[str, object] = json.loads((tmp_path / "loopback-android.json").read_text())
        return kept

    try:
        assert "\n  edgernn profile out/ --device android\n" in make("up")
        first = state()
        folder = Path(str(first["folder"]))
        assert (folder / "root/system/bin/linker64").is_file()
        assert "Loopback phone" in edgernn("devices", "check", "android").out
        make("up")
        assert state() == first
        phone = Entry(name="phone", kind="android", address="serial")
        write_inventory([*read_inventory(), phone])
        assert "--device emulated-android\n" in make("up")
    finally:
        make("down")
    assert not folder.exists()
    assert read_inventory() == (phone,)


@pytest.mark.usefixtures("settings")
def test_a_device_of_the_user_is_never_replaced_by_an_emulated_one() -> None:
    mine = Entry(name="emulated-pi", kind="ssh", address="pi@host")
    write_inventory([mine])
    with pytest.raises(DeviceError, match="which is not emulated"):
        keep_emulated(Entry(name="emulated-pi", kind="ssh", address="x", emulated="qemu"))
    assert read_inventory() == (mine,)
