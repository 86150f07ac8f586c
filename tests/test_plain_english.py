"""Text for users and developers is written in the field's common words.

The phrases below made sentences hard to understand at first reading.  Each has a usual replacement.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

TOP: Final = Path(__file__).parent.parent
FOLDERS: Final = tuple(TOP / name for name in ("edgernn", "export", "devices"))
C_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)

#: A phrase -> what to write instead.
BANNED: Final = {
    r"\b(is|are|was|were|be|been) told\b": "reads, receives, is passed",
    r"\btells?\b[^.]{0,60}\bapart\b|\btold apart\b": "distinguishes",
    r"\btells\b": "reports, shows, returns",
    r"\bwhat (came|comes) out\b": "the result",
    r"\bso long at most\b": "at most N seconds",
    r"\bno \w+ believes\b": "is unreliable",
    r"\bas it is to\b": "as it must",
    r"\b(cannot|not to) be had\b|\bis to be had\b": "is not available",
    r"\bWhat an? \w+ is:": "a noun: the interface, the properties",
}


def texts_of_python(path: Path) -> Iterator[str]:
    """Comments, docstrings and other strings that contain a sentence."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        is_text = token.type in (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", None))
        if token.type == tokenize.COMMENT or (is_text and token.string.count(" ") >= 2):
            yield token.string


def texts() -> Iterator[tuple[str, str]]:
    for document in (TOP / "README.md", *TOP.glob("examples/*.md"), *(TOP / "docs").glob("*.md")):
        yield document.relative_to(TOP).as_posix(), document.read_text("utf-8")
    for folder in FOLDERS:
        for path in folder.rglob("*.py"):
            for text in texts_of_python(path):
                yield path.relative_to(TOP).as_posix(), text
        for path in (*folder.rglob("*.c"), *folder.rglob("*.h")):
            for comment in C_COMMENT.findall(path.read_text("utf-8")):
                yield path.relative_to(TOP).as_posix(), comment


def found_in(text: str) -> list[str]:
    """The banned phrases of a text, each with its replacement."""
    line = " ".join(text.split())
    return [
        f"'{match.group()}': write {instead}"
        for phrase, instead in BANNED.items()
        for match in re.finditer(phrase, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "The caller is told how far it is.",
        "A hash tells two files of one name apart.",
        "No budget believes it.",
        "Waits for it, for so long at most.",
        "What a device is: three methods.",
        "A fact that cannot be had is None.",
    ],
)
def test_a_banned_phrase_is_found(sentence: str) -> None:
    assert found_in(sentence)


def test_documents_sources_and_messages_use_common_words() -> None:
    wrong = {f"{name}: {found}" for name, text in texts() for found in found_in(text)}
    assert not wrong, "\n".join(sorted(wrong))
