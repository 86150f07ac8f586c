"""Python packages for a target, fetched on this machine for its platform and kept over there.

A Raspberry Pi needs nothing installed but Python: no pip, no compiler, no network.  pip on this
machine resolves and fetches the wheels; each is pushed once, unpacked once, and found by its hash.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners.outcome import Skipped
from edgernn.errors import DeviceError
from edgernn.folders import cache_folder
from edgernn.temporary import TemporaryFolder

PROBE_TIMEOUT_S: Final = 60.0
UNPACK_TIMEOUT_S: Final = 600.0

#: Prints what decides which wheels fit.
_PROBE: Final = """
import json, platform, struct, sys
print(json.dumps({
    "version": sys.version_info[:2],
    "machine": platform.machine(),
    "bits": 8 * struct.calcsize("P"),
    "libc": platform.libc_ver(),
}))
"""

#: Prints the version of the numpy that is installed, or nothing.
_OWN_NUMPY: Final = """
import importlib.metadata
try:
    print(importlib.metadata.version("numpy"))
except importlib.metadata.PackageNotFoundError:
    pass
"""

#: Unpacks the wheel argv[1] as the folder argv[2], whole or not at all.
_UNPACK: Final = """
import os, sys, tempfile, zipfile
wheel, folder = sys.argv[1:]
with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as part:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(part + "/content")
    try:
        os.rename(part + "/content", folder)
    except OSError:
        if not os.path.isdir(folder):  # it is there when another profile was faster
            raise
"""

#: Of all runtimes' packages the one that needs nothing but numpy, and that of version 1.
LEAST_DEMANDING: Final = "tflite-runtime"

#: manylinux2014 is glibc 2.17; no wheel that we want asks for less.
_OLDEST_GLIBC_MINOR: Final = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What decides which wheels a Python can load."""

    python: tuple[int, int]
    machine: str  # "aarch64", "armv7l", "x86_64"
    glibc_minor: int  # of 2.x

    def __str__(self) -> str:
        python = ".".join(map(str, self.python))
        return f"Python {python} on {self.machine} with glibc 2.{self.glibc_minor}"

    @property
    def pip_arguments(self) -> list[str]:
        minors = range(self.glibc_minor, _OLDEST_GLIBC_MINOR - 1, -1)
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in minors]
        tags += [f"manylinux2014_{self.machine}", f"linux_{self.machine}"]
        abi = f"cp{self.python[0]}{self.python[1]}"
        return [
            *("--only-binary=:all:", "--implementation", "cp"),
            *("--python-version", ".".join(map(str, self.python))),
            *(word for tag in (abi, "abi3", "none") for word in ("--abi", tag)),
            *(word for tag in tags for word in ("--platform", tag)),
        ]


def packages_on(
    device: RemoteDevice, python: tuple[str, ...], packages: tuple[str, ...]
) -> tuple[str, ...] | Skipped:
    """The folders on the target that hold the first of `packages` that fits its Python.

    Raises DeviceError when the target cannot be reached or has no room.
    """
    note = f"packages of {' '.join(packages)}"
    if note in device.notes:
        return device.notes[note]
    platform = _platform(device, python)
    if isinstance(platform, Skipped):
        return platform
    wheels = _fetched(platform, packages)
    if isinstance(wheels, Skipped) and LEAST_DEMANDING in packages:
        wheels = _fetched_without_numpy(device, python, platform) or wheels
    if isinstance(wheels, Skipped):
        return wheels
    device.notes[note] = tuple(_unpacked(device, python, wheel) for wheel in wheels)
    return device.notes[note]


def _platform(device: RemoteDevice, python: tuple[str, ...]) -> Platform | Skipped:
    asked = device.run([*python, "-c", _PROBE], timeout_s=PROBE_TIMEOUT_S)
    if not asked.succeeded:
        raise DeviceError(f"Python on {device.name} does not start: {asked.stderr.strip()[-200:]}")
    told = json.loads(asked.stdout)
    libc, version = told["libc"]
    if libc != "glibc":
        return Skipped(
            reason=f"{device.name} has no glibc, for which wheels are made; install the runtime "
            "there and use --use-device-python"
        )
    machine = told["machine"]
    if told["bits"] == 32 and machine in ("aarch64", "armv8l"):
        machine = "armv7l"  # a 64-bit kernel under a 32-bit system, as Raspberry Pi OS had it
    major, minor = told["version"]
    return Platform(python=(major, minor), machine=machine, glibc_minor=int(version.split(".")[1]))


def _fetched(platform: Platform, packages: tuple[str, ...]) -> list[Path] | Skipped:
    complaints = []
    for package in packages:
        for requirement in _requirements(package):
            folder = _kept(platform, requirement)
            complaint = "" if folder.is_dir() else _download(platform, requirement, folder)
            if not complaint:
                return sorted(folder.glob("*.whl"))
            complaints.append(f"{' '.join(requirement)}: {complaint}")
    return Skipped(reason=f"no package of {packages[0]} for {platform} ({complaints[-1]})")


def _fetched_without_numpy(
    device: RemoteDevice, python: tuple[str, ...], platform: Platform
) -> list[Path] | Skipped | None:
    """For 32-bit ARM, for which PyPI has no numpy: the target's own is as good.

    None where there is nothing for the platform even so.
    """
    requirement = ("--no-deps", LEAST_DEMANDING)
    folder = _kept(platform, requirement)
    if not folder.is_dir() and _download(platform, requirement, folder):
        return None
    asked = device.run([*python, "-s", "-c", _OWN_NUMPY], timeout_s=PROBE_TIMEOUT_S)
    version = asked.stdout.strip()
    if version.startswith("1."):
        return sorted(folder.glob("*.whl"))
    found = f"numpy {version}" if version else "no numpy"
    return Skipped(
        reason=f"{LEAST_DEMANDING} needs numpy 1, there are no wheels of it for {platform}, and "
        f"{device.name} has {found}: install it there (apt-get install python3-numpy)"
    )


def _requirements(package: str) -> list[tuple[str, ...]]:
    """First the version that this machine has, so that devices differ in nothing else."""
    anything = (package, "numpy<2") if package == LEAST_DEMANDING else (package,)
    try:
        return [(f"{package}=={importlib.metadata.version(package)}", *anything[1:]), anything]
    except importlib.metadata.PackageNotFoundError:
        return [anything]


def _kept(platform: Platform, requirement: tuple[str, ...]) -> Path:
    key = hashlib.sha256(repr((platform, requirement)).encode()).hexdigest()[:16]
    return cache_folder() / "wheels" / key


def _download(platform: Platform, requirement: tuple[str, ...], folder: Path) -> str:
    """Fills `folder`, or leaves it out and tells what pip complained about."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFolder(prefix=".fetching", parent=folder.parent) as fetching:
        target = fetching / "wheels"
        pip = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
                *("--disable-pip-version-check", *platform.pip_arguments),
                *("--dest", str(target), *requirement),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if pip.returncode != 0:
            errors = [line for line in pip.stderr.splitlines() if line.startswith("ERROR: ")]
            return (errors or ["ERROR: pip gave no reason"])[-1].removeprefix("ERROR: ")
        try:
            target.rename(folder)
        except OSError:  # another profile was faster
            if not folder.is_dir():
                raise
    return ""


def _unpacked(device: RemoteDevice, python: tuple[str, ...], wheel: Path) -> str:
    """The folder on the target that holds the wheel's content."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    folder = f"{device.cache}/packages/{digest[:32]}"
    if device.run(["test", "-d", folder], timeout_s=PROBE_TIMEOUT_S).succeeded:
        return folder
    device.push(wheel, "package.whl")
    argv = [*python, "-c", _UNPACK, "package.whl", folder]
    unpacked = device.run(argv, timeout_s=UNPACK_TIMEOUT_S)
    # Its content is there now: the wheel itself would only take room.
    device.run(
        ["rm", "-f", "package.whl", f"{device.cache}/files/{digest}"], timeout_s=PROBE_TIMEOUT_S
    )
    if not unpacked.succeeded:
        complaint = (unpacked.stderr.strip() or "it took too long").splitlines()[-1]
        raise DeviceError(
            f"cannot unpack {wheel.name} on {device.name}: {complaint}",
            remedy=f"Free some room in {device.cache} there",
        )
    return folder
