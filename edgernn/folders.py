"""Where edgernn keeps what is its own: a cache that may be deleted, and the user's settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "EDGERNN_CACHE"
CONFIG_VARIABLE: Final = "EDGERNN_CONFIG"


def cache_folder() -> Path:
    """$EDGERNN_CACHE, else edgernn in $XDG_CACHE_HOME, else ~/.cache/edgernn."""
    return _folder(CACHE_VARIABLE, "XDG_CACHE_HOME", ".cache")


def config_folder() -> Path:
    """$EDGERNN_CONFIG, else edgernn in $XDG_CONFIG_HOME, else ~/.config/edgernn."""
    return _folder(CONFIG_VARIABLE, "XDG_CONFIG_HOME", ".config")


def _folder(own_variable: str, xdg_variable: str, in_home: str) -> Path:
    if chosen := os.environ.get(own_variable):
        return Path(chosen)
    # The XDG specification says that a relative path is to be ignored.
    xdg = Path(os.environ.get(xdg_variable, ""))
    return (xdg if xdg.is_absolute() else Path.home() / in_home) / "edgernn"
