"""Who trains, who judges: the same rows every time, whatever the seed of the training."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.tasks.baselines import with_baselines
from edgernn.tasks.samples import IntArray, Samples, Splits

#: Fixed, and not the training's seed: models of different seeds are compared on the same rows.
SPLIT_SEED: Final = 20_240
#: Ranges settle after a few dozen sequences; more only cost time.
CALIBRATION_ROWS: Final = 256
FEWEST_ROWS: Final = 20
FEWEST_ORIGINS: Final = 5  # with fewer, one part would be one origin and say little


def split(
    samples: Samples,
    *,
    test_share: float = 0.2,
    validation_share: float = 0.1,
    hold_out: str | None = None,
) -> Splits:
    """Samples at random into test, validation and training rows: the same ones every time.

    Where several rows share an origin (a speaker, a stretch of time), all of an origin go into one
    part, so that nothing of the test is known from training.
    `hold_out` is a pattern (`*_theo_*`) of the rows' origins: the matching ones are the test rows
    and nothing else.
    Raises DataError when there are too few rows, or nothing matches.
    """
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(samples)).astype(np.int64)
    test_rows, validation_rows = (
        round(share * len(samples)) for share in (test_share, validation_share)
    )
    if hold_out is not None:
        held_out = _matching(samples, hold_out)
        test, rest = shuffled[held_out[shuffled]], shuffled[~held_out[shuffled]]
    elif FEWEST_ORIGINS <= len(set(samples.origins)) < len(samples):
        by_origin, ends = order_by_origin(samples.origins, len(samples), seed=SPLIT_SEED)
        test_rows, validation_rows = _whole(ends, test_rows, validation_rows)
        test, rest = np.split(by_origin, [test_rows])
    else:
        test, rest = np.split(shuffled, [test_rows])
    return parts(
        samples,
        rest=rest,
        test=samples.rows(test, name=f"{samples.name}:test"),
        validation_rows=validation_rows,
    )


def order_by_origin(origins: Sequence[str], rows: int, *, seed: int) -> tuple[IntArray, IntArray]:
    """The rows, one origin after the other in random order, and where each origin ends.

    Without origins, with fewer than FEWEST_ORIGINS or with one for each row: each row is its own.
    """
    random = np.random.default_rng(seed)
    names, numbers = np.unique(np.array(origins), return_inverse=True)
    if not FEWEST_ORIGINS <= len(names) < rows:
        return random.permutation(rows).astype(np.int64), np.arange(1, rows + 1)
    rank = random.permutation(len(names))[numbers.reshape(-1)]
    ordered = np.argsort(rank, kind="stable")
    return ordered.astype(np.int64), np.cumsum(np.bincount(rank)).astype(np.int64)


def _whole(ends: IntArray, test_rows: int, validation_rows: int) -> tuple[int, int]:
    """The numbers nearest to those wanted that end with an origin; at least one origin each."""
    test = int(np.abs(ends[:-2] - test_rows).argmin())
    rest = ends[test + 1 : -1] - ends[test]
    return int(ends[test]), int(rest[np.abs(rest - validation_rows).argmin()])


def parts(samples: Samples, *, rest: IntArray, test: Samples, validation_rows: int) -> Splits:
    """The splits of a data set whose test rows are settled; `rest` is already shuffled.

    Raises DataError when a part would be too small to mean anything.
    """
    if min(len(rest) - validation_rows, len(test)) < FEWEST_ROWS:
        raise DataError(
            f"{samples.name} has {len(rest)} rows to train on and {len(test)} to test",
            remedy=f"Give at least {FEWEST_ROWS} of each; better a few hundred",
        )
    validation, train = np.split(rest, [validation_rows])
    return with_baselines(
        Splits(
            train=samples.rows(train, name=f"{samples.name}:train"),
            validation=samples.rows(validation, name=f"{samples.name}:validation"),
            calibration=samples.rows(train[:CALIBRATION_ROWS], name=f"{samples.name}:calibration"),
            test=test,
        )
    )


def in_order(samples: Samples, *, test_rows: int, validation_rows: int) -> Splits:
    """The splits of rows that are in random order already: test, validation, then training.

    >>> in_order(samples, test_rows=2_000, validation_rows=1_000).test.name
    'reviews:test'
    """
    rows = np.arange(len(samples), dtype=np.int64)
    return parts(
        samples,
        rest=rows[test_rows:],
        test=samples.rows(rows[:test_rows], name=f"{samples.name}:test"),
        validation_rows=validation_rows,
    )


def _matching(samples: Samples, pattern: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if not samples.origins:
        raise DataError(
            f"{samples.name} does not tell where its rows come from, so none can be held out",
            remedy="Wav folders have file names; npz files need an array 'origins' of text",
        )
    matches = np.array([fnmatch.fnmatchcase(origin, pattern) for origin in samples.origins])
    if not matches.any() or matches.all():
        raise DataError(
            f"the pattern '{pattern}' matches {matches.sum()} of {len(samples)} rows",
            remedy=f"Origins look like '{samples.origins[0]}'; * stands for any text",
        )
    return matches
