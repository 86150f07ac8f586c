"""Kits: what an app of one kind needs to run a model, in one folder."""

from __future__ import annotations

from edgernn.kits.packaging import Packaged, package
from edgernn.kits.targets import TARGETS

__all__ = ["TARGETS", "Packaged", "package"]
