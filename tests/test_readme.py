"""The README tells what the program does: its help texts and exit codes are compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgernn.cli import SUMMARIES, edgernn
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


@pytest.mark.parametrize("command", SUMMARIES)
def test_options_shown_in_the_readme_exist(command):
    options = {
        option
        for line in re.findall(rf"^edgernn {command} .*$", README, flags=re.MULTILINE)
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", line)
    }
    help_text = CliRunner().invoke(edgernn, [command, "--help"]).output
    assert options
    assert not {option for option in options if option not in help_text}
