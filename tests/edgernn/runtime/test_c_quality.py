"""What embedders rely on: clean compiles, small code, a small stack, nothing from a C library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.edgernn.runtime.toolchain import (
    ARMV7,
    AUDIO_SOURCES,
    C_TESTS,
    CORTEX_A72,
    LIBRARY,
    RUNNER,
    SOURCES,
    STANDARD,
    TOP,
    run,
    tool,
)

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
FREE = ("-ffreestanding", "-fno-stack-protector", "-fno-asynchronous-unwind-tables")
MOST_STACK_BYTES = 8 * 1024
MOST_TEXT_BYTES = 61_440  # 60 KB of layers, on arm64; those of images are 10,000 of it
MOST_X86_TEXT_BYTES = 68_500  # longer instructions; 68,200 with weights of 4 bits
MOST_SOUND_BYTES = 16_600  # front end and listener, which an app without sound leaves out
MOST_TEXT_AND_SENSORS_BYTES = 2_600  # front ends that an app without them leaves out
MOST_KERNEL_BYTES = 57_000  # of one instruction set
MOST_AVX512_BYTES = 66_000  # 65,700 with VNNI; whole steps are 9,000 of it

_TEXT_AND_SENSORS = {"ernn_text", "ernn_sensor"}
_SOUND = {"ernn_listener", "ernn_scores", *(source.stem for source in AUDIO_SOURCES)}

# Weights of 4 bits, which an app without them leaves out; the file of ARM holds both of its sets.
MOST_NIBBLE_BYTES = {"x86_64-linux-gnu": 23_000, CORTEX_A72.target: 45_000}

# Layers: what ernn_step and ernn_run call.
_RUNNING = {
    "ernn_cells",
    "ernn_elements",
    "ernn_linear",
    "ernn_pooling",
    "ernn_recurrent",
    "ernn_shaping",
    "ernn_whole_steps",
}

_WHOLE_STEPS = ("kernels_avx512_steps", "ernn_whole_steps")  # empty without AVX-512

# Kernels of an instruction set: its own files, and those that it takes functions from.
KERNELS = {
    "portable": ("kernels_portable",),
    "avx2": ("kernels_avx2", "kernels_avx2_f32"),
    "avxvnni": ("kernels_avxvnni", "kernels_avx2", "kernels_avx2_f32"),
    "avx512vnni": ("kernels_avx512vnni", "kernels_avx512_gates", *_WHOLE_STEPS),
    "amx": ("kernels_amx", "kernels_avx512vnni", "kernels_avx512_gates", *_WHOLE_STEPS),
    "neon": ("kernels_neon", "kernels_neon_f32"),
    "neondot": ("kernels_neondot",),
    "neoni8mm": ("kernels_neoni8mm", "kernels_neondot"),
}


def objects(folder: Path, compiler: str, *flags: str) -> Path:
    """Each file of the library compiled by itself into `folder`."""
    folder.mkdir(exist_ok=True)
    run([tool(compiler), *STANDARD, *flags, "-c", *SOURCES], cwd=folder)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Freestanding:
    """The library for a processor, compiled once for all tests that look at it."""

    target: str
    folder: Path


TARGETS = {
    "x86_64": "x86_64-linux-gnu",
    "arm64": str(CORTEX_A72.target),
    "arm": str(ARMV7.target),
    "wasm": "wasm32",
}


@pytest.fixture(scope="module")
def freestanding(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Freestanding:
    target = TARGETS[request.param]
    place = ("-fstack-usage", "-fPIC") if request.param != "wasm" else ()
    folder = tmp_path_factory.mktemp(request.param)
    objects(folder, "clang", f"--target={target}", "-O2", *place, *FREE, *WARNINGS)
    return Freestanding(target=target, folder=folder)


def on(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("freestanding", names, indirect=True)


@pytest.fixture(scope="module")
def of_gcc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as gcc compiles it without a warning, once for all tests that look at it."""
    return objects(tmp_path_factory.mktemp("gcc"), "gcc", "-O3", "-fPIC", *FREE, *WARNINGS)


@on("x86_64")
def test_clang_compiles_the_library_and_its_runner_without_a_warning(
    freestanding: Freestanding, tmp_path: Path
) -> None:
    assert len(list(freestanding.folder.glob("*.o"))) == len(SOURCES)
    programs_compiled_without_a_warning("clang", tmp_path)


def test_gcc_does_so_too_and_nothing_is_allocated(of_gcc: Path, tmp_path: Path) -> None:
    """No function that gives memory is called; what a session needs is in its arena."""
    programs_compiled_without_a_warning("gcc", tmp_path)
    symbols = run([tool("nm"), "--undefined-only", *sorted(of_gcc.glob("*.o"))])
    wanted = {line.split()[-1] for line in symbols.splitlines() if " U " in line}
    outside = {name for name in wanted if not name.startswith("ernn_")}
    assert outside <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"}, outside


def programs_compiled_without_a_warning(compiler: str, folder: Path) -> None:
    include = ("-I", str(LIBRARY), "-D_GNU_SOURCE")
    programs = (RUNNER / "edgernn_run.c", C_TESTS / "batch.c")
    run([tool(compiler), *STANDARD, "-O2", *WARNINGS, *include, "-c", *programs], cwd=folder)


@pytest.mark.parametrize(
    "checks",
    ["-clang-analyzer-*", pytest.param("", marks=pytest.mark.long)],
    ids=["quick", "analyzer"],
)
def test_clang_tidy_finds_nothing(checks: str) -> None:
    """The analyzer takes ten times as long as all the others."""
    programs = (RUNNER / "edgernn_run.c", C_TESTS / "batch.c", C_TESTS / "run_batch.c")
    flags = (*STANDARD, "-D_GNU_SOURCE", f"-I{LIBRARY}")
    tidy = (tool("clang-tidy"), "--quiet", f"--checks={checks}")
    run([*tidy, *SOURCES, *programs, "--", *flags], cwd=TOP)


@on("x86_64", "arm64")
def test_nothing_is_asked_of_a_c_library(freestanding: Freestanding, tmp_path: Path) -> None:
    tool("ld.lld")
    link = ("-shared", "-nostdlib", "-fuse-ld=lld", "-Wl,-z,defs")
    library = tmp_path / "libernn.so"
    command = [tool("clang"), f"--target={freestanding.target}", *link]
    run([*command, *sorted(freestanding.folder.glob("*.o")), "-o", library])
    assert run([tool("nm"), "--dynamic", "--undefined-only", library]) == ""


def test_gcc_s_library_asks_nothing_of_a_c_library_either(of_gcc: Path, tmp_path: Path) -> None:
    library = tmp_path / "libernn.so"
    link = ("-shared", "-nostdlib", "-Wl,-z,defs")
    run([tool("gcc"), *link, *sorted(of_gcc.glob("*.o")), "-o", library])
    assert run([tool("nm"), "--dynamic", "--undefined-only", library]) == ""


@pytest.mark.parametrize(
    ("target", "isas"),
    [
        ("x86_64-linux-gnu", ["portable", "avx2", "avxvnni", "avx512vnni"]),
        (CORTEX_A72.target, ["portable", "neon", "neondot", "neoni8mm"]),
    ],
    ids=["x86_64", "arm64"],
)
def test_code_is_small(
    target: str, isas: list[str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = objects(tmp_path / "o", "clang", f"--target={target}", "-Os", *FREE)
    bytes_of = {path.stem: text_bytes(path) for path in sorted(folder.glob("*.o"))}
    sound = sum(bytes_of[name] for name in _SOUND)
    record_property("sound", sound)
    assert sound <= MOST_SOUND_BYTES
    others = sum(bytes_of[name] for name in _TEXT_AND_SENSORS)
    record_property("text and sensors", others)
    assert others <= MOST_TEXT_AND_SENSORS_BYTES
    library = sum(size for name, size in bytes_of.items() if name.startswith("ernn_"))
    layers = library - sound - others - bytes_of["ernn_whole_steps"]
    record_property("layers", layers)
    assert layers <= (MOST_X86_TEXT_BYTES if target.startswith("x86") else MOST_TEXT_BYTES)
    for isa in isas:
        kernels = sum(bytes_of[name] for name in KERNELS[isa])
        record_property(isa, kernels)
        most = MOST_AVX512_BYTES if isa == "avx512vnni" else MOST_KERNEL_BYTES
        assert 0 < kernels <= most, isa
    for name, size in bytes_of.items():
        if name.startswith("kernels_nibbles"):
            record_property(name, size)
            assert size <= MOST_NIBBLE_BYTES[target], name


def text_bytes(path: Path) -> int:
    return int(run([tool("size"), path]).splitlines()[1].split()[0])


@on("wasm")
def test_the_kernels_of_pages_compile_without_a_warning(freestanding: Freestanding) -> None:
    assert len(list(freestanding.folder.glob("*.o"))) == len(SOURCES)


@on("x86_64", "arm64", "arm")
def test_calls_need_little_stack(freestanding: Freestanding) -> None:
    """More than the deepest call can use: the nine largest frames of opening, and of running.

    A session of a model with many edges needs a table of 4 KB, and nothing else does.
    """
    frames: dict[str, int] = {}
    kernels: dict[str, dict[str, int]] = {}  # of each instruction set: no call is in two of them
    opening: dict[str, int] = {}
    sound: dict[str, int] = {}
    for path in freestanding.folder.glob("*.su"):
        for line in path.read_text().splitlines():
            where, size, _ = line.split("\t")
            if path.stem.startswith("kernels_"):
                chosen = kernels.setdefault(path.stem.rpartition("_")[2], {})
            elif path.stem in _RUNNING:
                chosen = frames
            else:
                chosen = sound if path.stem in _SOUND else opening
            chosen[where.split(":")[-1]] = int(size)
    assert len(frames) > 15
    assert len(opening) > 15
    assert kernels
    tables = {name for name, size in opening.items() if size > 2048}
    assert tables == {"lay_out_many"}
    running = [frames | of_set for of_set in kernels.values()]
    for several in (opening, sound, *running):
        largest = sorted(several.values(), reverse=True)
        assert sum(largest[:9]) <= MOST_STACK_BYTES, largest[:9]
