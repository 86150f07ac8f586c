"""What the README and the page of commands say is what the program does and what was measured."""

from __future__ import annotations

import re
import shutil

import pytest
from click.testing import CliRunner

from edgernn.cli import edgernn as program
from edgernn.errors import EXIT_CODES
from edgernn.report.page import picture_file
from edgernn.tasks import load
from tests.pages import TOP, blocks, page


def test_the_commands_are_those_of_the_program():
    help_text = CliRunner().invoke(program, ["--help"], prog_name="edgernn").output
    commands = help_text[help_text.index("Commands:") :].strip()
    assert commands in page("commands.md")


def test_the_exit_codes_are_those_of_errors_py():
    table = dict(re.findall(r"^\| (\d+) \| `?(\w+)`? \|", page("commands.md"), flags=re.MULTILINE))
    for code, error in EXIT_CODES.items():
        assert table.get(str(code)) == error.__name__


@pytest.mark.parametrize(
    ("begins", "row"),
    [
        ("int8 GRU, 128 units", "native int8 gru-100-40-1x128 batch 1 against LiteRT, our int8"),
        ("the same beside", "native int8 gru-100-40-1x128 batch 1 against ORT float32"),
        ("a batch of 8 single", "native int8 gru-1-64-1x256 batch 8 against LiteRT, our int8"),
    ],
)
def test_the_figures_of_the_readme_are_those_of_the_benchmarks(begins: str, row: str) -> None:
    bounds = r"\| (\S+) \[(\S+), (\S+)\]"
    (figure,) = re.findall(rf"^\| {begins}[^|]*{bounds}", page("README.md"), re.MULTILINE)
    bounds = r"\| (\S+) \| \[(\S+), (\S+)\]"
    (found,) = re.findall(rf"^\| {row} \|.*?{bounds}", page("benchmarks.md"), re.MULTILINE)
    assert figure == tuple(f"{float(number):.1f}" for number in found)


def test_tables_and_pictures_of_few_bits_are_those_of_their_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(TOP)
    from bench.few_bits_page import PICTURES, TABLES
    from bench.few_bits_record import recorded

    rows = recorded()
    for made in TABLES.values():
        assert made(rows) in page("int4.md")
    for name, made in PICTURES.items():
        assert (TOP / "docs" / name).read_text(encoding="utf-8") == picture_file(made(rows))


def without_numbers(line: str) -> str:
    return re.sub(r"[\d.,]+", "0", line).replace(" ", "")


def test_the_five_lines_print_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    (script,) = blocks("README.md", "python")
    assert len([line for line in script.splitlines() if line]) == 5
    (shown,) = blocks("README.md", "text")
    table, _, scores = shown.partition("...\n")
    shutil.copy(TOP / "tests/golden/trained/digits_gru.keras", tmp_path / "yours.keras")
    monkeypatch.chdir(tmp_path)
    calibration, test = load("digits:calibration"), load("digits:test")
    exec(script, {"x_train": calibration.x, "x_test": test.x})
    printed = capsys.readouterr().out
    lines = [without_numbers(line) for line in printed.splitlines()]
    assert lines[: table.count("\n")] == [without_numbers(line) for line in table.splitlines()]
    assert printed.endswith(scores)  # the same bits on every processor
