"""The command line as a person meets it: arguments in, exit code and both streams out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from edgernn.cli import main


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def edgernn(capsys, monkeypatch) -> Callable[..., Ran]:
    """Runs the command line in this process."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["edgernn", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_info:
            main()
        streams = capsys.readouterr()
        code = exit_info.value.code
        assert isinstance(code, int)
        return Ran(code, streams.out, streams.err)

    return run
