"""Objects that tests share are made anew where anything that they are made of is another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.edgernn.runtime.compiled import compiled, shared_by_workers, warnings_of
from tests.edgernn.runtime.toolchain import tool


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "two.h").write_text("enum { TWO = 2 };\n")
    path = tmp_path / "two.c"
    path.write_text('#include "two.h"\nint two(void) { return TWO; }\n')
    return path


def made(source: Path, *flags: str) -> Path:
    command = [tool("gcc"), "-Wall", *flags]
    folder = source.parent / "objects"
    (path,) = compiled(command, [source], headers=(source.parent,), folder=folder)
    return path


def test_a_second_test_gets_the_object_of_the_first(source: Path) -> None:
    first = made(source)
    before = first.stat().st_mtime_ns
    assert made(source) == first
    assert first.stat().st_mtime_ns == before


def test_another_flag_source_or_header_gives_another_object(source: Path) -> None:
    objects = {made(source), made(source, "-O1")}
    (source.parent / "two.h").write_text("enum { TWO = 3 };\n")
    objects.add(made(source))
    source.write_text("int three(void) { return 3; }\n")
    objects.add(made(source))
    assert len(objects) == 4


def test_a_warning_is_told_each_time(source: Path) -> None:
    source.write_text("int two(void) { int unused; return 2; }\n")
    for _ in range(2):
        assert "unused variable" in warnings_of([made(source)])


def test_an_error_of_the_compiler_ends_the_test(source: Path) -> None:
    source.write_text("int two(void) { return; \n")
    for _ in range(2):
        with pytest.raises(AssertionError, match="expected"):
            made(source)


def test_the_folder_of_a_run_is_gone_after_it(source: Path, monkeypatch) -> None:
    monkeypatch.delenv("EDGERNN_TEST_OBJECTS", raising=False)
    with shared_by_workers():
        folder = Path(os.environ["EDGERNN_TEST_OBJECTS"])
        assert folder in made(source).parents
    assert not folder.exists()
    assert "EDGERNN_TEST_OBJECTS" not in os.environ
