"""The numpy definition of every layer: what all back ends are compared with."""

from edgernn.reference.batched import References, run_calls, with_free_batch
from edgernn.reference.executor import execute, run
from edgernn.reference.layers import ObserveCell, apply

__all__ = [
    "ObserveCell",
    "References",
    "apply",
    "execute",
    "run",
    "run_calls",
    "with_free_batch",
]
