"""How long a call takes: the first, in a hot loop, and once every period."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .arrays import Array
from .model import Model
from .sessions import NativeSession

#: Calls whose time is kept, per process and regime.  Faster models are sampled evenly.
MOST_VALUES = 2_000
FEWEST_VALUES = 10
CALIBRATION_CALLS = 5
FEWEST_WARM_UP_CALLS = 3
#: Fewest deadlines of a paced loop: fewer might not show a miss.  At 10 ms, 50 take 0.5 s.
FEWEST_PERIODS = 50


def one_call(model: Model, case: Mapping[str, Array]) -> Callable[[], object]:
    """A function that does the work of an application for one result: data in, call, result out."""
    feeds = model.feeds(model.first_step(case))
    if model.streaming and isinstance(model.session, NativeSession):
        return model.session.stepper(feeds)

    def call() -> None:
        results = model.session.call(feeds)
        for state_input, state_output in model.states:
            feeds[state_input] = results[state_output]

    return call


def timed_ms(call: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e6


def hot_loop(
    call: Callable[[], object], *, seconds: float, stride: int, fewest: int, most: int
) -> list[float]:
    """Times of single calls for at least `seconds`, one out of `stride` calls, in milliseconds."""
    values: list[float] = []
    end = time.perf_counter() + seconds
    while len(values) < fewest or (time.perf_counter() < end and len(values) < most):
        values.append(timed_ms(call))
        for _ in range(stride - 1):
            call()
    return values


def paced_loop(call: Callable[[], object], *, seconds: float, period_s: float) -> dict[str, Any]:
    """One call every period, as an application with a microphone or a sensor does it.

    A call that is not finished when the next is due has missed its deadline; the next then starts
    at the following multiple of the period.  `late_ms` is how long after its due time a call began.
    """
    values: list[float] = []
    late: list[float] = []
    missed = 0
    count = max(FEWEST_PERIODS, min(MOST_VALUES, int(seconds / period_s)))
    begin = time.perf_counter()
    due = begin
    for _ in range(count):
        due += period_s
        time.sleep(max(0.0, due - time.perf_counter()))
        late.append((time.perf_counter() - due) * 1e3)
        values.append(timed_ms(call))
        behind = time.perf_counter() - (due + period_s)
        if behind > 0:
            missed += 1
            due += (behind // period_s + 1) * period_s
    wall_s = time.perf_counter() - begin
    return {
        "period_ms": period_s * 1e3,
        "values_ms": rounded(values),
        "late_ms": rounded(late),
        "deadlines_missed": missed,
        "duty_cycle": sum(values) / 1e3 / wall_s,
    }


def measure(call: Callable[[], object], request: Mapping[str, Any]) -> dict[str, Any]:
    """First call, calibration and warm-up (kept apart, never counted), hot loop, paced loop."""
    gc.disable()
    first_call_ms = timed_ms(call)
    calibration = [timed_ms(call) for _ in range(CALIBRATION_CALLS)]
    per_call_ms = max(min(calibration), 1e-4)
    warm_up = hot_loop(
        call,
        seconds=request["warm_up_s"],
        stride=1,
        fewest=FEWEST_WARM_UP_CALLS,
        most=MOST_VALUES,
    )
    seconds = request["min_time_s"]
    stride = max(1, int(seconds * 1e3 / per_call_ms / MOST_VALUES))
    hot = hot_loop(call, seconds=seconds, stride=stride, fewest=FEWEST_VALUES, most=MOST_VALUES)
    period_ms = request["period_ms"]
    paced = paced_loop(call, seconds=seconds, period_s=period_ms / 1e3) if period_ms else None
    return {
        "first_call_ms": first_call_ms,
        "calibration_ms": rounded(calibration),
        "warm_up_ms": rounded(warm_up),
        "hot_ms": rounded(hot),
        "stride": stride,
        "paced": paced,
    }


def rounded(values: Sequence[float]) -> list[float]:
    """Rounded to the clock's resolution, nanoseconds; more digits would only enlarge the file."""
    return [round(value, 6) for value in values]
