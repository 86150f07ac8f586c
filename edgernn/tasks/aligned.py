"""Baselines of sequences out: what can be said token by token, without a network.

Every token in is taken to write none, one or two tokens out, in order.  Which ones is found by
aligning each pair of sequences, first evenly and then by how often tokens went together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn import measures
from edgernn.tasks.linear import MOST_ROWS, ridge
from edgernn.tasks.samples import Baselines, Samples
from edgernn.tasks.target import NO_ANSWER

Piece: TypeAlias = tuple[int, ...]  # what one token in writes
Tokens: TypeAlias = Sequence[int]

_LONGEST: Final = 2  # tokens of a piece
_ROUNDS: Final = 3
_MOST_PAIRS: Final = 4_000  # that are aligned: more change nothing
_MOST_PIECES: Final = 120  # that the linear model chooses from
_AROUND: Final = (-3, -2, -1, 0, 1, 2, 3)  # the tokens in that it sees
_ROUNDED: Final = 1e-3


def sequence_baselines(train: Samples, test: Samples) -> Baselines:
    """The error of writing each token's most frequent piece, and of a linear model of pieces that
    sees the tokens around it.

    Where x is no tokens: of writing nothing, and of the training row with the nearest mean.
    """
    truth = _rows(np.asarray(test.y))
    if train.x.dtype.kind == "f":
        means = [
            part.x.reshape(len(part), part.x.shape[1], -1).mean(axis=1) for part in (train, test)
        ]
        known = _rows(np.asarray(train.y))
        nearest = [int(np.square(means[0] - one).sum(axis=1).argmin()) for one in means[1]]
        return Baselines(
            trivial=1.0,
            linear=_rate(truth, [known[row] for row in nearest]),
            trivial_name="empty answer",
            linear_name="nearest training row",
        )
    few = train.rows(np.arange(min(len(train), _MOST_PAIRS)), name=train.name)
    inputs = _tokens(few)
    pieces = aligned(inputs, _rows(np.asarray(few.y)))
    often: dict[int, Counter[Piece]] = {}
    for row, said in zip(inputs, pieces, strict=True):
        for token, piece in zip(row, said, strict=True):
            often.setdefault(token, Counter())[piece] += 1
    usual = {token: counts.most_common(1)[0][0] for token, counts in often.items()}
    simple = [[one for token in row for one in usual.get(token, ())] for row in _tokens(test)]
    return Baselines(
        trivial=_rate(truth, simple),
        linear=_rate(truth, _linear(inputs, pieces, _tokens(test))),
        trivial_name="each token by itself",
        linear_name="linear model of seven tokens",
    )


def aligned(inputs: Sequence[Tokens], outputs: Sequence[Tokens]) -> list[list[Piece]]:
    """What each token of each input writes, so that it is what the same token writes elsewhere."""
    found: list[list[Piece]] = []
    counts: Counter[tuple[int, Piece]] = Counter()
    for _ in range(_ROUNDS):
        totals = Counter[int]()
        for (token, _piece), count in counts.items():
            totals[token] += count
        found = [_best(row, out, counts, totals) for row, out in zip(inputs, outputs, strict=True)]
        counts = Counter(
            (token, piece)
            for row, pieces in zip(inputs, found, strict=True)
            for token, piece in zip(row, pieces, strict=True)
        )
    return found


def _best(
    row: Tokens, out: Tokens, counts: Counter[tuple[int, Piece]], totals: Counter[int]
) -> list[Piece]:
    """The likeliest pieces of `row` that make up `out`; before there are counts, an even share."""
    if len(out) > _LONGEST * len(row) or not counts:
        ends = [round(len(out) * place / len(row)) for place in range(len(row) + 1)]
        return [tuple(out[a:b]) for a, b in pairwise(ends)]
    worst = -1e9
    scores = [[0.0] + [worst] * len(out)]
    taken: list[list[int]] = []
    for token in row:
        before, now, sizes = scores[-1], [worst] * (len(out) + 1), [0] * (len(out) + 1)
        for end in range(len(out) + 1):
            for size in range(min(_LONGEST, end) + 1):
                seen = counts[token, tuple(out[end - size : end])] + _ROUNDED
                score = before[end - size] + float(np.log(seen / (totals[token] + 1)))
                if score > now[end]:
                    now[end], sizes[end] = score, size
        scores.append(now)
        taken.append(sizes)
    pieces, end = [], len(out)
    for sizes in reversed(taken):
        pieces.append(tuple(out[end - sizes[end] : end]))
        end -= sizes[end]
    return pieces[::-1]


def _linear(
    inputs: Sequence[Tokens], pieces: Sequence[Sequence[Piece]], test: Sequence[Tokens]
) -> list[list[int]]:
    """Ridge regression from the tokens around each token onto its piece."""
    known = [piece for piece, _ in Counter(p for row in pieces for p in row).most_common()]
    known = known[:_MOST_PIECES]
    numbers = {piece: number for number, piece in enumerate(known)}
    tokens = max(max(row) for row in (*inputs, *test)) + 1
    design = _around(inputs, tokens)
    chosen = np.array([numbers.get(piece, -1) for row in pieces for piece in row])
    some = np.flatnonzero(chosen >= 0)[: 4 * MOST_ROWS]
    scores = ridge(design[some], np.eye(len(known))[chosen[some]], _around(test, tokens))
    best = iter(scores.argmax(axis=1).tolist())
    return [[one for _ in row for one in known[next(best)]] for row in test]


def _around(rows: Sequence[Tokens], tokens: int) -> npt.NDArray[np.float64]:
    """[tokens of all rows, 7 * tokens]: one-hot, zeros beyond the ends."""
    margin, parts = max(_AROUND), []
    for row in rows:
        padded = np.zeros((len(row) + 2 * margin, tokens))
        padded[np.arange(len(row)) + margin, row] = 1.0
        parts.append(
            np.hstack([padded[margin + step : margin + step + len(row)] for step in _AROUND])
        )
    return np.concatenate(parts)


def _tokens(samples: Samples) -> list[list[int]]:
    """The tokens of each row without padding: zeros in front, or what follows its length."""
    if samples.lengths is not None:
        pairs = zip(samples.x, samples.lengths, strict=True)
        return [row[:length].tolist() for row, length in pairs]
    first, last = samples.nonzero_span()
    return [row[a : b + 1].tolist() for row, a, b in zip(samples.x, first, last, strict=True)]


def _rows(y: npt.NDArray[np.integer]) -> list[list[int]]:
    return [row[row != NO_ANSWER].tolist() for row in y]


def _rate(truth: Sequence[Tokens], found: Iterable[Tokens]) -> float:
    return measures.value(measures.edit_distance_rate(truth, list(found)), len(truth))
