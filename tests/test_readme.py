"""The help texts and exit codes in the README are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from edgernn.cli import edgernn
from edgernn.errors import EXIT_CODES

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_commands_are_those_of_the_program():
    help_text = CliRunner().invoke(edgernn, ["--help"], prog_name="edgernn").output
    commands = help_text[help_text.index("Commands:") :].strip()
    assert commands in README


def test_the_exit_codes_are_those_of_errors_py():
    table = dict(re.findall(r"^\| (\d+) \| `?(\w+)`? \|", README, flags=re.MULTILINE))
    for code, error in EXIT_CODES.items():
        assert table.get(str(code)) == error.__name__
