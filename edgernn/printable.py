"""Words of others on a terminal: names in files, what devices print.

Such words may hold orders to a terminal (colours, a cleared screen), a line that looks like one of
ours, or marks that turn the direction of reading.
"""

from __future__ import annotations

import re
from typing import Final

_ORDERS: Final = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """Text of any number of lines, without orders to a terminal.

    >>> printable("\\x1b[31mred")
    'red'
    """
    return _ORDERS.sub("", text)


def shown(name: str) -> str:
    """A name on one line: what cannot be printed is shown as in Python's source.

    >>> shown("gru\\n\\x1b[2J")
    'gru\\\\n\\\\x1b[2J'
    """
    if name.isprintable():
        return name
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in name)
