"""The sample programs in C, Python and a workflow file do what their first lines say."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgernn import Model
from edgernn.cli import main
from edgernn.kits import package
from edgernn.runtime.listening import Listener
from edgernn.tasks import load
from tests.edgernn.kits.models import certain_model
from tests.edgernn.runtime.sounds import made_up
from tests.edgernn.runtime.toolchain import run, tool
from tests.pages import TOP

EXAMPLES = TOP / "examples"
RATE_HZ = 16_000
SOUND = made_up(4 * RATE_HZ, rate_hz=RATE_HZ)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "words.ernn"
    path.write_bytes(certain_model())
    return path


def heard(model: Path) -> list[tuple[str, str]]:
    """(seconds, label) as the library of Python hears them."""
    listener = Listener(model=Model(model), rate_hz=RATE_HZ)
    return [(f"{one.seconds:.1f}", one.label) for one in listener.feed(SOUND)]


def listening(command: list[str | Path]) -> subprocess.CompletedProcess[bytes]:
    words = [str(word) for word in command]
    return subprocess.run(words, input=SOUND.tobytes(), capture_output=True, timeout=60)


def check(program: list[str | Path], model: Path) -> None:
    """`program`: with all words but the commands."""
    expected = heard(model)
    assert [label for _, label in expected] == ["yes"] * 4
    done = listening([*program, "yes=echo it-was-said", "go=echo wrong"])
    lines = re.findall(r"^([\d.]+) s  (\w+)", done.stdout.decode(), re.MULTILINE)
    assert lines == expected, done.stderr
    assert done.stdout.count(b"it-was-said") == 4
    assert b"wrong" not in done.stdout
    done = listening([*program, "never=echo no"])
    assert done.returncode == 1
    assert b"no such word" in done.stderr


def test_the_program_in_c_runs_a_command_for_a_word(model: Path, tmp_path: Path) -> None:
    tool("cmake")
    package(model, target="c", folder=tmp_path / "kit")
    build = tmp_path / "build"
    run(
        [
            "cmake",
            "-S",
            EXAMPLES / "c",
            "-B",
            build,
            f"-DKIT={tmp_path / 'kit'}",
            "-DCMAKE_BUILD_TYPE=Debug",
        ]
    )
    run(["cmake", "--build", build])
    check([build / "listen", model, str(RATE_HZ)], model)


def test_the_script_of_the_pi_runs_a_command_for_a_word(model: Path) -> None:
    check([sys.executable, EXAMPLES / "pi" / "listen.py", model], model)


def test_the_workflow_keeps_the_budget_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands, as they stand there, on a model and data at the places it names."""
    (tmp_path / "models").mkdir()
    shutil.copy(TOP / "tests/golden/trained/digits_gru.keras", tmp_path / "models" / "gru.keras")
    shutil.copy(EXAMPLES / "ci" / "budget.toml", tmp_path)
    for part in ("calibration", "test"):
        data = load(f"digits:{part}")
        assert data.y is not None
        np.savez(tmp_path / "models" / part, x=data.x[:300], y=data.y[:300])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGERNN_PROFILE_PROCESSES", "1")
    monkeypatch.setenv("EDGERNN_PROFILE_MIN_TIME", "1ms")
    text = (EXAMPLES / "ci" / "model-budget.yml").read_text()
    commands = re.findall(r"^ +- run: (edgernn .*)$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, command
    for name in re.findall(r"^ {12}(\S+)$", text, re.MULTILINE):
        assert (tmp_path / name).exists()
