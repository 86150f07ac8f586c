"""Commands that train for minutes say in a log file, too, how far they are."""

from __future__ import annotations

import io
import sys

from edgernn.cli.several_trainings import progress_lines
from edgernn.front.hidden import hidden


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_file_gets_a_line_for_each_phase_and_a_repeated_one_once(capsys):
    show = progress_lines()
    assert show is not None
    for phase in ("reading", "training", "training", "measuring"):
        show(phase)
    assert capsys.readouterr() == ("", "reading\ntraining\nmeasuring\n")


def test_a_terminal_and_a_quiet_command_get_none(monkeypatch):
    with hidden():
        assert progress_lines() is None
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert progress_lines() is None
