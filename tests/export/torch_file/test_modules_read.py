# mypy: disable-error-code="misc,name-defined"
"""Modules of many kinds are read as PyTorch runs them, and what is refused names a way that works.

Needs PyTorch.
"""

from __future__ import annotations

import numpy as np
import pytest

import edgernn
from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.source_check import check_reading

torch = pytest.importorskip("torch")
F = torch.nn.functional

pytestmark = pytest.mark.filterwarnings("ignore:The tensor attributes")  # torch, of nn.GRU

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 12, 5)).astype(np.float32)
TOKENS = RNG.integers(0, 20, (3, 12))


class Module(torch.nn.Module):
    """A GRU, a table and a linear layer; `function` is what forward does with them."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.rnn = torch.nn.GRU(5, 4, batch_first=True)
        self.fc = torch.nn.Linear(4, 2)
        self.table = torch.nn.Embedding(30, 5)
        self.first = torch.nn.Parameter(torch.randn(1, 1, 4))
        self.scale = torch.nn.Parameter(torch.rand(5) + 0.5)
        self.kernel = torch.nn.Parameter(torch.randn(5, 5, 3))
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def assert_read(function, example=X):
    """PyTorch itself is the oracle."""
    model = edgernn.load(Module(function).eval(), example=example).model
    assert check_reading(model)
    return model.graph


READ = {
    "flipped tokens": (lambda m, x: m.rnn(m.table(x.flip(1)))[0], TOKENS),
    "abs": (lambda _, x: x.abs(), X),
    "roots and logarithms": (lambda _, x: (x.abs() + 1).sqrt() + (x.abs() + 1).log(), X),
    "reciprocals": (lambda _, x: (x.abs() + 1).rsqrt() * (x.abs() + 2).reciprocal(), X),
    "powers": (lambda m, x: m.rnn(x**2)[0] + (m.rnn(x)[0].abs() + 1) ** 0.5, X),
    "quotients": (lambda _, x: 1 / (x.abs() + 1) + x / x.abs().add(1).sum(-1, keepdim=True), X),
    "clamps": (lambda _, x: x.clamp(-1, 1) + x.clamp(max=0.5) + x.clamp(min=-0.3), X),
    "hardtanh": (lambda _, x: F.hardtanh(x), X),
    "rms_norm": (lambda m, x: m.rnn(F.rms_norm(x, (5,), m.scale))[0], X),
    "rms_norm of eps": (lambda _, x: F.rms_norm(x, (5,), eps=1e-2), X),
    "attention": (lambda _, x: torch.bmm(torch.softmax(torch.bmm(x, x.mT) * 0.4, -1), x), X),
    "a repeated row": (lambda m, x: m.rnn(x[:, -1:].repeat(1, 4, 1))[0], X),
    "a repeated vector": (lambda m, x: m.rnn(x[:, -1].unsqueeze(1).expand(-1, 4, -1))[0], X),
    "repeat of a vector": (lambda m, x: m.rnn(x[:, -1].unsqueeze(1).repeat(1, 4, 1))[0], X),
    "differences": (lambda _, x: x[:, 1:] - x[:, :-1], X),
    "silu": (lambda _, x: F.silu(x), X),
    "glu": (lambda m, x: F.glu(m.rnn(x)[0]), X),
    "glu of channels": (lambda m, x: F.glu(m.rnn(x)[0].mT, dim=1), X),
}


@pytest.mark.parametrize("what", READ)
def test_a_module_is_read_as_pytorch_runs_it(what):
    assert_read(*READ[what])


#: What is refused, a word of the remedy, and the module after it.
REMEDIES = {
    "einsum": (lambda _, x: torch.einsum("btf,bsf->bts", x, x), "torch.bmm",
               lambda _, x: torch.bmm(x, x.transpose(1, 2))),
    "attention": (lambda _, x: F.scaled_dot_product_attention(x, x, x), "written with torch.bmm",
                  lambda _, x: torch.bmm(torch.softmax(torch.bmm(x, x.mT) * 5**-0.5, -1), x)),
    "everything": (lambda _, x: x.max(), "the axes (dim) of a row",
                   lambda _, x: x.amax(dim=(1, 2))),
    "no batch": (lambda _, x: x.flatten(), "leave out squeeze() and view(-1)",
                 lambda _, x: x.flatten(1)),
    "exponent": (lambda _, x: x**3, "squares, square roots and products", lambda _, x: x * x * x),
    "rounded length": (lambda _, x: F.max_pool1d(x.mT, 5, ceil_mode=True), "Leave out ceil_mode",
                       lambda _, x: F.max_pool1d(x.mT, 5)),
    "padded pool": (lambda _, x: F.max_pool1d(x.mT, 3, padding=1), "padding=0",
                    lambda _, x: F.max_pool1d(x.mT, 3)),
    "adaptive pool": (lambda _, x: F.adaptive_avg_pool1d(x.mT, 3), "one element, or by a window",
                      lambda _, x: F.avg_pool1d(x.mT, 4)),
    "reflected": (lambda _, x: F.pad(x.mT, (2, 0), mode="reflect"), "Pad with zeros",
                  lambda _, x: F.pad(x.mT, (2, 0))),
    "learned state": (lambda m, x: m.rnn(x, m.first.expand(1, x.shape[0], 4).contiguous())[0],
                      "begin with zeros", lambda m, x: m.rnn(x)[0]),
    "transposed convolution": (
        lambda m, x: F.conv_transpose1d(x.mT, m.kernel), "Use Conv1d",
        lambda m, x: F.conv1d(x.mT, m.kernel)),
    "softplus": (lambda _, x: F.softplus(x, beta=2.0), "torch.nn.Softplus()",
                 lambda _, x: F.softplus(x)),
}  # fmt: skip


@pytest.mark.parametrize("what", REMEDIES)
def test_the_remedy_of_a_refusal_is_read(what):
    refused, words, after = REMEDIES[what]
    with pytest.raises((UnsupportedLayer, ModelFileError)) as refusal:
        edgernn.load(Module(refused).eval(), example=X)
    assert words in refusal.value.remedy
    assert_read(after)


def test_tokens_plus_one_are_given_from_outside():
    with pytest.raises(UnsupportedLayer, match="computes with integers") as refusal:
        edgernn.load(Module(lambda m, x: m.table(x + 1)).eval(), example=TOKENS)
    assert "outside of the model" in refusal.value.remedy
    assert_read(lambda m, x: m.table(x), TOKENS + 1)
