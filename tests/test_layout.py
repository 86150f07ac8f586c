"""The folders at the top become packages as pyproject.toml says; see there why links exist."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")

TOP = Path(__file__).parent.parent
SETUPTOOLS = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["setuptools"]
FOLDERS = {"edgernn": TOP / "edgernn"} | {
    f"edgernn.{name}": TOP / name for name in ("export", "devices")
}


def packages_on_disk() -> set[str]:
    found = set()
    for package, folder in FOLDERS.items():
        for init in folder.rglob("__init__.py"):
            inside = init.parent.relative_to(folder).parts
            if inside[:1] not in [("export",), ("devices",)] or package != "edgernn":
                found.add(".".join((package, *inside)))
    return found


def test_every_folder_with_code_is_listed_as_a_package():
    assert set(SETUPTOOLS["packages"]) == packages_on_disk()


@pytest.mark.parametrize("name", ["export", "devices"])
def test_the_link_shows_the_folder_to_type_checkers(name):
    link = TOP / "edgernn" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name


@pytest.mark.parametrize("name", ["export", "devices"])
def test_the_installed_package_is_the_folder_at_the_top(name):
    module = importlib.import_module(f"edgernn.{name}")
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent == TOP / name


def test_no_module_has_a_name_that_says_nothing():
    hollow = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base"}
    tracked = [path for folder in FOLDERS.values() for path in folder.rglob("*.py")]
    assert not [path for path in tracked if path.stem in hollow]


@pytest.mark.parametrize("suffix", [".py", ".c", ".h", ".java", ".kt", ".swift", ".mjs"])
def test_no_module_is_longer_than_400_lines(suffix):
    """Of the product, of tests, of benchmarks and of examples."""
    folders = (*FOLDERS.values(), *(TOP / name for name in ("tests", "bench", "examples")))
    tracked = {
        path
        for folder in folders
        for path in folder.rglob(f"*{suffix}")
        if "node_modules" not in path.parts
    }
    long = {path: len(path.read_text().splitlines()) for path in tracked}
    assert long
    assert not {path: lines for path, lines in long.items() if lines > 400}
