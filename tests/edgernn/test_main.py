"""The command before its modules are there."""

from __future__ import annotations

import builtins

import pytest

from edgernn.__main__ import main
from edgernn.interrupts import INTERRUPTED, INTERRUPTED_MESSAGE


def test_a_ctrl_c_while_modules_are_imported_is_one_line(monkeypatch, capsys):
    imported = builtins.__import__

    def pressed(name, *arguments, **options):
        if name == "edgernn.cli":
            raise KeyboardInterrupt
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", pressed)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == INTERRUPTED
    assert capsys.readouterr().err == f"{INTERRUPTED_MESSAGE}\n"
