"""`edgernn demo`: one command from data to a table, quick when it is repeated."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgernn.cli import edgernn as command_line
from edgernn.formats import suffixes
from edgernn.front import measuring
from edgernn.front.measuring import measure
from edgernn.front.reports import Report
from edgernn.tasks import TASKS, Split, Splits
from edgernn.tasks.task import Recipe, Task
from tests.edgernn.tasks.reference_data import splits_of

# Keras 3.15 converts TensorFlow's tensors in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ARTEFACTS = {
    f"{cell}{scheme}{suffix}"
    for cell in ("gru", "lstm")
    for scheme in ("", ".int8")
    for suffix in suffixes()
}


@pytest.fixture(scope="module")
def small() -> Task:
    """The digits with 100 rows in each part, and one epoch."""
    digits = splits_of("digits")
    few = Splits(
        **{
            split.value: digits.part(split).rows(np.arange(100), name=digits.part(split).name)
            for split in Split
        }
    )
    few = replace(few, test=replace(few.test, baselines=digits.test.baselines))
    return replace(TASKS["digits"], read=lambda _notify: few, recipe=Recipe(epochs=1))


#: Shorter than a measurement that is worth reading: there are 90 processes.
quick = partial(measure, min_time_ms=1.0, warm_up_ms=1.0)


def demo(out: Path) -> Result:
    arguments = ["demo", "-o", str(out), "--units", "8", "--processes", "1", "--seeds", "2"]
    return CliRunner().invoke(command_line, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def first(small: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("demo") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "digits", small)
        patch.setattr(measuring, "measure", quick)
        return out, demo(out)


def test_everything_is_there_in_the_end(first):
    out, result = first
    assert result.exit_code == 0
    names = {path.name for path in out.iterdir()}
    assert names >= ARTEFACTS
    for cell in ("gru", "lstm"):
        for suffix in ("keras", "train.json"):
            assert f"{cell}.{suffix}" in names
    assert {"report.md", "report.html", "report.json"} <= {
        path.name for path in (out / "compare").iterdir()
    }
    assert {"model.json", "report.json", "report.md", "report.html"} <= names
    assert not [name for name in names if name.startswith(".")]


def test_the_report_has_a_row_for_each_artefact_and_ends_with_sentences(first):
    out, result = first
    report = json.loads((out / "report.json").read_text())
    files = {cell["item"]["file"] for cell in report["cells"]}
    assert files == ARTEFACTS
    markdown = (out / "report.md").read_text()
    for text in (markdown, result.stdout):
        assert "At equal units (8) the GRU is" in text
        assert "linear model" in text
    assert result.stdout.startswith("# gru or lstm on digits?")
    assert result.stdout.splitlines()[-1].startswith("**")


def test_a_repeated_demo_uses_the_trained_models_again(first, small, monkeypatch):
    out, _ = first

    def trainings():
        found = (out / "compare" / "trainings").iterdir()
        return {path.name: path.stat().st_mtime_ns for path in found}

    def measure_one(folder: Path, **options: Any) -> Report:
        """The first demo has measured all of the files."""
        return quick(folder / "gru.ernn", **options)

    before = trainings()
    monkeypatch.setitem(TASKS, "digits", small)
    monkeypatch.setattr(measuring, "measure", measure_one)
    repeated = demo(out)
    assert repeated.exit_code == 0
    assert trainings() == before
