"""Who trains, who judges: the same rows every time, whatever the seed of the training."""

from __future__ import annotations

import fnmatch
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


def split(
    samples: Samples,
    *,
    test_share: float = 0.2,
    validation_share: float = 0.1,
    hold_out: str | None = None,
) -> Splits:
    """Labelled samples at random into test, validation and training rows.

    `hold_out` is a pattern (`*_theo_*`) of the rows' origins: the matching ones are the test rows
    and nothing else, so that a speaker or a machine of the test is never heard in training.
    Raises DataError when there are no labels, too few rows, or nothing matches.
    """
    _ = samples.classified  # or it cannot be trained on
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(samples)).astype(np.int64)
    if hold_out is None:
        test, rest = np.split(shuffled, [round(test_share * len(samples))])
    else:
        held_out = _matching(samples, hold_out)
        test, rest = shuffled[held_out[shuffled]], shuffled[~held_out[shuffled]]
    return parts(
        samples,
        rest=rest,
        test=samples.rows(test, name=f"{samples.name}:test"),
        validation_rows=round(validation_share * len(samples)),
    )


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
