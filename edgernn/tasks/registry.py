"""The reference tasks by name."""

from __future__ import annotations

from typing import Final

from edgernn.tasks import digits, japanese_vowels
from edgernn.tasks.task import Task

TASKS: Final[dict[str, Task]] = {task.name: task for task in (digits.TASK, japanese_vowels.TASK)}
