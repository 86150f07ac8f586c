"""Shows the `>>>` lines of docstrings as code; Markdown would take them for quotations."""

from __future__ import annotations

import re
from typing import Any

import griffe

#: A prompt and all lines up to the next empty one: code, and what it prints.
EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*(?:\n *\S.*)*", re.MULTILINE)


class ExamplesInDocstrings(griffe.Extension):
    """Fences the examples of everything that has a docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(example: re.Match[str]) -> str:
    indent = example["indent"]
    return f"{indent}```pycon\n{example[0]}\n{indent}```"
