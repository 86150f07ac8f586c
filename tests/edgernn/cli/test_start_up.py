"""The command line starts fast: what costs seconds is imported only where it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "tf_keras")
ONLY_WHEN_USED = ("onnx", "onnxruntime", "ai_edge_litert", "h5py", "rich.progress")


def modules_after(*arguments: str) -> set[str]:
    """Names in sys.modules after running the command line in a fresh process."""
    script = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print('\\n' + json.dumps(sorted(sys.modules))))\n"
        f"sys.argv = ['edgernn', *{list(arguments)!r}]\n"
        "from edgernn.cli import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout.splitlines()[-1]))


@pytest.mark.parametrize("command", ["", "export", "inspect", "profile", "train", "demo"])
def test_help_imports_nothing_heavy(command):
    arguments = [command, "--help"] if command else ["--help"]
    loaded = modules_after(*arguments)
    assert not loaded.intersection(HEAVY)
    assert not loaded.intersection(ONLY_WHEN_USED)
