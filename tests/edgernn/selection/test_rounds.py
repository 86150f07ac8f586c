"""Times in rounds: a clock that changes, and moments that other programs took."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.devices.runners.outcome import Skipped
from edgernn.errors import DeviceError
from edgernn.scheme import Scheme
from edgernn.selection import rounds
from edgernn.selection.rounds import at_best_clock, least_ms
from edgernn.selection.shapes import Shape

OWN = np.random.default_rng(0).uniform(0.01, 2.0, 17)  # ms


def noisy(count, seed, *, disturbed=0.0):
    """[count, 17] of rounds with one clock each; some turns were disturbed, by up to three times.

    No model is faster than its own time at the best clock, but for 1 %.
    """
    random = np.random.default_rng(seed)
    clock = random.uniform(1.0, 1.6, size=(count, 1))
    times = OWN * clock * random.normal(1.01, 0.005, size=(count, 17))
    hit = random.random(times.shape) < disturbed
    return np.where(hit, times * random.uniform(1.1, 3.0, times.shape), times)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("disturbed", [0.0, 0.25])
def test_models_are_compared_at_one_clock_whatever_it_was_in_their_turns(seed, disturbed):
    times = noisy(12, seed, disturbed=disturbed)
    relative = at_best_clock(times) / OWN
    assert np.ptp(relative) / relative.mean() <= 0.05  # between models: what a fit needs
    assert relative.mean() == pytest.approx(1.0, abs=0.12)  # 12 clocks of 1 to 1.6


def test_the_best_clock_need_not_come_in_the_turns_of_every_model():
    times = np.tile(OWN * 1.5, (6, 1))
    times[2, :9] = OWN[:9]  # for half a round the clock was better
    relative = at_best_clock(times) / OWN
    assert np.ptp(relative[9:]) <= 1e-9
    times[4] = OWN
    np.testing.assert_allclose(at_best_clock(times), OWN)


def test_where_all_rounds_are_alike_nothing_is_changed():
    np.testing.assert_allclose(at_best_clock(np.tile(OWN, (3, 1))), OWN)


def test_models_are_timed_in_turns_on_a_device():
    shapes = [
        Shape(cells=("gru",), steps=20, features=4, units=16),
        Shape(cells=("gru",), steps=20, features=4, units=128),
    ]
    narrow, wide = least_ms(shapes, "cpu", backend="native", scheme=Scheme.INT8, seconds=0.0)
    assert 0 < narrow < wide


def test_a_device_without_times_is_a_sentence(monkeypatch):
    monkeypatch.setattr(rounds, "time_calls", lambda *_: Skipped(reason="made up"))
    shape = Shape(cells=("gru",), steps=20, features=4, units=16)
    with pytest.raises(DeviceError, match=r"gives no times, so none can be predicted: .*made up"):
        least_ms([shape], "cpu", backend="native", scheme=Scheme.INT8, seconds=0.0)
