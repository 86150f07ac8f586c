"""Turns a model of whole sequences into one that takes its states as inputs, or one step a call."""

from edgernn.streaming.states import expose_states
from edgernn.streaming.step import to_streaming, warm_up_steps

__all__ = ["expose_states", "to_streaming", "warm_up_steps"]
