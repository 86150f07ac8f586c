"""Graphs of every layer kind and option, each with inputs, for the interpreters to be held to."""

from __future__ import annotations

from tests.export.tflite import layer_cases, recurrent_cases
from tests.export.tflite.models import Case

CASES: dict[str, Case] = {
    name: made
    for group in (
        recurrent_cases.recurrent_cases,
        recurrent_cases.stack_cases,
        layer_cases.activation_cases,
        layer_cases.window_cases,
        layer_cases.shaping_cases,
        layer_cases.merging_cases,
        layer_cases.other_cases,
    )
    for name, made in group()
}
