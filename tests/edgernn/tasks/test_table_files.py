"""Tables as people have them: other separators, blank lines, gaps."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks.given import as_samples
from edgernn.tasks.target import Target

LINES = [f"{row}.5,{row % 7},{row / 10 + 0.05:.2f}" for row in range(3000)]
HEADER = "outdoor,heater,room"


def table(tmp_path, lines, header=HEADER):
    path = tmp_path / "house.csv"
    path.write_text("\n".join([header, *lines]))
    return path


def changed(line, text):
    """The lines with another one at that place (counted as editors do)."""
    return [*LINES[: line - 2], text, *LINES[line - 1 :]]


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        (HEADER.replace(",", ";"), [line.replace(",", ";") for line in LINES]),
        (HEADER.replace(",", "\t"), [line.replace(",", "\t") for line in LINES]),
        (" outdoor , heater , room", LINES),
        (HEADER, [*LINES[:100], "", *LINES[100:], "", ""]),
        ("\n\n" + HEADER.replace(",", ";"), [line.replace(",", ";") for line in LINES]),
    ],
    ids=["semicolons", "tabs", "spaces around names", "blank lines", "blank lines before names"],
)
def test_a_table_is_read_as_if_it_were_tidy(tmp_path, header, lines):
    tidy = as_samples(table(tmp_path, LINES), target="room")
    found = as_samples(table(tmp_path, lines, header), target="room")
    assert found.features == tidy.features
    np.testing.assert_array_equal(found.x, tidy.x)
    np.testing.assert_array_equal(found.y, tidy.y)
    assert found.target is Target.NUMBERS


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("1.5,3,", "line 42: no number in 'room'. Fill the gap, or remove the line"),
        ("1.5,,0.2", "line 42: no number in 'heater'. Fill the gap"),
        ("1.5,3,NA", "line 42: 'NA' in column 'room' is no number. Most of 'room' are numbers"),
        ("1.5,3,nan", "line 42: 'nan' in column 'room' is not a finite number. Repair it"),
        ("1.5,3", "line 42: 2 columns, not 3"),
    ],
)
def test_a_gap_is_named_with_its_line_and_column(tmp_path, text, saying):
    with pytest.raises(DataError, match=saying):
        as_samples(table(tmp_path, changed(42, text)), target="room")
    # A blank line before it is counted.
    later = ["", *changed(42, text)]
    with pytest.raises(DataError, match=saying.replace("42", "43")):
        as_samples(table(tmp_path, later), target="room")


def test_a_decimal_comma_is_named(tmp_path):
    lines = [line.replace(",", ";").replace(".", ",") for line in LINES]
    with pytest.raises(DataError, match=r"'0,5' in column 'outdoor' is no number.*decimal point"):
        as_samples(table(tmp_path, lines, HEADER.replace(",", ";")), target="room")


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"several columns 'room'.*a name of its own"):
        as_samples(table(tmp_path, LINES, "room,heater,room"), target="room")


@pytest.mark.parametrize(
    ("header", "line", "column"), [(f",{HEADER}", "7,{}", 1), (f"{HEADER},", "{},", 4)]
)
def test_a_column_without_a_name_is_refused(tmp_path, header, line, column):
    """The row numbers that pandas writes would be a feature."""
    lines = [line.format(one) for one in LINES]
    with pytest.raises(DataError, match=f"column {column} has no name.*index=False"):
        as_samples(table(tmp_path, lines, header), target="room")


def test_commas_within_a_quoted_name_separate_nothing(tmp_path):
    lines = [line.replace(",", ";") for line in LINES]
    path = table(tmp_path, lines, '"outdoor, in the shade, C";heater;room')
    assert as_samples(path, target="room").x.shape[2] == 3


def test_a_gap_among_many_whole_numbers_makes_no_classes_of_them(tmp_path):
    lines = [f"{row}.5,{row % 7},{row % 900}" for row in range(3000)]
    lines[40] = "1.5,3,NA"
    with pytest.raises(DataError, match="line 42: 'NA' in column 'room' is no number"):
        as_samples(table(tmp_path, lines), target="room")


def test_a_file_in_another_encoding_is_refused_with_what_helps(tmp_path):
    path = tmp_path / "house.csv"
    path.write_text(f"{HEADER}\n{LINES[0]}\n", encoding="utf-16")
    with pytest.raises(DataError, match="Save it as CSV in UTF-8"):
        as_samples(path, target="room")
