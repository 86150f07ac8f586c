"""Compilers, emulators and checkers for the tests of the C library.

A test whose tool is not installed is skipped, with what to install; where CI is set it fails: there
a tool that is missing would go unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.edgernn.runtime.compiled import compiled

TOP: Final = Path(__file__).parents[3]
LIBRARY: Final = TOP / "edgernn" / "runtime" / "c"
RUNNER: Final = TOP / "edgernn" / "runtime" / "runner"
C_TESTS: Final = TOP / "tests" / "c"
SOURCES: Final = tuple(sorted(LIBRARY.glob("*.c")))
#: Those of the front end for sound, which needs no others.
AUDIO_SOURCES: Final = tuple(
    LIBRARY / f"ernn_{name}.c" for name in ("audio", "check_sound", "resample", "spectrum")
)

# Programs that compute are built without it, as their compiler does by default: -std=c99 would
# forbid gcc (not clang) to fuse products and sums, and the promised bits need no flag.
STANDARD: Final = ("-std=c99",)

#: test_c_quality.py lets no build of the library have one.
WARNINGS: Final = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow")

# Debian's package for each tool that .ci/system installs.
_PACKAGES: Final = {
    "gcc": "gcc",
    "clang": "clang",
    "ld.lld": "lld",
    "wasm-ld": "lld",
    "clang-tidy": "clang-tidy",
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
    "node": "nodejs",
    "g++": "g++",
    "clang++": "clang",
    "cmake": "cmake",
    "pkg-config": "pkgconf",
    "nm": "binutils",
    "java": "default-jdk-headless",
    "javac": "default-jdk-headless",
    "size": "binutils",
    "qemu-system-arm": "qemu-system-arm",
}


def tool(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails where CI is set."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed (Debian: apt-get install {_PACKAGES[name]})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Standard output of a command that must succeed; `env` adds variables."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=600,
    )
    assert done.returncode == 0, f"{command[0]} gave {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


#: A module with one function, i32x4.relaxed_dot_i8x16_i7x16_add_s.
_RELAXED: Final = "0061736d0100000001080160037b7b7b017b030201000a0d010b00200020012002fd93020b"


def node_with_relaxed_simd() -> list[str]:
    """Node's command; skips where it is older than 20, the first that knows relaxed SIMD by a flag.

    That one runs it in its optimizing compiler only: its other compiler gets products of bytes
    wrong, which no version that knows them without a flag does.
    """
    node = tool("node")
    flags = ("--experimental-wasm-relaxed-simd", "--no-liftoff")
    check = f"process.exit(WebAssembly.validate(Buffer.from('{_RELAXED}', 'hex')) ? 0 : 1)"
    for command in ([node], [node, *flags]):
        if subprocess.run([*command, "-e", check], capture_output=True).returncode == 0:
            return command
    pytest.skip("this Node knows no relaxed SIMD: it needs Node 20 or later")


_WASM: Final = ("--target=wasm32", "-O2", "-mbulk-memory", "-ffreestanding")

#: Of objects for other processors: programs and shared libraries are linked from them.
_FREE: Final = (
    "-fPIC",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fomit-frame-pointer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A processor that programs are built for, and what runs them."""

    name: str
    target: str | None = None  # clang's; None: this machine, with its C library
    flags: tuple[str, ...] = ()
    emulator: tuple[str, ...] = ()

    def objects(
        self,
        folder: Path,
        *,
        flags: Sequence[str] = ("-O2",),
        library: Sequence[Path] = SOURCES,
    ) -> list[Path]:
        """The library, shared by all tests of a run; `folder` is for those that share nothing.

        Where there is a target, warnings and the stack of each function are beside the objects.
        """
        if self.target is None:
            command = [tool("gcc"), *flags, *self.flags, "-D_GNU_SOURCE"]
        else:
            said = (*STANDARD, *WARNINGS, "-fstack-usage")
            command = [tool("clang"), f"--target={self.target}", *flags, *self.flags, *_FREE, *said]
        return compiled(command, library, headers=(LIBRARY,), folder=folder)

    def build(
        self,
        out: Path,
        *sources: Path,
        flags: Sequence[str] = ("-O2",),
        library: Sequence[Path] = SOURCES,
        link: Sequence[str] = (),
    ) -> Path:
        """A program of the library and `sources`; libc-free where there is a target."""
        objects = self.objects(out.with_name(f"{out.name}-objects"), flags=flags, library=library)
        include = ("-I", str(LIBRARY), "-I", str(C_TESTS))
        common = (*flags, *self.flags, *include, *link, *map(str, (*sources, *objects)))
        if self.target is None:
            run([tool("gcc"), *common, "-D_GNU_SOURCE", "-o", out])
            return out
        tool("ld.lld")
        free = ("-nostdlib", "-static", "-fuse-ld=lld")
        run([tool("clang"), f"--target={self.target}", *free, *_FREE, *common, "-o", out])
        return out

    def run(self, program: Path, *arguments: str | Path) -> str:
        emulator = [tool(self.emulator[0]), *self.emulator[1:]] if self.emulator else []
        return run([*emulator, program, *arguments])


HOST: Final = Machine(name="host")
_ARM64: Final = "aarch64-linux-gnu"
CORTEX_A72: Final = Machine(
    name="cortex-a72", target=_ARM64, emulator=("qemu-aarch64", "-cpu", "cortex-a72")
)
CORTEX_A76: Final = Machine(
    name="cortex-a76", target=_ARM64, emulator=("qemu-aarch64", "-cpu", "cortex-a76")
)
ARM64_MAX: Final = Machine(  # all that the emulator knows, also matrix products (i8mm)
    name="arm64-max", target=_ARM64, emulator=("qemu-aarch64", "-cpu", "max")
)
ARMV7: Final = Machine(
    name="armv7",
    target="armv7a-linux-gnueabihf",
    flags=("-mfpu=neon",),
    emulator=("qemu-arm", "-cpu", "cortex-a7"),
)


def wasm_objects(
    folder: Path, *, flags: Sequence[str], library: Sequence[Path] = SOURCES
) -> list[Path]:
    """As Machine.objects, of WebAssembly."""
    said = (*STANDARD, *WARNINGS)
    command = [tool("clang"), *_WASM, *flags, *said]
    return compiled(command, library, headers=(LIBRARY,), folder=folder)


def build_wasm(
    out: Path, *sources: Path, flags: Sequence[str], library: Sequence[Path] = SOURCES
) -> Path:
    """A WebAssembly module of the library and `sources` without a C library."""
    tool("wasm-ld")
    objects = wasm_objects(out.with_name(f"{out.name}-objects"), flags=flags, library=library)
    link = ("-nostdlib", "-Wl,--no-entry", "-Wl,--strip-all")
    include = ("-I", str(LIBRARY), "-I", str(C_TESTS))
    run([tool("clang"), *_WASM, *flags, *link, *include, *objects, *sources, "-o", out])
    return out
