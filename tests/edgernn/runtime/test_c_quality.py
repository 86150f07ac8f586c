"""What embedders rely on: clean compiles, small code, a small stack, nothing from a C library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.edgernn.runtime.compiled import compiled, warnings_of
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
    WARNINGS,
    Machine,
    run,
    tool,
    wasm_objects,
)

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


X86_64 = Machine(name="x86_64", target="x86_64-linux-gnu")
WASM = {"wasm": (), "wasm with relaxed SIMD": ("-msimd128", "-mrelaxed-simd")}


@pytest.fixture(scope="module")
def of_gcc(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The library as gcc compiles it for a place without a C library."""
    command = [tool("gcc"), *STANDARD, "-O3", "-fPIC", *FREE, *WARNINGS]
    return compiled(command, SOURCES, headers=(LIBRARY,), folder=tmp_path_factory.mktemp("gcc"))


on_machines = pytest.mark.parametrize(
    "machine", [X86_64, CORTEX_A72, ARMV7], ids=lambda machine: machine.target
)


@on_machines
def test_clang_compiles_the_library_without_a_warning(machine: Machine, tmp_path: Path) -> None:
    library = machine.objects(tmp_path)
    assert len(library) == len(SOURCES)
    assert warnings_of(library) == ""


@pytest.mark.parametrize("flags", WASM.values(), ids=WASM)
def test_the_kernels_of_pages_compile_without_a_warning(
    flags: Sequence[str], tmp_path: Path
) -> None:
    assert warnings_of(wasm_objects(tmp_path, flags=flags)) == ""


def test_gcc_compiles_the_library_without_a_warning_and_nothing_is_allocated(
    of_gcc: list[Path],
) -> None:
    """No function that gives memory is called; what a session needs is in its arena."""
    assert warnings_of(of_gcc) == ""
    symbols = run([tool("nm"), "--undefined-only", *of_gcc])
    wanted = {line.split()[-1] for line in symbols.splitlines() if " U " in line}
    outside = {name for name in wanted if not name.startswith("ernn_")}
    assert outside <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"}, outside


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_runner_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    include = ("-I", str(LIBRARY), "-D_GNU_SOURCE", "-Werror")
    programs = (RUNNER / "edgernn_run.c", C_TESTS / "batch.c")
    run([tool(compiler), *STANDARD, "-O2", *WARNINGS, *include, "-c", *programs], cwd=tmp_path)


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


@pytest.mark.parametrize("machine", [X86_64, CORTEX_A72], ids=lambda machine: machine.target)
def test_nothing_is_asked_of_a_c_library(machine: Machine, tmp_path: Path) -> None:
    tool("ld.lld")
    link = ("-shared", "-nostdlib", "-fuse-ld=lld", "-Wl,-z,defs")
    library = tmp_path / "libernn.so"
    command = [tool("clang"), f"--target={machine.target}", *link]
    run([*command, *machine.objects(tmp_path), "-o", library])
    assert run([tool("nm"), "--dynamic", "--undefined-only", library]) == ""


def test_gcc_s_library_asks_nothing_of_a_c_library_either(
    of_gcc: list[Path], tmp_path: Path
) -> None:
    library = tmp_path / "libernn.so"
    link = ("-shared", "-nostdlib", "-Wl,-z,defs")
    run([tool("gcc"), *link, *of_gcc, "-o", library])
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
    command = [tool("clang"), *STANDARD, f"--target={target}", "-Os", *FREE]
    library = compiled(command, SOURCES, headers=(LIBRARY,), folder=tmp_path)
    bytes_of = {path.stem: text_bytes(path) for path in library}
    sound = sum(bytes_of[name] for name in _SOUND)
    record_property("sound", sound)
    assert sound <= MOST_SOUND_BYTES
    others = sum(bytes_of[name] for name in _TEXT_AND_SENSORS)
    record_property("text and sensors", others)
    assert others <= MOST_TEXT_AND_SENSORS_BYTES
    of_library = sum(size for name, size in bytes_of.items() if name.startswith("ernn_"))
    layers = of_library - sound - others - bytes_of["ernn_whole_steps"]
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


@on_machines
def test_calls_need_little_stack(machine: Machine, tmp_path: Path) -> None:
    """More than the deepest call can use: the nine largest frames of opening, and of running.

    A session of a model with many edges needs a table of 4 KB, and nothing else does.
    """
    frames: dict[str, int] = {}
    kernels: dict[str, dict[str, int]] = {}  # of each instruction set: no call is in two of them
    opening: dict[str, int] = {}
    sound: dict[str, int] = {}
    frames_of = [path.with_suffix(".su") for path in machine.objects(tmp_path)]
    for path in filter(Path.exists, frames_of):  # files without functions have none
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
