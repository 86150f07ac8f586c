"""check-aar finds what keeps a library from loading."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgernn.cli import edgernn
from edgernn.errors import ModelFileError, VerificationError
from edgernn.kits.check_aar import check_aar
from tests.edgernn.runtime.toolchain import run, tool


def aar_of(folder: Path, *flags: str, code: str = "int f(void) { return 1; }") -> Path:
    """An AAR with one library for arm64."""
    source, library, aar = folder / "f.c", folder / "libf.so", folder / "f.aar"
    source.write_text(code)
    tool("ld.lld")
    target = ("--target=aarch64-linux-android21", "-nostdlib", "-shared", "-fPIC", "-fuse-ld=lld")
    run([tool("clang"), *target, *flags, source, "-o", library], cwd=folder)
    with zipfile.ZipFile(aar, "w") as archive:
        archive.writestr("AndroidManifest.xml", "<manifest/>")
        archive.write(library, "jni/arm64-v8a/libf.so")
    return aar


def problems(aar: Path) -> str:
    (library,) = check_aar(aar)
    return " ".join(library.problems)


def test_a_library_with_pages_of_16_kb_has_no_problem(tmp_path: Path) -> None:
    (library,) = check_aar(aar_of(tmp_path, "-Wl,-z,max-page-size=16384"))
    assert library.problems == ()
    assert library.page_bytes == 16384
    assert library.exports == ("f",)


def test_a_library_with_pages_of_4_kb_is_found(tmp_path: Path) -> None:
    aar = aar_of(tmp_path, "-Wl,-z,max-page-size=4096")
    assert "pages of 4096 bytes, not of 16384" in problems(aar)
    ran = CliRunner().invoke(edgernn, ["check-aar", str(aar)])
    assert isinstance(ran.exception, VerificationError)
    assert "arm64-v8a/libf.so" in ran.output


def test_relro_that_ends_outside_of_its_segment_is_found(tmp_path: Path) -> None:
    """What -z common-page-size=16384 does: systems with pages of 4 KB refuse the library."""
    code = "int g; int *const p = &g; int f(void) { return *p; }"
    pages = ("-Wl,-z,max-page-size=16384", "-Wl,-z,relro")
    assert problems(aar_of(tmp_path, *pages, code=code)) == ""
    aar = aar_of(tmp_path, *pages, "-Wl,-z,common-page-size=16384", code=code)
    assert "RELRO" in problems(aar)


def test_symbols_that_nothing_defines_are_found(tmp_path: Path) -> None:
    code = "int missing(void); int f(void) { return missing(); }"
    aar = aar_of(tmp_path, "-Wl,-z,max-page-size=16384", code=code)
    assert "nothing defines missing" in problems(aar)


def test_files_that_are_no_aar_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.aar"
    other.write_bytes(b"something else")
    with pytest.raises(ModelFileError, match="cannot read"):
        check_aar(other)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(ModelFileError, match=r"no AndroidManifest\.xml"):
        check_aar(other)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("AndroidManifest.xml", "")
        archive.writestr("jni/x86/libf.so", b"\x7fELF damaged")
    with pytest.raises(ModelFileError, match="no library that can be read"):
        check_aar(other)
