"""How wide the tables of a report are, and where their lines break."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from edgernn.devices.fake import FakeModel
from edgernn.report.sentences import sentences
from edgernn.report.text import as_text, print_report
from tests.edgernn.report import reports


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return reports.measured(tmp_path_factory.mktemp("report"))


def shown(report, width, *, wide=False):
    out = io.StringIO()
    print_report(report, Console(file=out, width=width), wide=wide)
    return out.getvalue().splitlines()


def test_the_default_table_holds_what_decides(report):
    titles = re.split(r"  +", as_text(report).splitlines()[0])
    assert titles == [
        *("model", "format", "scheme", "size", "p50 ms", "accuracy", "95 % interval", "note")
    ]


def test_no_line_of_the_default_is_longer_than_100_columns(tmp_path):
    models = reports.with_hot_ms("gru.onnx", [[0.5], [0.9], [0.6], [0.8], [0.5]])
    items = [replace(one, model=f"{one.model}_" + "name" * 9) for one in reports.ITEMS]
    report = reports.measured(tmp_path, models=models, items=items)
    lines = as_text(report).splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" not in "".join(lines)
    assert " ".join(sentences(report)[0].split()) in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_text_below_the_table_wraps_between_words(report, width):
    lines = shown(report, width)
    assert max(map(len, lines)) <= width
    text = " ".join(line.strip() for line in lines)
    assert all(sentence in text for sentence in sentences(report))
    below = lines[lines.index("") + 1 :]
    assert max(map(len, below)) > width - 20


def test_a_path_that_is_longer_than_a_line_stays_whole(tmp_path):
    file = "a" * 130 + ".onnx"
    items = [replace(reports.ITEMS[0], file=file)]
    models = {file: FakeModel(ends={"latency": reports.CRASH}, compute=reports.wrong_from(990))}
    text = as_text(reports.measured(tmp_path, items=items, models=models))
    assert f"\n{file}:\n" in text


def test_the_wide_text_has_all_figures_in_one_table(report):
    lines = as_text(report, wide=True).splitlines()
    titles = lines[0].split()
    for title in ("parameters", "load", "p95", "p99", "RSS", "agreement", "training"):
        assert title in titles
    assert sum(line.startswith("model") for line in lines) == 1
    assert max(map(len, lines[lines.index("") :])) <= 100


def test_a_narrow_terminal_gets_several_wide_tables_each_with_the_names_of_its_rows(report):
    lines = shown(report, 80, wide=True)
    titles = [line for line in lines if line.startswith("model")]
    assert len(titles) >= 3
    assert all("format  scheme" in title for title in titles)
    together = " ".join(titles).split()
    everything = as_text(report, wide=True).splitlines()[0].split()
    assert [word for word in everything if word not in together] == []
    rows = [line for line in lines if line.startswith(("gru ", "lstm "))]
    assert len(rows) == 3 * len(titles)
    assert max(map(len, rows)) <= 80
    assert "…" not in "".join(rows)


def test_a_large_terminal_gets_one_wide_table(report):
    assert sum(line.startswith("model") for line in shown(report, 300, wide=True)) == 1
