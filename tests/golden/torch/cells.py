# mypy: disable-error-code="misc,attr-defined,operator"
"""PyTorch models that call cells, step by step."""

from __future__ import annotations

import torch
from torch import nn

from tests.golden.torch.layers import FEATURES


class CellLoop(nn.Module):
    """A loop over GRUCell whose states are all read."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(FEATURES, 6)
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        h, states = torch.zeros(x.shape[0], 6), []
        for step in range(x.shape[1]):
            h = self.cell(x[:, step], h)
            states.append(h)
        return self.fc(torch.stack(states, 1)), h


class TwoCells(nn.Module):
    """A loop over an LSTMCell and a GRUCell on top of it, the last state read."""

    def __init__(self):
        super().__init__()
        self.lower = nn.LSTMCell(FEATURES, 6)
        self.upper = nn.GRUCell(6, 4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], 6)
        c, g = torch.zeros_like(h), torch.zeros(x.shape[0], 4)
        for step in x.unbind(1):
            h, c = self.lower(step, (h, c))
            g = self.upper(h, g)
        return self.fc(g)


class Backwards(nn.Module):
    """A loop over RNNCell from the last step to the first."""

    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(FEATURES, 6)

    def forward(self, x):
        h, states = None, []  # type: ignore[var-annotated]
        for step in reversed(range(x.shape[1])):
            h = self.cell(x[:, step, :], h)
            states.insert(0, h.unsqueeze(1))
        return torch.cat(states, 1)


class OneStep(nn.Module):
    """One step of a GRUCell per call, the state in and out."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(FEATURES, 6)
        self.fc = nn.Linear(6, 2)

    def forward(self, x, h):
        h = self.cell(x, h)
        return self.fc(h), h


#: What torch.onnx.export unrolls; only the .pt2 files show that they are loops.
LOOPS = {
    "cell_loop": lambda: (CellLoop(), {"x": torch.randn(3, 6, FEATURES)}),
    "two_cells": lambda: (TwoCells(), {"x": torch.randn(3, 6, FEATURES)}),
    "backwards": lambda: (Backwards(), {"x": torch.randn(3, 6, FEATURES)}),
    "one_step": lambda: (OneStep(), {"x": torch.randn(3, FEATURES), "h": torch.randn(3, 6)}),
}
