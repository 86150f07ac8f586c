"""Genuine runtimes for a loopback device, and the C library that they and our program want there.

The libraries are out of wheels that bundle them for Linux: what a phone would be given, but for its
C library.  In the root, Debian's loader stands in for Android's, at Android's path.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from edgernn.errors import EdgernnError
from edgernn.tasks.download import Member, Wheel, fetch
from tests.android.root import CannotBuild

ONNX_RUNTIME: Final = Wheel(
    project="sherpa-onnx-core",
    version="2.0.1",
    members=(
        Member(
            path="sherpa_onnx/lib/libonnxruntime.so",
            sha256="4b3607aebd1784b26b6f9b20e4bd974c7ab8287043e4d095cb7d2cb40b5e566e",
            size_bytes=27_026_609,
        ),
    ),
)
TENSORFLOW_LITE: Final = Wheel(
    project="pymicro-wakeword",
    version="2.5.0",
    members=(
        Member(
            path="pymicro_wakeword/lib/libtensorflowlite_c.so",
            sha256="25465edb5cd7aadd00249d4d28f1d922ce5cc90195ad4403458111dd63493bae",
            size_bytes=4_835_320,
        ),
    ),
)
#: What Android calls it -> what the C library calls itself.
_STAND_INS: Final = {"libc.so": "libc.so.6", "libdl.so": "libdl.so.2"}
_LIBRARIES: Final = (
    *("libm.so.6", "librt.so.1", "libpthread.so.0", "libstdc++.so.6", "libgcc_s.so.1"),
    *("libc.so.6", "libdl.so.2"),
)


def library(wanted: Wheel) -> bytes:
    """Raises CannotBuild where it is not to be had: these are of x86-64 Linux."""
    try:
        (content,) = fetch(wanted)
    except EdgernnError as error:
        raise CannotBuild(str(error)) from error
    return content


def give_c_library(root: Path) -> None:
    """This machine's loader and libraries, by Android's names.  Raises CannotBuild."""
    told = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    known = dict(re.findall(r"^\s*(\S+) \(libc6,x86-64[^)]*\) => (\S+)", told, re.MULTILINE))
    loader = known.get("ld-linux-x86-64.so.2")
    missing = [name for name in _LIBRARIES if name not in known]
    if loader is None or missing:
        raise CannotBuild(f"no glibc for x86-64 here, or without {missing}")
    shutil.copy(loader, root / "system/bin/linker64")
    folder = root / "lib/x86_64-linux-gnu"  # where Debian's loader looks, whatever its own path
    folder.mkdir(parents=True)
    for name in _LIBRARIES:
        shutil.copy(known[name], folder / name)
    for name, own in _STAND_INS.items():
        (folder / name).symlink_to(own)
