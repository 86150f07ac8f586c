"""The numpy definition of every layer: what all back ends are compared with."""

from edgernn.reference.executor import execute, run
from edgernn.reference.layers import ObserveCell, apply

__all__ = ["ObserveCell", "apply", "execute", "run"]
