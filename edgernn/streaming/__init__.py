"""Turns a model of whole sequences into one that is handed its states, or one step at a time."""

from edgernn.streaming.states import expose_states
from edgernn.streaming.step import to_streaming, warm_up_steps

__all__ = ["expose_states", "to_streaming", "warm_up_steps"]
