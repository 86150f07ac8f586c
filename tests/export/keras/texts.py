"""Texts that tests make tokens of: words, punctuation, white space, random Unicode."""

from __future__ import annotations

import numpy as np

WORDS = (
    *("good", "film", "the", "a", "dont", "don't", "naïve", "straße", "日本", "ünïcode", "x", "é"),
    *("[UNK]", "GOOD", "it's", "e\u0301", "ab", "abc", "abcd", "0", "1", "😀", "!", "b", "\u00a0"),
)
_SPACES = (
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\v",
    "\f",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\x1c",
    "\x85",
    "",
)
_MARKS = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"


def made_up(count: int, *, seed: int = 0) -> list[str]:
    """Texts that differ, among them an empty one, long ones, and ones of control characters."""
    rng = np.random.default_rng(seed)
    fixed = ["", " ", "\t\n", "--", "a", "\x00", "a\x00b", "\x7f", "Ä", "ſ", "İ", "good " * 300]
    return [*fixed, *(_text(rng) for _ in range(count - len(fixed)))]


def _text(rng: np.random.Generator) -> str:
    parts = []
    for _ in range(int(rng.integers(0, 14))):
        kind = rng.random()
        if kind < 0.55:
            word = str(rng.choice(WORDS))
            parts.append(word.upper() if rng.random() < 0.3 else word)
        elif kind < 0.7:
            parts.append(str(rng.choice(list(_MARKS))) * int(rng.integers(1, 4)))
        elif kind < 0.8:
            parts.append("".join(map(chr, rng.integers(0, 128, rng.integers(1, 9)))))
        else:
            parts.append("".join(_character(rng) for _ in range(int(rng.integers(1, 6)))))
        if rng.random() < 0.8:
            parts.append(str(rng.choice(_SPACES)))
    return "".join(parts)


def _character(rng: np.random.Generator) -> str:
    highest = int(rng.choice([0x100, 0x800, 0x10000, 0x110000]))
    point = int(rng.integers(1, highest))
    return "\ud7ff" if 0xD800 <= point <= 0xDFFF else chr(point)
