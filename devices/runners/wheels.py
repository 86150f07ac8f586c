"""Python packages for a target, downloaded on this machine and stored on the target.

A Raspberry Pi needs only Python: no pip, no compiler, no network.  pip on this machine resolves and
downloads the wheels; each is pushed and unpacked once, and stored under its hash.
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

#: Prints the facts that decide which wheels fit.
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

#: Unpacks the wheel argv[1] of SHA-256 argv[3] as the folder argv[2], whole or not at all.
_UNPACK: Final = """
import hashlib, os, sys, tempfile, zipfile
wheel, folder, digest = sys.argv[1:]
with open(wheel, "rb") as file:
    if hashlib.sha256(file.read()).hexdigest() != digest:
        sys.exit("its SHA-256 is not the one that was sent")
with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as part:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(part + "/content")
    try:
        os.rename(part + "/content", folder)
    except OSError:
        if not os.path.isdir(folder):  # another profile may have been faster
            raise
"""

#: The runtime package with the fewest dependencies: only numpy, in version 1.
LEAST_DEMANDING: Final = "tflite-runtime"
#: The last that it has wheels for.
_LAST_PYTHON: Final = (3, 11)

#: manylinux2014 is glibc 2.17; no wheel in use accepts an older one.
_OLDEST_GLIBC_MINOR: Final = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The facts that decide which wheels a Python can load."""

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

    Raises DeviceError when the target cannot be reached or has no space left.
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
        machine = "armv7l"  # a 32-bit system on a 64-bit kernel, as in older Raspberry Pi OS
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
    if LEAST_DEMANDING in packages and platform.python > _LAST_PYTHON:
        return Skipped(
            reason=f"no TFLite runtime has a wheel for {platform}: {packages[0]} has none for this "
            f"processor or glibc, and {LEAST_DEMANDING} ends with Python 3.11; profile the .ernn "
            "file there, which needs no Python"
        )
    return Skipped(reason=f"no package of {packages[0]} for {platform} ({complaints[-1]})")


def _fetched_without_numpy(
    device: RemoteDevice, python: tuple[str, ...], platform: Platform
) -> list[Path] | Skipped | None:
    """For 32-bit ARM, where PyPI has no numpy: uses the numpy of the target.

    None if there is still no package for the platform.
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
    """First the version of this machine, so that devices run the same version if possible."""
    anything = (package, "numpy<2") if package == LEAST_DEMANDING else (package,)
    try:
        return [(f"{package}=={importlib.metadata.version(package)}", *anything[1:]), anything]
    except importlib.metadata.PackageNotFoundError:
        return [anything]


def _kept(platform: Platform, requirement: tuple[str, ...]) -> Path:
    key = hashlib.sha256(repr((platform, requirement)).encode()).hexdigest()[:16]
    return cache_folder() / "wheels" / key


def _download(platform: Platform, requirement: tuple[str, ...], folder: Path) -> str:
    """Fills `folder`; without success, creates none and returns the error of pip."""
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
    argv = [*python, "-c", _UNPACK, "package.whl", folder, digest]
    unpacked = device.run(argv, timeout_s=UNPACK_TIMEOUT_S)
    # The content is unpacked; the wheel itself would only take space.
    device.run(
        ["rm", "-f", "package.whl", f"{device.cache}/files/{digest}"], timeout_s=PROBE_TIMEOUT_S
    )
    if not unpacked.succeeded:
        complaint = (unpacked.stderr.strip() or "it took too long").splitlines()[-1]
        raise DeviceError(
            f"cannot unpack {wheel.name} on {device.name}: {complaint}",
            remedy=f"Free some space in {device.cache} there",
        )
    return folder
