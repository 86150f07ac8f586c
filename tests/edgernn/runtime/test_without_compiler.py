"""Where edgernn was installed without a C compiler, all but running native models works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgernn.artefact import VerificationStatus, read_manifest
from edgernn.errors import MissingRuntime
from tests.golden import GOLDEN

#: What an installation without the extension looks like to Python.
WITHOUT = "import sys; sys.modules['edgernn.runtime._ernn'] = None; "


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_runtime_says_what_is_missing_and_what_to_do() -> None:
    ran = run(
        "import edgernn\n"
        "try:\n    edgernn.Model\n"
        "except edgernn.errors.MissingRuntime as error:\n    print(error, error.code)"
    )
    assert ran.returncode == 0, ran.stderr
    assert "was not built when edgernn was installed. Install a C compiler" in ran.stdout
    assert ran.stdout.rstrip().endswith(str(MissingRuntime.code))


def test_native_files_are_written_and_not_checked(tmp_path: Path) -> None:
    """The check runs in a child of its own: there, too, the extension is missing."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(WITHOUT)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "edgernn", "export", str(GOLDEN / "small_gru.keras")]
    ran = subprocess.run(
        [*command, "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(hook), "PATH": ""},
    )
    assert ran.returncode == 0, ran.stderr
    checked = {artefact.backend: artefact.verification for artefact in read_manifest(out)}
    assert checked["native"].status is VerificationStatus.SKIPPED
    assert "Install a C compiler" in checked["native"].reason
    assert checked["onnx"].status is VerificationStatus.PASSED
