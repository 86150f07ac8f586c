"""Programs of torch.export compute what PyTorch computed, read without it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from edgernn.export.torch_file.file import read_pt2
from edgernn.graph import Dense, Gru, Lstm, SimpleRnn
from tests.export.onnx_file.golden import FOLDER, PROGRAMS, answers, stored

TOLERANCE = 1e-5


@pytest.mark.parametrize("file", PROGRAMS)
def test_a_program_answers_as_pytorch_does(file):
    inputs, expected = stored(file)
    computed = answers(read_pt2(FOLDER / file), inputs)
    assert len(computed) == len(expected)
    for here, there in zip(computed, expected, strict=True):
        assert here.shape == there.shape
        assert np.abs(there).max() > 1e-3, "these outputs show nothing"
        assert np.abs(here - there).max() <= TOLERANCE


def test_there_is_a_program_for_each_model():
    assert len(PROGRAMS) >= 15 + 4


def test_a_loop_over_cells_is_one_layer_with_the_weights_once():
    graph = read_pt2(FOLDER / "cell_loop.free.pt2").graph
    assert [type(layer) for layer in graph.layers] == [Gru, Dense]
    assert graph.parameters == (5 + 6) * 18 + 2 * 18 + 6 * 2 + 2


def test_a_loop_over_two_cells_is_two_layers():
    graph = read_pt2(FOLDER / "two_cells.free.pt2").graph
    assert [type(layer) for layer in graph.layers] == [Lstm, Gru, Dense]


def test_a_loop_from_the_last_step_to_the_first_runs_backwards():
    first = read_pt2(FOLDER / "backwards.free.pt2").graph.layers[0]
    assert isinstance(first, SimpleRnn)
    assert first.go_backwards


def test_layers_are_named_after_modules_and_outputs_after_layers():
    graph = read_pt2(FOLDER / "gru_two_layers.free.pt2").graph
    assert [layer.name for layer in graph.layers] == ["rnn", "rnn_1", "fc"]
    assert [output.name for output in graph.outputs] == ["fc"]


def test_the_source_says_who_made_the_file():
    source = read_pt2(FOLDER / "gru_last.free.pt2").source
    assert source.origin.startswith("PyTorch 2.")
    assert "torch.export" in source.origin


def test_reading_a_program_imports_neither_torch_nor_a_runtime():
    code = (
        "import sys; from pathlib import Path; from edgernn.export.reading import read_source;"
        f"read_source(Path({str(FOLDER / 'words.free.pt2')!r}));"
        "print([name for name in ('torch', 'onnxruntime', 'keras') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
