"""No training begins that is not expected to end in time."""

from __future__ import annotations

import time

from edgernn.selection.clock import Clock
from edgernn.selection.contender import Contender

GRU = Contender(architecture="gru", units=16)
WIDE = Contender(architecture="lstm", units=64)


def test_without_a_limit_everything_fits():
    clock = Clock(limit_s=None)
    clock.took(GRU, 1e9)
    assert clock.fits(GRU)


def test_a_training_fits_while_its_like_have_ended_sooner():
    clock = Clock(limit_s=100.0, reserve_s=20.0)
    assert clock.fits(GRU)  # nothing is known yet
    clock.took(GRU, 30.0)
    assert clock.fits(GRU)
    clock.began = time.monotonic() - 50.0  # 30 s are left
    assert not clock.fits(GRU)


def test_a_training_with_others_after_it_fits_where_the_last_of_them_does():
    clock = Clock(limit_s=100.0)
    for seconds in (8.0, 10.0, 12.0):
        clock.took(GRU, seconds)
    assert clock.fits(GRU, rounds=9)  # 13.8 s, and eight times 10
    assert not clock.fits(GRU, rounds=10)


def test_a_contender_that_was_not_trained_is_estimated_by_units():
    clock = Clock(limit_s=100.0)
    assert clock.estimate_s(WIDE) is None
    clock.took(GRU, 10.0)
    estimate = clock.estimate_s(WIDE)
    assert estimate is not None
    assert 40.0 <= estimate <= 50.0


def test_the_time_left_is_shared_by_the_workers():
    clock = Clock(limit_s=None)
    assert clock.left_s([GRU], workers=1) is None
    clock.took(GRU, 10.0)
    assert clock.left_s([GRU, GRU], workers=2) == 10.0
