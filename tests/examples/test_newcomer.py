"""The guides are followed to the letter: each block of shell commands runs as it stands there.

A block that needs what is not here (a board, an SDK, a person) begins with a comment that says so;
it is for readers only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.edgernn.kits.models import RATE_HZ, sound_model
from tests.edgernn.runtime.sounds import made_up
from tests.edgernn.runtime.toolchain import tool
from tests.pages import TOP, blocks

#: What each guide says that one needs.
GUIDES = {
    "guide-android.md": ("clang", "ld.lld", "javac"),
    "guide-c.md": ("cc", "cmake", "clang"),
    "guide-ci.md": (),
    "guide-ios.md": (),
    "guide-pi.md": (),
    "guide-web.md": ("clang", "wasm-ld", "node"),
}
NOT_RUN = "# not run "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the guides take for granted: a model of sound, a recording, a .keras file."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "words.int8.ernn").write_bytes(sound_model())
    samples = np.repeat(made_up(3 * RATE_HZ, rate_hz=RATE_HZ), 2)  # 16,000 a second
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    shutil.copy(TOP / "tests/golden/trained/digits_gru.keras", tmp_path / "gru.keras")
    return tmp_path


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A folder for the PATH, with compilers that do not optimize C: for the time it takes.

    Kits for the web and Android need it: without, the compiler calls `memcpy` of a C library.
    """
    folder = tmp_path / "quick"
    folder.mkdir()
    for name in ("cc", "clang"):
        program = f'#!/bin/sh\ncase "$*" in *wasm*|*android*) exec {tool(name)} "$@";; esac\n'
        (folder / name).write_text(program + f'exec {tool(name)} "$@" -O0\n')
        (folder / name).chmod(0o755)
    return folder


#: Four libraries are compiled for Android, and three files are profiled, which other tests do, too.
SLOW = {"guide-android.md", "guide-ci.md"}
EACH = [
    pytest.param(one, marks=[pytest.mark.long] if one in SLOW else []) for one in sorted(GUIDES)
]


@pytest.mark.parametrize("guide", EACH)
def test_a_newcomer_who_follows_the_guide_gets_to_its_end(
    guide: str, folder: Path, quick: Path
) -> None:
    for name in GUIDES[guide]:
        tool(name)
    to_run = [block for block in blocks(guide) if not block.startswith(NOT_RUN)]
    assert to_run
    programs = (quick, Path(sys.executable).parent, os.environ["PATH"])
    path = os.pathsep.join(map(str, programs))
    short = {"EDGERNN_PROFILE_PROCESSES": "1", "EDGERNN_PROFILE_MIN_TIME": "1ms"}
    for block in to_run:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env={**os.environ, **short, "PATH": path},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_every_guide_is_in_the_list_and_in_the_readme() -> None:
    assert set(GUIDES) == {path.name for path in (TOP / "docs").glob("guide-*.md")}
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for guide in GUIDES:
        assert f"(docs/{guide})" in readme


@pytest.mark.parametrize("guide", sorted(GUIDES))
def test_what_is_not_run_says_why(guide: str) -> None:
    for block in blocks(guide):
        if block.startswith(NOT_RUN):
            first, rest = block.split("\n", maxsplit=1)
            assert re.search(r": \w+", first) or "it downloads" in first
            assert rest.strip()
