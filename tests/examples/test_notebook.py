"""The notebook runs from its first cell to its last."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.pages import TOP

NOTEBOOK = TOP / "examples" / "first_model.ipynb"
TRAINS = "import keras"  # the one cell that starts TensorFlow


def code_cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_cells(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("EDGERNN_PROFILE_PROCESSES", "1")
    monkeypatch.setenv("EDGERNN_PROFILE_MIN_TIME", "1ms")
    names: dict[str, Any] = {}
    for cell in cells:
        exec(cell, names)
    return names


def check(names: dict[str, Any], printed: str) -> None:
    assert "digits.int8.ernn" in printed
    assert printed.rstrip().endswith("True")  # step by step as at once
    answers = names["native"](names["test"].x).argmax(axis=1)
    assert (answers == names["test"].y).mean() > 0.8


@pytest.mark.long
# Keras 3.15 converts TensorFlow's tensors in a way that numpy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_cells_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    names = run_cells(code_cells(), monkeypatch)
    check(names, capsys.readouterr().out)


def test_the_cells_run_with_a_model_that_was_trained_before(tmp_path, monkeypatch, capsys):
    """And with one file of three, for the time it takes."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(TOP / "tests/golden/trained/digits_gru.keras", tmp_path / "digits.keras")
    cells = code_cells()
    without = [cell for cell in cells if TRAINS not in cell]
    assert len(without) == len(cells) - 1
    all_formats = 'scheme="int8"'
    assert sum(all_formats in cell for cell in without) == 1
    native = [cell.replace(all_formats, f'to="native", {all_formats}') for cell in without]
    names = run_cells(native, monkeypatch)
    check(names, capsys.readouterr().out)


def test_no_output_is_committed() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert not [cell for cell in notebook["cells"] if cell.get("outputs")]
