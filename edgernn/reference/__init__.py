"""The numpy definition of every layer: what all back ends are compared with."""

from edgernn.reference.executor import ObserveCell, apply, execute, run

__all__ = ["ObserveCell", "apply", "execute", "run"]
