"""The notebook runs from its first cell to its last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pages import TOP

NOTEBOOK = TOP / "examples" / "first_model.ipynb"


# Keras 3.15 converts TensorFlow's tensors in a way that numpy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_cells_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGERNN_PROFILE_PROCESSES", "1")
    monkeypatch.setenv("EDGERNN_PROFILE_MIN_TIME", "1ms")
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    printed = capsys.readouterr().out
    assert "digits.int8.ernn" in printed
    assert printed.rstrip().endswith("True")  # step by step as at once
    answers = names["native"](names["test"].x).argmax(axis=1)
    assert (answers == names["test"].y).mean() > 0.8


def test_no_output_is_committed() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert not [cell for cell in notebook["cells"] if cell.get("outputs")]
