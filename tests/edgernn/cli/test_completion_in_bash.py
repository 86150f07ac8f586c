"""In an interactive bash, the Tab key completes what the page of commands says."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgernn.devices.inventory import Entry, write_inventory
from tests.pages import page

PROGRAM = Path(sys.executable).parent
TIMEOUT_S = 60.0

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


class Terminal:
    """A bash at a terminal, set up with the page's line."""

    def __init__(self, folder: Path) -> None:
        self._end, other = pty.openpty()
        environment = {
            **os.environ,
            "PATH": f"{PROGRAM}:{os.environ['PATH']}",
            "EDGERNN_CONFIG": str(folder),
            "TERM": "dumb",
            "PS1": "",
        }
        bash = ["bash", "--norc", "--noprofile", "-i"]
        self._bash = subprocess.Popen(
            bash,
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            env=environment,
            close_fds=True,
        )
        os.close(other)
        (line,) = re.findall(r"^(eval .*bash_source.*?\")", page("commands.md"), re.MULTILINE)
        self._type(f"{line}; bind 'set bell-style none'; printf '<%s>\\n' ready\n")
        self._until("<ready>")

    def completed(self, typed: str) -> str:
        """The line after Tab: the shell prints its words, each in square brackets."""
        self._type(f"{typed}\t")
        self._type("\x01printf '[%s]' \x05; printf '<%s>\\n' done\n")
        found = self._until("<done>")
        return "".join(re.findall(r"\[.*\]", found)[-1:])

    def _type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def _until(self, mark: str) -> str:
        said, end_s = "", time.monotonic() + TIMEOUT_S
        while mark not in said:
            ready, _, _ = select.select([self._end], [], [], max(0.0, end_s - time.monotonic()))
            assert ready, f"bash did not answer: {said}"
            said += os.read(self._end, 65536).decode(errors="replace")
        return said

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait()
        os.close(self._end)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("completion")
    shutil.copy("tests/golden/small_gru.keras", folder / "gru.keras")
    (folder / "recordings").mkdir()
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("EDGERNN_CONFIG", str(folder))
        write_inventory([Entry(name="kitchen", kind="ssh", address="pi@kitchen", board="Pi 5")])
    bash = Terminal(folder)
    yield bash
    bash.close()


@pytest.mark.parametrize(
    ("typed", "last"),
    [
        ("edgernn exp", "export"),
        ("edgernn export gru.keras --to onnx,tf", "onnx,tflite"),
        ("edgernn export gru.keras --scheme int8,dy", "int8,dynamic"),
        ("edgernn export gru.keras --scheme=floa", None),
        ("edgernn export gru.keras --scheme gru=d", "gru=dynamic"),
        ("edgernn export gru.keras --scheme=gru=d", "--scheme=gru=dynamic"),
        ("edgernn export gru.keras --scheme prob", "probabilities="),
        ("edgernn export gru.keras --keep-float pro", "probabilities"),
        ("edgernn export gru.keras --calibrate digits:cal", "digits:calibration"),
        ("edgernn export gr", "gru.keras"),
        ("edgernn profile . --data reco", "recordings/"),
        ("edgernn profile . --data japanese-vowels:te", "japanese-vowels:test"),
        ("edgernn profile . --device cpu,kit", "cpu,kitchen"),
        ("edgernn train japa", "japanese-vowels"),
        ("edgernn devices remove kitch", "kitchen"),
        ("edgernn devices check kitch", "kitchen"),
        ("edgernn inspect gru.keras --js", "--json"),
    ],
)
def test_the_tab_key_completes(terminal: Terminal, typed: str, last: str | None) -> None:
    expected = typed.split()
    expected[-1] = expected[-1] + "t" if last is None else last
    assert terminal.completed(typed) == "".join(f"[{word}]" for word in expected)
