"""The native runtime as a program of a few kilobytes without dependencies on the target.

It is compiled on this machine for the target's processor when it is first needed, without any C
library, and kept in the cache under the hash of its sources.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import edgernn.runtime
from edgernn.devices.runners.outcome import Skipped
from edgernn.errors import DeviceError
from edgernn.folders import cache_folder
from edgernn.temporary import TemporaryFolder

NAME: Final = "edgernn-run"
LIBRARY_NAME: Final = "edgernn-library-run"
OPERATORS_NAME: Final = "edgernn-operators"
_RUNTIME: Final = Path(edgernn.runtime.__file__).parent

#: `uname -m`, or an ABI of Android -> what build.sh calls it.
_ARCHITECTURES: Final = {
    "aarch64": "arm64",
    "armv8l": "armv7",  # a 32-bit system on a 64-bit kernel
    "armv7l": "armv7",
    "x86_64": "x86_64",
    "arm64-v8a": "arm64",
    "armeabi-v7a": "armv7",
}
_LIBRARY_ABIS: Final = ("arm64-v8a", "armeabi-v7a", "x86_64")


def static_program(processors: Sequence[str]) -> Path | Skipped:
    """The program for the first supported platform among these (`uname -m`, or Android's ABIs).

    Skipped if none is supported, or if there is no clang to compile it.  Raises DeviceError
    when the compiler fails.
    """
    target = next((_ARCHITECTURES[one] for one in processors if one in _ARCHITECTURES), None)
    if target is None:
        known, asked = ", ".join(dict.fromkeys(_ARCHITECTURES.values())), " or ".join(processors)
        return Skipped(reason=f"there is no native runner for {asked} (but for {known})")
    return _made(NAME, target, script="build.sh")


def library_program(abi: str, name: str = LIBRARY_NAME) -> Path | Skipped:
    """The program that loads a runtime's shared library, for an ABI by Android's name.

    With the name OPERATORS_NAME: edgernn's operators for ONNX Runtime, for this ABI.
    Skipped and raises like `static_program`.
    """
    if abi not in _LIBRARY_ABIS:
        known = ", ".join(_LIBRARY_ABIS)
        return Skipped(reason=f"there is no runner of libraries for {abi} (but for {known})")
    return _made(name, abi, script="build_library_run.sh")


def _made(name: str, target: str, *, script: str) -> Path | Skipped:
    folder = cache_folder() / "native-runner" / _fingerprint()
    path = folder / f"{name}-{target}"
    if path.is_file():
        return path
    if not shutil.which("clang") or not shutil.which("ld.lld"):
        return Skipped(
            reason=f"the runner for {target} is compiled on this machine, which needs "
            "clang and lld: apt-get install clang lld"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFolder(prefix=".making", parent=folder) as making:
        _compile(script, target, making)
        (making / path.name).replace(path)
    return path


@cache
def _fingerprint() -> str:
    """The hash of all sources of the program."""
    digest = hashlib.sha256()
    for pattern in ("runner/*", "c/*.[ch]", "ort/*.[ch]"):
        for source in sorted(_RUNTIME.glob(pattern)):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _compile(script: str, target: str, folder: Path) -> None:
    argv = ["sh", str(_RUNTIME / "runner" / script), str(folder), target]
    compiled = subprocess.run(argv, capture_output=True, text=True, check=False)
    if compiled.returncode != 0:
        errors = [line for line in compiled.stderr.splitlines() if "error" in line]
        raise DeviceError(
            f"clang could not compile the runner: {(errors or ['no reason given'])[0]}",
            remedy="Update clang and lld to version 14 or newer, and make them of one version",
        )
