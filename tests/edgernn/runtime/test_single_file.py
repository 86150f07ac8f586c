"""ernn.c and ernn.h: the whole library in one file, for every compiler and processor."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgernn.errors import ModelFileError
from edgernn.export.native import lower
from edgernn.runtime.single_file import main, write_single_file
from tests.edgernn.runtime.batches import Entry, differing, entry, packed_batch, read_results
from tests.edgernn.runtime.compiled import compiled, warnings_of
from tests.edgernn.runtime.image_models import random_integer_image
from tests.edgernn.runtime.models import random_integer_cell, random_integer_layer
from tests.edgernn.runtime.toolchain import (
    ARMV7,
    C_TESTS,
    CORTEX_A72,
    HOST,
    LIBRARY,
    STANDARD,
    WARNINGS,
    Machine,
    run,
    tool,
)

STRICT = (*STANDARD, *WARNINGS, "-Werror")
FREE = ("-ffreestanding", "-fno-stack-protector")
TARGETS = (
    (CORTEX_A72.target,),
    (ARMV7.target, "-mfpu=neon"),
    ("armv7a-linux-androideabi21",),
    ("thumbv7em-none-eabihf", "-mcpu=cortex-m4"),
    ("wasm32",),
    ("wasm32", "-msimd128"),
    ("wasm32", "-msimd128", "-mrelaxed-simd"),
    ("arm64-apple-ios12",),
    ("x86_64-linux-android21",),
    ("i686-linux-android21",),
)
PROGRAM = (C_TESTS / "batch.c", C_TESTS / "run_batch.c")
UNKNOWN_FEATURE = 3  # ERNN_FEATURE
UNKNOWN_LAYER = 10  # ERNN_UNKNOWN_LAYER, see ernn.h


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("single")
    write_single_file(folder)
    return folder


@pytest.fixture(scope="module")
def of_gcc(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The object of ernn.c in plain C99. Some of gcc's warnings need its optimizer."""
    command = [tool("gcc"), "-O1", *STANDARD, *WARNINGS]
    place = tmp_path_factory.mktemp("gcc")
    return compiled(command, [folder / "ernn.c"], headers=(), folder=place)


def test_gcc_compiles_it_without_a_warning(of_gcc: list[Path]) -> None:
    assert warnings_of(of_gcc) == ""


def test_clang_has_no_warning(folder: Path) -> None:
    run([tool("clang"), *STRICT, "-fsyntax-only", folder / "ernn.c"])


@pytest.mark.parametrize(
    "code",
    [("-fsyntax-only",), pytest.param(("-O1", "-c", "-o", "ernn.o"), marks=pytest.mark.long)],
    ids=["syntax", "code"],
)
@pytest.mark.parametrize("target", TARGETS, ids=" ".join)
def test_it_compiles_for_other_processors(
    target: tuple[str, ...], code: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    """Names that clash show in the syntax; test_c_quality.py makes code of the same functions."""
    flags = (f"--target={target[0]}", *target[1:], *FREE, *STRICT, *code)
    run([tool("clang"), *flags, folder / "ernn.c"], cwd=tmp_path)


def test_clang_cl_builds_all_kernels_of_x86_without_a_warning(folder: Path, tmp_path: Path) -> None:
    as_cl = ("--driver-mode=cl", "--target=x86_64-pc-windows-msvc", "/clang:-ffreestanding")
    built = tmp_path / "ernn.obj"
    run([tool("clang"), *as_cl, "/W4", "/WX", "/Od", "/c", folder / "ernn.c", f"/Fo{built}"])
    assert "ernn_kernels_avx512vnni" in run([tool("nm"), built])


def test_other_compilers_see_only_c99(folder: Path) -> None:
    """As MSVC would: neither gcc's nor clang's words; what stands for them breaks the build."""
    hidden = ("-U__GNUC__", "-D__attribute__(x)=@", "-D__asm__=@", "-D__builtin_memcpy=@")
    run([tool("gcc"), "-std=c99", "-fsyntax-only", *hidden, folder / "ernn.c"])


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_it_has_threads_in_plain_c99_too(compiler: str, folder: Path) -> None:
    """-std=c99 hides them in the headers of the system."""
    flags = ("-DERNN_THREADS", "-DERNN_PORTABLE", *STRICT)
    run([tool(compiler), *flags, "-fsyntax-only", folder / "ernn.c"])


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("standard", ["c++98", "c++20"])
def test_the_header_is_one_of_cpp_too(
    compiler: str, standard: str, folder: Path, tmp_path: Path
) -> None:
    program = tmp_path / "app.cpp"
    program.write_text('#include "ernn.h"\nint main() { return ernn_version()[0] == 0; }\n')
    flags = (f"-std={standard}", "-Wall", "-Wextra", "-Werror", f"-I{folder}")
    run([tool(compiler), *flags, "-c", program, "-o", tmp_path / "app.o"])


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    cells = [entry(f"cell {seed}", *random_integer_cell(seed)) for seed in range(6)]
    layers = [entry(f"layer {seed}", *random_integer_layer(seed)) for seed in range(6)]
    return [*cells, *layers]


def test_it_gives_the_bits_of_the_reference(
    entries: list[Entry], of_gcc: list[Path], tmp_path: Path
) -> None:
    program = HOST.build(tmp_path / "program", *PROGRAM, *of_gcc, library=())
    gives_the_bits(HOST, program, entries)


def test_it_does_so_on_32_bit_arm(entries: list[Entry], folder: Path, tmp_path: Path) -> None:
    program = ARMV7.build(tmp_path / "program", *PROGRAM, library=[folder / "ernn.c"])
    gives_the_bits(ARMV7, program, entries)


def gives_the_bits(machine: Machine, program: Path, entries: list[Entry]) -> None:
    batch, results = program.with_name("batch"), program.with_name("results")
    batch.write_bytes(packed_batch(entries))
    machine.run(program, batch, results, "run")
    found = read_results(results)
    assert found
    for words in found:
        assert differing(entries, words) == []


def test_a_library_for_some_models_is_small_and_refuses_other_layers(tmp_path: Path) -> None:
    kept, left_out, image = random_integer_cell(3), random_integer_layer(0), random_integer_image(3)
    model = tmp_path / "kept.ernn"
    model.write_bytes(lower(kept[0], metadata={}).content)
    write_single_file(tmp_path / "c", models=[model])
    entries = [entry("kept", *kept), entry("left out", *left_out), entry("image", *image)]
    batch, results, program = (tmp_path / name for name in ("batch", "results", "program"))
    batch.write_bytes(packed_batch(entries))
    HOST.build(program, *PROGRAM, library=[tmp_path / "c" / "ernn.c"], flags=("-O0",))
    HOST.run(program, batch, results, "run")
    for words in read_results(results):
        size = len(entries[0].expected)
        assert words[:size] == entries[0].expected
        assert words[size:] == (UNKNOWN_LAYER, UNKNOWN_FEATURE)


def test_a_library_for_keyword_spotting_fits_in_24_kb_of_a_cortex_m4(tmp_path: Path) -> None:
    """An integer GRU and a dense layer, with all that an app calls to step the model."""
    models = [tmp_path / "gru.ernn", tmp_path / "dense.ernn"]
    models[0].write_bytes(lower(random_integer_cell(0)[0], metadata={}).content)
    models[1].write_bytes(lower(random_integer_layer(0)[0], metadata={}).content)
    write_single_file(tmp_path / "c", models=models)
    only = (tmp_path / "c" / "ernn.c").read_text("utf-8").splitlines()[:20]
    assert {"#define ERNN_ONLY_QGRU 1", "#define ERNN_ONLY_QDENSE 1"} <= set(only)
    assert {"#define ERNN_WITHOUT_SOUND 1", "#define ERNN_WITHOUT_IMAGES 1"} <= set(only)
    target = ("--target=thumbv7em-none-eabihf", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16")
    small = ("-Os", "-ffunction-sections", "-DERNN_CHUNK_STEPS=1", *FREE)
    for source in (tmp_path / "c" / "ernn.c", C_TESTS / "smallest_app.c"):
        out = tmp_path / f"{source.stem}.o"
        run([tool("clang"), *target, *small, "-I", tmp_path / "c", "-c", source, "-o", out])
    program = tmp_path / "app.elf"
    objects = (tmp_path / "ernn.o", tmp_path / "smallest_app.o")
    # The compiler's own functions (memcpy, long division) are of its run-time library.
    link = ("--gc-sections", "--entry=start", "--unresolved-symbols=ignore-all")
    run([tool("ld.lld"), *link, *objects, "-o", program])
    text = int(run([tool("size"), program]).splitlines()[1].split()[0])
    assert 8_000 < text <= 24_576


def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.ernn"
    other.write_bytes(b"something else")
    with pytest.raises(ModelFileError, match=r"not an \.ernn file"):
        write_single_file(tmp_path / "c", models=[other])
    assert not (tmp_path / "c").exists()
    assert main([str(tmp_path / "c"), str(other)]) == ModelFileError.code
    assert "not an .ernn file" in capsys.readouterr().err


def test_cmake_and_pkg_config_find_it(folder: Path, tmp_path: Path) -> None:
    for shared in ("ON", "OFF"):
        build, prefix = tmp_path / f"build-{shared}", tmp_path / f"prefix-{shared}"
        options = (
            f"-DBUILD_SHARED_LIBS={shared}", f"-DCMAKE_INSTALL_PREFIX={prefix}",
            "-DCMAKE_BUILD_TYPE=Debug",  # in a fraction of the time, as one of two without kernels
            f"-DCMAKE_C_FLAGS={'-DERNN_PORTABLE' if shared == 'ON' else ''}",
        )  # fmt: skip
        run([tool("cmake"), "-S", folder, "-B", build, *options, "-DCMAKE_INSTALL_LIBDIR=lib"])
        run([tool("cmake"), "--build", build, "--target", "install"])
        app = tmp_path / f"app-{shared}"
        app.mkdir()
        (app / "app.c").write_text(
            '#include <stdio.h>\n#include "ernn.h"\nint main(void) { puts(ernn_version()); }\n'
        )
        (app / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.13)\nproject(app C)\n"
            "find_package(ernn 1 REQUIRED)\nadd_executable(app app.c)\n"
            "target_link_libraries(app PRIVATE ernn::ernn)\n"
        )
        run([tool("cmake"), "-S", app, "-B", app / "b", f"-DCMAKE_PREFIX_PATH={prefix}"])
        run([tool("cmake"), "--build", app / "b"])
        version = run([app / "b" / "app"]).strip()
        found = {"PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
        flags = run([tool("pkg-config"), "--cflags", "--libs", "ernn"], env=found).split()
        run([tool("gcc"), app / "app.c", *flags, "-o", app / "by-pkg-config"])
        path = {"LD_LIBRARY_PATH": str(prefix / "lib")}
        assert run([app / "by-pkg-config"], env=path).strip() == version == _header_version()


def _header_version() -> str:
    header = (LIBRARY / "ernn.h").read_text()
    return header.split('#define ERNN_LIBRARY_VERSION "')[1].split('"')[0]
