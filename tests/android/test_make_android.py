"""`make android` and `make android-down`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgernn.folders import CACHE_VARIABLE, cache_folder
from tests.android.root import ABIS, CannotBuild, programs
from tests.android.runtime_libraries import c_library
from tests.android.space import reason_against


def test_the_device_that_a_person_tries_can_load_runtimes(tmp_path: Path) -> None:
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

    def make(*words: str) -> None:
        command = [sys.executable, "-m", "tests.android", *words]
        subprocess.run(command, env=environment, check=True, timeout=60)

    try:
        make("up", "x86_64")
        state = json.loads((tmp_path / "loopback-android.json").read_text())
        assert (Path(state["folder"]) / "root/system/bin/linker64").is_file()
    finally:
        make("down")
    assert not Path(state["folder"]).exists()
