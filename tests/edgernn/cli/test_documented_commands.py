"""The commands of the documentation are run as they stand there, one after the other in one folder.

The environment makes them quick: EDGERNN_TRAIN_EPOCHS and others are documented settings.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import wave
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from edgernn.cli import main
from edgernn.devices.device import Choices, Device
from edgernn.devices.host import HostDevice
from edgernn.devices.kinds import KINDS, Kind
from edgernn.errors import BudgetExceeded
from edgernn.kits import for_android
from tests.edgernn.tasks.reference_data import splits_of
from tests.pages import TOP, blocks

# Keras 3.15 converts TensorFlow's tensors in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PAGES = ("commands.md", "exporting.md", "choosing.md", "profiling.md", "guide-ci.md")
BLOCKS = [*(block for name in PAGES for block in blocks(name)), blocks("data.md")[0]]
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("edgernn ")]
#: They need a device; tests/pi and tests/android run them.
WITH_DEVICE = re.compile(
    r"edgernn devices add|--device (pi|android)$|--storage|--hosts|--from a.keras"
    r"|^edgernn search mydata"
)
SLOW = re.compile(
    r"edgernn (demo|compare|search|worker)|--device cpu,kitchen|--scheme auto|--qat|gru4"
)
QUICK = {
    "EDGERNN_TRAIN_EPOCHS": "1",
    "EDGERNN_PROFILE_PROCESSES": "1",
    "EDGERNN_PROFILE_MIN_TIME": "1ms",
    "EDGERNN_PROFILE_WARMUP": "1ms",
    "EDGERNN_DEMO_PROCESSES": "1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what the commands take for granted: models, a budget, data, devices."""
    splits_of("digits")  # downloaded once
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(TOP / "tests/golden/legacy/masked-2.4.0.h5", folder / "old_keras2_model.h5")
    (budget,) = blocks("guide-ci.md", "toml")
    (folder / "budget.toml").write_text(budget, encoding="utf-8")
    for line in "\n".join(BLOCKS).splitlines():
        if line.startswith("printf "):  # a page that writes a file for its commands
            subprocess.run(["sh", "-c", line], cwd=folder, check=True)
    hours = range(2400)
    loads = [100 + 20 * math.sin(hour / 24 * 2 * math.pi) + hour % 7 for hour in hours]
    lines = [f"{hour},{load:.2f}" for hour, load in zip(hours, loads, strict=True)]
    (folder / "mydata.csv").write_text("\n".join(["hour,load", *lines]), encoding="utf-8")
    recordings(folder / "words")
    shutil.copy(folder / "words" / "high" / "0.wav", folder / "a.wav")
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERNN_CONFIG", str(folder))
        for name in ("kitchen", "phone"):
            patch.setitem(cast("dict[str, Kind]", KINDS), name, called(name))
        for name, value in QUICK.items():
            patch.setenv(name, value)
        os.chdir(folder)
        yield folder
        os.chdir(before)


def recordings(folder: Path) -> None:
    """Words of one tone, half a second each: low and high."""
    random, times = np.random.default_rng(0), np.arange(8_000) / 16_000
    for name, hertz in (("low", 300.0), ("high", 1_500.0)):
        (folder / name).mkdir(parents=True)
        for number in range(60):
            tone = np.sin(2 * np.pi * hertz * random.uniform(0.9, 1.1) * times)
            samples = 8_000 * tone + random.normal(0, 300, len(times))
            with wave.open(str(folder / name / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(16_000)
                file.writeframes(samples.astype("<i2").tobytes())


def called(name: str) -> Kind:
    """This machine under the name of a device that a person added."""

    def opened(_address: str, _choices: Choices) -> Device:
        device = HostDevice()
        device.name = name
        return device

    return replace(KINDS["fake"], name=name, open=opened)


def code_of(line: str, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "argv", shlex.split(line, comments=True))
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    "slow", [False, pytest.param(True, marks=pytest.mark.long)], ids=["quick", "all"]
)
def test_the_commands_of_the_pages_run_one_after_the_other(
    folder: Path, slow: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One test, so that they run in one process and in their order."""
    if not slow:  # as many libraries for Android as show that the command writes one
        monkeypatch.setattr(for_android, "ABIS", {"x86": for_android.ABIS["x86"]})
    for line in COMMANDS:
        if WITH_DEVICE.search(line) or (SLOW.search(line) and not slow):
            continue
        code = code_of(line, monkeypatch)
        errors = capsys.readouterr().err
        allowed = {0, BudgetExceeded.code} if "--budget" in line else {0}
        assert code in allowed, f"{line}: {errors}"
        for written in re.findall(r" -o (\S+)", line):
            assert (folder / written).exists(), line
    written, devices = ("junit.xml", {"cpu", "kitchen"}) if slow else ("small.xml", {"cpu"})
    cases = ET.parse(folder / written).iter("testcase")
    assert {case.get("classname") for case in cases} >= {f"budget.{name}" for name in devices}
