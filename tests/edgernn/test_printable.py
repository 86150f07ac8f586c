"""Words of others cannot give orders to a terminal, nor add lines that look like ours."""

from __future__ import annotations

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.printable import printable, shown
from edgernn.report.aligned import aligned

HOSTILE = "gru\n\x1b[2Jerror: no\u202e \x9b1m"


def test_a_name_is_shown_on_one_line_with_nothing_that_a_terminal_obeys():
    assert shown(HOSTILE) == r"gru\n\x1b[2Jerror: no\u202e \x9b1m"
    assert shown("naïve 名前 a b") == "naïve 名前 a b"
    assert shown("half \udc80") == r"half \udc80"


def test_a_text_keeps_its_lines_and_loses_orders():
    assert printable("one\n\ttwo \x1b[31mred\x1b[0m \x9b\u202e") == "one\n\ttwo red "


def test_errors_and_tables_show_names_so():
    refused = UnsupportedLayer(
        layer=HOSTILE, kind="A\rB", where="a.keras", reason="is new", remedy="Try another"
    )
    assert r"'gru\n\x1b[2Jerror" in str(refused)
    assert r"(A\rB, in a.keras)" in str(refused)
    assert "\n" not in str(refused)
    assert "\u202e" not in str(ModelFileError(HOSTILE))
    assert len(list(aligned([("name",), (HOSTILE,)]))[1].splitlines()) == 1
