"""The reference data, fetched once per machine."""

from __future__ import annotations

import functools
import os

import pytest

from edgernn.errors import DownloadError
from edgernn.tasks import TASKS, Splits
from edgernn.tasks.download import silent


@functools.cache
def _splits(task: str) -> Splits | str:
    try:
        return TASKS[task].read(silent)
    except DownloadError as error:
        return str(error)


def splits_of(task: str) -> Splits:
    """The splits, or a skip where there is neither a cache nor an index (a failure in CI)."""
    read = _splits(task)
    if isinstance(read, Splits):
        return read
    if os.environ.get("CI") == "true":
        pytest.fail(read)
    pytest.skip(read)
