"""Reference tasks and the user's own data: sequences for training, calibration and tests.

Only the training modules import Keras, and only when a training starts.
"""

from __future__ import annotations

from edgernn.tasks.data import load
from edgernn.tasks.registry import TASKS
from edgernn.tasks.samples import Baselines, Samples, Split, Splits

__all__ = ["TASKS", "Baselines", "Samples", "Split", "Splits", "load"]
