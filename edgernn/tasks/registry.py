"""The reference tasks by name."""

from __future__ import annotations

from typing import Final

from edgernn.tasks import (
    counter,
    digits,
    forecasting,
    japanese_vowels,
    languages,
    next_byte,
    pronunciation,
    reviews,
    watch,
)
from edgernn.tasks.task import Task

TASKS: Final[dict[str, Task]] = {
    task.name: task
    for task in (
        digits.TASK,
        japanese_vowels.TASK,
        next_byte.TASK,
        counter.TASK,
        forecasting.BIKE_TASK,
        forecasting.BIKE_DAILY_TASK,
        forecasting.ELECTRICITY_TASK,
        reviews.TASK,
        watch.TASK,
        languages.TASK,
        pronunciation.TASK,
    )
}
