# mypy: disable-error-code="misc,name-defined"
"""A module in memory; the tests that need PyTorch run where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import ModelFileError, VerificationError, WrongOption
from tests.golden import GOLDEN


def test_an_example_for_a_file_is_refused():
    with pytest.raises(WrongOption, match=r"torch\.nn\.Module"):
        edgernn.load(GOLDEN / "small_gru.keras", example=np.zeros((2, 5)))


def module(torch):
    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.GRU(5, 8, batch_first=True)
            self.fc = torch.nn.Linear(8, 3)

        def forward(self, x):
            y, _ = self.rnn(x)
            return self.fc(y[:, -1])

    torch.manual_seed(0)
    return Network().eval()


pytestmark = pytest.mark.filterwarnings("ignore:The tensor attributes")  # torch, of nn.GRU

X = np.random.default_rng(0).normal(size=(40, 12, 5)).astype(np.float32)


def test_a_module_is_exported_and_checked_against_itself(tmp_path):
    torch = pytest.importorskip("torch")
    network = module(torch)
    model = edgernn.load(network, example=X[:1])
    assert model.inputs == {"x": (None, 12, 5)}
    made = model.export(tmp_path, scheme="int8", calibrate=X)
    assert len(made) >= 2
    with torch.no_grad():
        network.fc.bias += 1  # what was read is no longer what the module computes
    with pytest.raises(VerificationError, match="differently from PyTorch"):
        model.export(tmp_path / "again")


def test_inputs_by_name_and_a_free_axis_of_time():
    torch = pytest.importorskip("torch")
    model = edgernn.load(module(torch), example={"x": torch.zeros(2, 12, 5)}, free_time=True)
    assert model.inputs == {"x": (None, None, 5)}


def test_a_module_without_an_example_or_in_training_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(WrongOption, match="does not say what it takes") as refusal:
        edgernn.load(module(torch))
    assert "example=x" in refusal.value.remedy
    with pytest.raises(WrongOption, match="training mode"):
        edgernn.load(module(torch).train(), example=X)


@pytest.mark.parametrize("layers", [2, 3])
def test_the_batch_is_free_also_where_it_is_as_long_as_the_layers(layers):
    torch = pytest.importorskip("torch")

    class Stateful(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.GRU(5, 4, layers, batch_first=True)

        def forward(self, x, h):
            return self.rnn(x, h)

    example = (torch.zeros(2, 12, 5), torch.zeros(layers, 2, 4))
    model = edgernn.load(Stateful().eval(), example=example)
    states = {f"h_{at}": (None, 4) for at in range(layers)}
    assert model.inputs == {"x": (None, 12, 5), **states}


def test_an_empty_example_is_refused():
    torch = pytest.importorskip("torch")
    empty: list[Any] = [(), {}]
    for nothing in empty:
        with pytest.raises(WrongOption, match="example is empty"):
            edgernn.load(module(torch), example=nothing)


def test_a_module_that_torch_cannot_export_is_refused():
    torch = pytest.importorskip("torch")

    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelFileError, match=r"torch\.export cannot write the module"):
        edgernn.load(Branching().eval(), example=X)
