"""edgernn puts quantized GRU and LSTM models on small devices."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgernn.runtime import Model as Model

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`edgernn.Model`, imported when used: what needs no native runtime starts without it."""
    if name == "Model":
        from edgernn.runtime import Model

        return Model
    raise AttributeError(f"module 'edgernn' has no attribute '{name}'")
