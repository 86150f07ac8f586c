"""Turns a model of whole sequences into one that takes its states as inputs, or one step a call."""

from edgernn.streaming.halves import Halves, halved
from edgernn.streaming.states import expose_states
from edgernn.streaming.step import rhythms, to_streaming, warm_up_steps

__all__ = ["Halves", "expose_states", "halved", "rhythms", "to_streaming", "warm_up_steps"]
