"""No training begins that is not expected to end in time."""

from __future__ import annotations

import time

from edgernn.selection.clock import Clock
from edgernn.selection.contender import Contender, Job
from edgernn.tasks.task import Recipe

GRU = Contender(architecture="gru", units=16)
WIDE = Contender(architecture="lstm", units=64)
BOTH = Contender(architecture="gru+lstm", units=16)


def job(contender, *, share=1.0):
    return Job(contender=contender, recipe=Recipe(), repetition=0, data_sha256="0", share=share)


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
    assert clock.left_s([job(GRU)], workers=1) is None
    clock.took(GRU, 10.0)
    assert clock.left_s([job(GRU), job(GRU)], workers=2) == 10.0


def test_an_ensemble_of_models_that_are_there_is_no_training():
    clock = Clock(limit_s=100.0)
    clock.took(GRU, 80.0, around_s=2.0)
    clock.began = time.monotonic() - 50.0  # 50 s are left
    assert not clock.has_time_for(job(GRU))
    assert clock.has_time_for(job(BOTH))  # 2 models: 4 s around them
    assert clock.left_s([job(BOTH)], workers=1) == 4.0
    clock.began = time.monotonic() - 97.0
    assert not clock.has_time_for(job(BOTH))


def test_a_training_on_a_share_of_the_rows_takes_that_share_of_the_time():
    clock = Clock(limit_s=100.0)
    clock.took(GRU, 80.0)
    clock.began = time.monotonic() - 50.0
    assert clock.has_time_for(job(GRU, share=0.25))
    assert not clock.has_time_for(job(GRU, share=0.75))


def test_before_any_training_has_ended_the_time_is_a_rough_one():
    clock = Clock(limit_s=100.0, expected_s=lambda job: 120.0 * job.share)
    assert not clock.is_measured
    assert clock.left_s([job(GRU), job(WIDE)], workers=2) == 120.0
    assert clock.has_time_for(job(GRU))  # 120 s are expected, and it may take a third of it
    clock.began = time.monotonic() - 70.0
    assert not clock.has_time_for(job(GRU))
    assert clock.has_time_for(job(GRU, share=0.5))
    clock.took(GRU, 10.0)
    assert clock.is_measured
    assert clock.has_time_for(job(GRU))
    assert clock.left_s([job(GRU)], workers=1) == 10.0
