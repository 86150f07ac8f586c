"""Genuine runtimes for a loopback device, and the C library that they and our program want there.

The libraries are out of wheels that bundle them for Linux: what a phone would be given, but for its
C library.  In the root, Debian's loader stands in for Android's, at Android's path.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn.artefact import sha256_hex
from edgernn.folders import cache_folder
from tests.android.root import Abi
from tests.debian_packages import CannotBuild, fetched, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """A library inside a wheel: its SHA-256 by what `uname -m` calls the processor."""

    requirement: str
    path: str
    sha256: Mapping[str, str]


ONNX_RUNTIME: Final = Bundled(
    requirement="sherpa-onnx-core==2.0.1",
    path="sherpa_onnx/lib/libonnxruntime.so",
    sha256={
        "x86_64": "4b3607aebd1784b26b6f9b20e4bd974c7ab8287043e4d095cb7d2cb40b5e566e",
        "aarch64": "cfc800d4438f15e8d9017521326776ca7117d8783cb847ccccc2fc61ac4d540f",
    },
)
TENSORFLOW_LITE: Final = Bundled(
    requirement="pymicro-wakeword==2.5.0",
    path="pymicro_wakeword/lib/libtensorflowlite_c.so",
    sha256={
        "x86_64": "25465edb5cd7aadd00249d4d28f1d922ce5cc90195ad4403458111dd63493bae",
        "aarch64": "12062437bfde367b1be592ebc4a9fe64b8453f90b3b7dc21fade002c38e1ac1a",
    },
)
#: `uname -m` -> Android's name of the ABI, Debian's of the folder, and the loader.
_ABI_NAMES: Final = {"x86_64": "x86_64", "aarch64": "arm64-v8a"}
_LOADERS: Final = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
#: What Android calls it -> what the C library calls itself.
_STAND_INS: Final = {"libc.so": "libc.so.6", "libdl.so": "libdl.so.2"}
_PACKAGES: Final = ("libc6", "libgcc-s1", "libstdc++6")
_LIBRARIES: Final = (
    *("libm.so.6", "librt.so.1", "libpthread.so.0", "libstdc++.so.6", "libgcc_s.so.1"),
    *("libc.so.6", "libdl.so.2"),
)


def android_package(path: Path, abi: Abi, libraries: Mapping[str, Bundled]) -> Path:
    """An AAR with these libraries, by the names that they are to have.  Raises CannotBuild."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("AndroidManifest.xml", "<manifest/>")
        for name, bundled in libraries.items():
            member = f"jni/{_ABI_NAMES[abi.machine]}/{name}"
            archive.writestr(member, library(bundled, abi.machine))
    return path


def library(bundled: Bundled, machine: str) -> bytes:
    """From the cache, or else through pip.  Raises CannotBuild."""
    expected = bundled.sha256[machine]
    kept = cache_folder() / f"{expected[:16]}-{Path(bundled.path).name}"
    if not kept.is_file() or sha256_hex(kept.read_bytes()) != expected:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=kept.parent) as making:
            wheel = _wheel(bundled, machine, Path(making))
            with zipfile.ZipFile(wheel) as archive:
                (Path(making) / "library").write_bytes(archive.read(bundled.path))
            (Path(making) / "library").replace(kept)
    content = kept.read_bytes()
    if sha256_hex(content) != expected:
        kept.unlink()
        raise CannotBuild(f"{bundled.requirement} holds another {bundled.path} than we know")
    return content


def _wheel(bundled: Bundled, machine: str, folder: Path) -> Path:
    platforms = (f"manylinux2014_{machine}", f"manylinux_2_35_{machine}")
    told = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder),
            *("--only-binary=:all:", *(f"--platform={one}" for one in platforms)),
            bundled.requirement,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        complaint = (told.stderr.strip() or "no reason given").splitlines()[-1]
        raise CannotBuild(f"pip cannot fetch {bundled.requirement}: {complaint}")
    return next(folder.glob("*.whl"))


def give_c_library(root: Path, abi: Abi) -> None:
    """Debian's loader and libraries, by Android's names.  Raises CannotBuild."""
    source = c_library(abi)
    shutil.copy(source / _LOADERS[abi.machine], root / "system/bin/linker64")
    # Where Debian's loader looks for libraries, whatever its own path is.
    folder = root / f"lib/{abi.machine}-linux-gnu"
    folder.mkdir(parents=True)
    for name in _LIBRARIES:
        shutil.copy(source / name, folder / name)
    for name, own in _STAND_INS.items():
        (folder / name).symlink_to(own)


def c_library(abi: Abi) -> Path:
    """A folder with Debian's, made at first use and kept in the cache."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    folder = cache_folder() / "loopback-android" / f"{key}-libc-{abi.debian}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
        root, made = Path(making) / "root", Path(making) / "made"
        packages = fetched(_PACKAGES, architecture=abi.debian, folder=Path(making))
        unpack(packages, root)
        made.mkdir()
        for name in (*_LIBRARIES, _LOADERS[abi.machine]):
            shutil.copy(root / f"usr/lib/{abi.machine}-linux-gnu" / name, made / name)
        try:
            made.rename(folder)
        except OSError:  # a parallel test run was faster
            if not folder.is_dir():
                raise
    return folder
