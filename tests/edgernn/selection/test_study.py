"""`make study`: subsets keep the parts, and its page is written between its marks."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from edgernn.report.compared import comparison_json
from edgernn.tasks.samples import Samples
from edgernn.tasks.split import split
from tests.edgernn.report.comparisons import comparison


def _loaded():
    """bench/ is no installed package."""
    path = Path(__file__).parents[3] / "bench" / "study.py"
    spec = importlib.util.spec_from_file_location("bench_study", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


study = _loaded()


def test_a_subset_has_fewer_training_rows_and_enough_test_rows():
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 3, 1)).astype(np.float32)
    whole = split(Samples(name="made-up", x=x, y=random.integers(0, 2, 4000)))
    some = study.subset(whole, 500)
    assert (len(some.train), len(some.validation), len(some.test)) == (500, 100, 800)
    assert study.subset(whole, 10_000).train is whole.train


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        entry = json.loads(comparison_json(comparison({"gru": 0.9, "lstm": 0.9}, linear=0.95)))
        (tmp_path / name / "report.json").write_text(json.dumps(entry | {"data": name}))
    page = tmp_path / "choosing.md"
    page.write_text(f"before\n{study.BEGIN}\nold\n{study.END}\nafter\n")
    monkeypatch.setattr(study, "PAGE", page)
    return tmp_path


def test_the_page_gets_a_row_for_each_task_and_keeps_what_people_wrote(folder):
    study.write_page(folder)
    study.write_page(folder)
    text = (folder / "choosing.md").read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.count("| one | 1,000, 32, 5 | accuracy |") == 1
    assert "use neither" in text
    assert "| people say | one | two |" in text
    assert "| GRU 26 % smaller | 25.9 % | 25.9 % |" in text
