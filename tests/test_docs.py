"""Links, commands and paths in README.md and docs/ lead to something."""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import click
import pytest

from edgernn.cli import edgernn

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")

TOP: Final = Path(__file__).parent.parent
DOCUMENTS: Final = (
    TOP / "README.md",
    TOP / "CHANGELOG.md",
    TOP / "examples" / "README.md",
    *sorted((TOP / "docs").glob("*.md")),
)
FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
CODE: Final = re.compile(r"`([^`\n]+)`")
FOLDERS: Final = ("edgernn", "export", "devices", "docs", "tests", "bench", "examples", ".ci")


@cache
def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


@cache
def prose_of(document: Path) -> str:
    """Without blocks of code."""
    return FENCE.sub("", text_of(document))


@cache
def anchors_of(document: Path) -> frozenset[str]:
    """The anchors of the headings, as GitHub and MkDocs form them."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", prose_of(document), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        anchor = re.sub(r"[ -]+", "-", words.strip())
        anchors.add(f"{anchor}_{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return frozenset(anchors)


def name_of(document: Path) -> str:
    return document.relative_to(TOP).as_posix()


def links() -> Iterator[Any]:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", prose_of(document))):
            if not re.match(r"[a-z]+:", target):
                yield pytest.param(document, target, id=f"{name_of(document)} {target}")


@pytest.mark.parametrize(("document", "target"), list(links()))
def test_a_link_leads_to_a_file_and_a_heading(document: Path, target: str) -> None:
    name, _, anchor = target.partition("#")
    aim = (document.parent / name).resolve() if name else document
    assert aim.exists()
    if anchor:
        assert anchor in anchors_of(aim)


def paths() -> Iterator[Any]:
    known = rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*\w/?"
    found = {
        (match, name_of(document))
        for document in DOCUMENTS
        for match in CODE.findall(prose_of(document))
        if re.fullmatch(known, match)
    }
    return (pytest.param(path, document) for path, document in sorted(found))


@pytest.mark.parametrize(("path", "document"), list(paths()))
def test_a_path_in_backticks_exists(path: str, document: str) -> None:
    assert (TOP / path).exists(), f"{document} names {path}"


def commands() -> list[Any]:
    """Each option of each `edgernn` command in a block of code: the command, an option."""
    found = set()
    for document in DOCUMENTS:
        for _, _, block in FENCE.findall(text_of(document)):
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                if line.strip().startswith("edgernn "):
                    found |= set(options_in(line))
    return [pytest.param(*both) for both in sorted(found)]


def options_in(line: str) -> Iterator[tuple[str, str]]:
    """The command with each of its options, and once with none."""
    _, *words = shlex.split(line, comments=True)
    names: list[str] = []
    group: click.Command | None = edgernn
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        names.append(words.pop(0))
        group = group.get_command(click.Context(group), names[-1])
    yield " ".join(names), ""
    for word in words:
        if re.match(r"--?[a-z]", word):
            yield " ".join(names), word.partition("=")[0]


def options_of(command: str) -> set[str]:
    found: click.Command = edgernn
    for name in command.split():
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), name)
        assert inner is not None, f"there is no command {command}"
        found = inner
    parameters = found.get_params(click.Context(found))
    return {one for each in parameters for one in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize(("command", "option"), list(commands()))
def test_a_command_shown_in_the_documents_exists_and_has_the_option(
    command: str, option: str
) -> None:
    assert option in options_of(command) | {""}


def test_commands_and_paths_are_found_where_documents_have_them() -> None:
    assert len(list(commands())) > 10
    assert len(list(paths())) > 40
    assert len(list(links())) > 10


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert list(options_in("edgernn devices list --jsonn out/  # --not")) == [
        ("devices list", ""),
        ("devices list", "--jsonn"),
    ]
    assert "--jsonn" not in options_of("devices list")
    ((command, _),) = options_in("edgernn exporting gru.keras")
    with pytest.raises(AssertionError, match="no command exporting"):
        options_of(command)


def test_the_picture_of_the_house_has_every_package_of_the_contract() -> None:
    settings = tomllib.loads((TOP / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    in_contract = {name.strip() for layer in layers for name in layer.split("|")}
    picture = text_of(TOP / "docs" / "house.svg")
    shown = {
        name
        for names in re.findall(r'class="name">([^<]+)<', picture)
        for name in names.split(" · ")
    }
    assert in_contract <= shown
