"""Which of ten languages is a word from?  Pairs of letters as tokens.

The words are in the letters a to z, as people type them on a small keyboard, so no accent gives a
language away.  Many words could belong to two languages: the margins between classes are small, and
a quantized model shows its noise.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from typing import Final

import numpy as np

from edgernn.errors import DownloadError
from edgernn.tasks.debian import Package, fetch_package
from edgernn.tasks.download import Member, Notify, cached, keep
from edgernn.tasks.samples import Samples, Splits
from edgernn.tasks.split import in_order
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe, Rows, Task

PACKAGES: Final = {
    "English": Package(
        pool="main/s/scowl/wamerican_2020.12.07-2_all.deb",
        sha256="c8f8e2b2ad0d37bfdd41f0e40f1e4c8e5f907467d768a1d3698b164e9617f0b4",
        size_bytes=220_656,
        member="usr/share/dict/american-english",
    ),
    "German": Package(
        pool="main/i/igerman98/wngerman_20161207-11_all.deb",
        sha256="9053a69641bcf59233055f1b3ca341046751534b2b32d1e32c67b23ab9b98fec",
        size_bytes=692_192,
        member="usr/share/dict/ngerman",
    ),
    "French": Package(
        pool="main/w/wfrench/wfrench_1.2.7-2_all.deb",
        sha256="a5cbe63b988adbdb973983aab5b76fe2b715e9a37b012f31ad1e925b1a4b4c29",
        size_bytes=665_264,
        member="usr/share/dict/french",
    ),
    "Spanish": Package(
        pool="main/w/wspanish/wspanish_1.0.30_all.deb",
        sha256="a2b7504fb8c12deaf6c4e868f749a3d05a42caee348f0f5bb006238e925cde18",
        size_bytes=210_560,
        member="usr/share/dict/spanish",
    ),
    "Italian": Package(
        pool="main/w/witalian/witalian_1.10_all.deb",
        sha256="dc6eb1423726ce838332936db078406b646d0f3773701a5b1566a68495ddf076",
        size_bytes=224_040,
        member="usr/share/dict/italian",
    ),
    "Dutch": Package(
        pool="main/d/dutch/wdutch_2.20.19-2_all.deb",
        sha256="79dc0dbbd9b3e029ba84423a804c635aca87105521962f9b4c3023399c94dc35",
        size_bytes=1_163_420,
        member="usr/share/dict/dutch",
    ),
    "Swedish": Package(
        pool="main/s/swedish/wswedish_1.4.5-3_all.deb",
        sha256="be46153a738e7db1e4c8f1212e850197da4ab50c5edc543b3fb48d908b8d9f2a",
        size_bytes=230_684,
        member="usr/share/dict/swedish",
    ),
    "Danish": Package(
        pool="main/d/dsdo/wdanish_1.6.36-14_all.deb",
        sha256="221d3ee8bb0fb84559473687224c746fb1c392330e4142c3f24517ab8e8ad980",
        size_bytes=649_712,
        member="usr/share/dict/danish",
    ),
    "Portuguese": Package(
        pool="main/i/ispell.pt/wportuguese_20220621-1_all.deb",
        sha256="82d6aeca20d072bbe962db68e4c50d3cce76ecb12295608692dff4638daec2a0",
        size_bytes=802_196,
        member="usr/share/dict/portuguese",
    ),
    "Polish": Package(
        pool="main/i/ipolish/wpolish_20220301-1_all.deb",
        sha256="78d94681b9838aeb8419629d5ce378085e0db6a22517c3c170aa883451cc9ccf",
        size_bytes=7_871_008,
        member="usr/share/dict/polish",
    ),
}
LABELS: Final = tuple(PACKAGES)

#: The chosen words, as lines "LANGUAGE'S NUMBER WORD": kept, because the lists hold 100 MB of text.
CHOSEN: Final = Member(
    path="languages.txt",
    sha256="31d7e3165e58eea7858fdb3bf54ac031d4cd1ffdc79db9155dd538a75e67a7aa",
    size_bytes=1_123_597,
)

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
LONGEST: Final = 15  # letters
STEPS: Final = LONGEST + 1  # pairs of letters, the first and the last with an end of the word
TOKENS: Final = (len(LETTERS) + 1) ** 2
ROWS: Final = Rows(train=80_000, validation=2_000, test=4_000)
_EACH: Final = (ROWS.train + ROWS.validation + ROWS.test) // len(LABELS)  # words of a language
_MOST_LINES: Final = 400_000  # of a list; the Polish one has ten times as many forms
_WORD: Final = re.compile(rf"[a-z]{{4,{LONGEST}}}")
#: Letters that are no letter of a to z with an accent.
_SPELLED: Final = str.maketrans({"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "đ": "d"})


def read(notify: Notify) -> Splits:
    """x [N, 16] of int32 tokens, 27 first letter + second, where 0 is an end of the word.

    Zeros precede a short word.
    """
    content = cached(CHOSEN, notify)
    if content is None:
        content = _chosen(notify)
        if not CHOSEN.is_expected(content):
            raise DownloadError(
                "other words were chosen from the lists than those of this version",
                remedy="Report this with the version of Python",
            )
        keep(CHOSEN, content)
    lines = [line.split() for line in content.decode("ascii").splitlines()]
    x = np.stack([tokens_of(word) for _, word in lines])
    y = np.array([int(number) for number, _ in lines], dtype=np.int64)
    samples = Samples(
        name=TASK.name,
        x=x,
        y=y,
        labels=LABELS,
        features="pairs of letters, numbered 27 first + second, 0 for an end of the word",
        kind=Target.CLASS,
    )
    return in_order(samples, test_rows=ROWS.test, validation_rows=ROWS.validation)


def tokens_of(word: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """[STEPS] int32; `word` has 1 to 15 letters from a to z."""
    letters = [0, *(LETTERS.index(letter) + 1 for letter in word), 0]
    pairs = [27 * first + second for first, second in itertools.pairwise(letters)]
    return np.array([*[0] * (STEPS - len(pairs)), *pairs], dtype=np.int32)


def _chosen(notify: Notify) -> bytes:
    """As many words of each language, in random order; none is in two lists."""
    lists = [_words(fetch_package(package, notify=notify)) for package in PACKAGES.values()]
    languages = Counter(word for words in lists for word in words)
    lines = [
        f"{number} {word}\n"
        for number, words in enumerate(lists)
        for word in sorted((one for one in words if languages[one] == 1), key=_shuffled)[:_EACH]
    ]
    return "".join(sorted(lines, key=_shuffled)).encode()


def _shuffled(text: str) -> bytes:
    """Sorting by this is a random order that no version of a library can change."""
    return hashlib.sha256(text.encode()).digest()


def _words(content: bytes) -> set[str]:
    """The words of a list, in small letters without accents."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("iso-8859-1")
    lines = text.splitlines()
    some = "\n".join(lines[:: 1 + len(lines) // _MOST_LINES]).lower().translate(_SPELLED)
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", some)
        if not unicodedata.combining(letter)
    )
    return {word for word in plain.splitlines() if _WORD.fullmatch(word)}


TASK: Final = Task(
    name="languages",
    title="a word in the letters a to z: which of ten languages is it from?",
    origin="word lists of Debian 12 (GPL and other free licences), from ten packages w*",
    rows=ROWS,
    shape=(STEPS,),
    classes=len(LABELS),
    read=read,
    recipe=Recipe(units=48, epochs=8, patience=2, batch_size=128, learning_rate=2e-3),
)
