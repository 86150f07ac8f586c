"""The files that a report can be written to."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest

from edgernn.profile.storage import read_report
from edgernn.report.formats import FORMATS
from tests.edgernn.report import reports


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return reports.measured(tmp_path_factory.mktemp("formats"))


def test_the_suffixes_are_known_without_the_writers():
    code = "import sys, edgernn.report.formats; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in ran.stdout.split() if name in ("numpy", "edgernn.report.html")]


def test_each_format_is_found_by_its_suffix():
    assert [(suffix, row.name) for suffix, row in FORMATS.items()] == [
        (".json", "JSON"),
        (".html", "HTML"),
        (".md", "Markdown"),
        (".csv", "CSV"),
    ]
    assert all(row.suffix == suffix for suffix, row in FORMATS.items())


def test_each_format_writes_what_its_suffix_says(report, tmp_path):
    written = {suffix: row.write(report) for suffix, row in FORMATS.items()}
    assert written[".html"].startswith("<!doctype html>")
    assert written[".md"].startswith("| model |")
    assert len(list(csv.DictReader(io.StringIO(written[".csv"])))) == 3
    assert json.loads(written[".json"])["sentences"]
    path = tmp_path / "report.json"
    path.write_text(written[".json"])
    assert read_report(path) == report
