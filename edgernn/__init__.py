"""edgernn puts quantized GRU and LSTM models on small devices."""

from typing import TYPE_CHECKING

from edgernn.version import __version__ as __version__

if TYPE_CHECKING:
    from edgernn.runtime import Model as Model
    from edgernn.runtime import Session as Session


def __getattr__(name: str) -> object:
    """`Model` and `Session`, imported when used: what needs no native runtime starts without it."""
    if name in ("Model", "Session"):
        from edgernn import runtime

        return getattr(runtime, name)
    raise AttributeError(f"module 'edgernn' has no attribute '{name}'")
