"""edgernn puts quantized GRU and LSTM models on small devices."""

from typing import TYPE_CHECKING

from edgernn.version import __version__ as __version__

if TYPE_CHECKING:
    from edgernn.runtime import Model as Model


def __getattr__(name: str) -> object:
    """`edgernn.Model`, imported when used: what needs no native runtime starts without it."""
    if name == "Model":
        from edgernn.runtime import Model

        return Model
    raise AttributeError(f"module 'edgernn' has no attribute '{name}'")
