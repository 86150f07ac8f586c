"""Wheels for Linux on x86-64, 64-bit and 32-bit ARM, from this one machine: `make wheels`.

One C compiler for all of them, ziglang, brings the headers and the libraries of each system.  The
extensions keep to Python's stable ABI, so that one wheel serves CPython 3.10 and every later one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A kind of computer: Python's name of its platform, the compiler's, the tag of the wheel."""

    platform: str
    triple: str
    tag: str
    is_32_bit: bool = False


#: glibc 2.17 is of 2012; 32-bit ARM with hardware floats, as Raspberry Pi OS has it.
TARGETS: Final = {
    "x86_64": Target(
        platform="linux-x86_64",
        triple="x86_64-linux-gnu.2.17",
        tag="manylinux2014_x86_64",
    ),
    "aarch64": Target(
        platform="linux-aarch64",
        triple="aarch64-linux-gnu.2.17",
        tag="manylinux2014_aarch64",
    ),
    "armv7l": Target(
        platform="linux-armv7l",
        triple="arm-linux-gnueabihf.2.17",
        tag="manylinux2014_armv7l",
        is_32_bit=True,
    ),
}

_LONG: Final = ("LONG", "SIZE_T", "VOID_P", "PTHREAD_T", "UINTPTR_T", "TIME_T", "OFF_T")


def main(out: Path, names: list[str]) -> None:
    for name in names or TARGETS:
        wheel = build(TARGETS[name], out)
        print(f"{wheel}  {wheel.stat().st_size:,} bytes")


def build(target: Target, out: Path) -> Path:
    """The wheel of one kind of computer, in `out`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compiler = (
            f"{sys.executable} -m ziglang cc -target {target.triple} -I{headers(folder, target)}"
        )
        if target.is_32_bit:
            compiler += " -mcpu=generic+v7a+vfp3+neon"
        environment = {
            **os.environ,
            "CC": compiler,
            "LDSHARED": f"{compiler} -shared -s",
            "CFLAGS": "-fno-sanitize=undefined",  # ziglang's default traps what C leaves open
            "_PYTHON_HOST_PLATFORM": target.platform,
            "ZIG_GLOBAL_CACHE_DIR": str(folder / "cache"),
            "ZIG_LOCAL_CACHE_DIR": str(folder / "cache"),
        }
        command = [
            *(sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", name),
            *("build", "--build-base", str(folder / "build")),
            *("bdist_wheel", "--plat-name", target.tag, "--dist-dir", str(folder / "dist")),
        ]
        subprocess.run(command, cwd=TOP, env=environment, check=True)
        (made,) = (folder / "dist").glob("*.whl")
        require_extensions(made)
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(made, out))


def headers(folder: Path, target: Target) -> Path:
    """Python's own, with the sizes of the target: pyconfig.h has those of this machine."""
    include = folder / "include"
    shutil.copytree(sysconfig.get_paths()["include"], include)
    config = Path(sysconfig.get_config_h_filename()).read_text("utf-8")
    if target.is_32_bit:
        for kind in _LONG:
            config = re.sub(rf"(#define SIZEOF_{kind}) 8", r"\1 4", config)
        config = re.sub(
            r"#define (HAVE_GCC_UINT128_T|HAVE___INT128|VA_LIST_IS_ARRAY) 1", "", config
        )
        config = re.sub(r"(#define ALIGNOF_LONG) 8", r"\1 4", config)
    (include / "pyconfig.h").write_text(config, "utf-8")
    return include


def require_extensions(wheel: Path) -> None:
    """setup.py installs without the runtime where no compiler works; such a wheel is refused."""
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for extension in ("edgernn/runtime/_ernn.abi3.so", "edgernn/runtime/ort/_operators.abi3.so"):
        if extension not in listed:
            sys.exit(f"error: {wheel.name} has no {extension}: see the compiler's messages above")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
