"""How the learning rate goes in a training whose epochs are all run."""

from __future__ import annotations

import math
from typing import Final

#: The share of the training in which the rate rises, and the share of the highest where it begins.
_RISING: Final = 0.1
_START: Final = 0.1


def rate_at(done: float, highest: float) -> float:
    """The learning rate after a share `done` of a training without patience.

    It rises over the first tenth and then falls along a cosine to 0 (Smith, 2018, one cycle).

    >>> [round(rate_at(done, 1.0), 2) for done in (0.0, 0.05, 0.1, 0.55, 1.0)]
    [0.1, 0.55, 1.0, 0.5, 0.0]
    """
    if done < _RISING:
        return highest * (_START + (1 - _START) * done / _RISING)
    return highest * (1 + math.cos(math.pi * (done - _RISING) / (1 - _RISING))) / 2
