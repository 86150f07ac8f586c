# mypy: disable-error-code="misc,attr-defined,operator"
"""PyTorch models of whole recurrent layers, and of what people put around them."""

from __future__ import annotations

import torch
from torch import nn

FEATURES = 5
STEPS = 12


class Sequences(nn.Module):
    """A recurrent layer, then a linear layer over a choice of its results."""

    def __init__(self, kind, hidden=8, *, take="last", head=3, features=FEATURES, **options):
        super().__init__()
        self.take = take
        time_first = options.pop("time_first", False)
        self.rnn = kind(features, hidden, batch_first=not time_first, **options)
        width = hidden * (2 if options.get("bidirectional") else 1)
        self.fc = nn.Linear(width, head)

    def forward(self, x):
        y, state = self.rnn(x)
        h = state[0] if isinstance(state, tuple) else state
        if self.take == "all":
            return self.fc(y)
        if self.take == "mean":
            return self.fc(y.mean(dim=1))
        if self.take == "max":
            return self.fc(y.max(dim=1).values)
        if self.take == "h":
            return torch.sigmoid(self.fc(h[-1]))
        if self.take == "both":
            return self.fc(torch.cat([h[-2], h[-1]], dim=1))
        if self.take == "states":
            return (self.fc(y), state)
        return torch.softmax(self.fc(y[:, -1]), dim=-1)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 6)
        self.rnn = nn.LSTM(6, 8, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(16, 4)

    def forward(self, tokens):
        y, _ = self.rnn(self.table(tokens))
        return self.fc(y)


class Convolved(nn.Module):
    """Conv1d, BatchNorm and pool over time, then a GRU."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(FEATURES, 6, 3, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.norm.running_mean.uniform_(-0.5, 0.5)
        self.norm.running_var.uniform_(0.5, 2)
        self.pool = nn.MaxPool1d(2)
        self.rnn = nn.GRU(6, 8, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = self.pool(torch.relu(self.norm(self.conv(x.transpose(1, 2)))))
        y, _ = self.rnn(x.transpose(1, 2))
        return self.fc(y[:, -1, :])


class Spectrogram(nn.Module):
    """2-d convolutions over time and bands, then a GRU over time."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, (3, 3), padding=(1, 1))
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_mean.uniform_(-0.5, 0.5)
        self.pool = nn.MaxPool2d((1, 2))
        self.second = nn.Conv2d(4, 3, (3, 2), padding=(1, 0))
        self.rnn = nn.GRU(3 * 3, 8, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = self.pool(torch.relu(self.norm(self.first(x.unsqueeze(1)))))
        x = torch.relu(self.second(x)).permute(0, 2, 1, 3)
        y, _ = self.rnn(x.flatten(2))
        return self.fc(y[:, -1])


class Causal(nn.Module):
    """Strided and causal convolutions, depthwise too, and a global mean."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(FEATURES, 8, 3, stride=2)
        self.deep = nn.Conv1d(8, 8, 3, dilation=2, groups=8)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        x = nn.functional.elu(self.first(x))
        x = nn.functional.leaky_relu(self.deep(nn.functional.pad(x, (4, 0))))
        return self.fc(nn.functional.adaptive_avg_pool1d(x, 1).flatten(1))


class Normed(nn.Module):
    """LayerNorm, GELU and a residual sum around a GRU."""

    def __init__(self):
        super().__init__()
        self.into = nn.Linear(FEATURES, 8)
        self.norm = nn.LayerNorm(8)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = self.into(x)
        y, _ = self.rnn(self.norm(x))
        return self.fc(nn.functional.gelu(x + y))


class Pooled(nn.Module):
    """Attention pooling: a softmax over time weighs the states."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(FEATURES, 8, batch_first=True)
        self.score = nn.Linear(8, 1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        y, _ = self.rnn(x)
        weights = torch.softmax(self.score(y), dim=1)
        return self.fc(torch.bmm(weights.transpose(1, 2), y).squeeze(1))


class Stateful(nn.Module):
    """States in and out, one step or many: [layers, batch, units]."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(FEATURES, 6, num_layers=2, batch_first=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, x, h, c):
        y, (h, c) = self.rnn(x, (h, c))
        return self.fc(y), h, c


class BothDirections(nn.Module):
    """Two directions and layers of a GRU, their states in and out."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(FEATURES, 6, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x, h):
        return self.rnn(x, h)


class OneState(nn.Module):
    """One GRU, its state in and out, [1, batch, units], behind a linear layer."""

    def __init__(self):
        super().__init__()
        self.into = nn.Linear(FEATURES, 6)
        self.rnn = nn.GRU(6, 8, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x, h):
        y, h = self.rnn(torch.relu(self.into(x)), h)
        return self.fc(y), h


class Head(nn.Module):
    """The head of a wake word: a BiLSTM, its last step, a sigmoid."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(12, 8, batch_first=True, bidirectional=True)
        self.fc = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, x):
        y, _ = self.rnn(x)
        return torch.sigmoid(self.fc(y[:, -1, :]))


def sequence(features=FEATURES):
    return {"x": torch.randn(3, STEPS, features)}


MODELS = {
    "gru_last": lambda: (Sequences(nn.GRU), sequence()),
    "gru_all": lambda: (Sequences(nn.GRU, take="all"), sequence()),
    "gru_two_layers": lambda: (Sequences(nn.GRU, num_layers=2, take="h"), sequence()),
    "gru_no_bias": lambda: (Sequences(nn.GRU, bias=False, take="all"), sequence()),
    "lstm_states": lambda: (Sequences(nn.LSTM, take="states"), sequence()),
    "lstm_mean": lambda: (Sequences(nn.LSTM, take="mean"), sequence()),
    "bigru_all": lambda: (Sequences(nn.GRU, take="all", bidirectional=True), sequence()),
    "bilstm_both": lambda: (
        Sequences(nn.LSTM, take="both", bidirectional=True, num_layers=2), sequence(),
    ),
    "bigru_max": lambda: (Sequences(nn.GRU, take="max", bidirectional=True), sequence()),
    "rnn_relu": lambda: (Sequences(nn.RNN, take="all", nonlinearity="relu"), sequence()),
    "time_first": lambda: (
        Sequences(nn.GRU, take="h", time_first=True), {"x": torch.randn(STEPS, 3, FEATURES)},
    ),
    "words": lambda: (Words(), {"tokens": torch.randint(0, 20, (3, STEPS))}),
    "convolved": lambda: (Convolved(), sequence()),
    "crnn": lambda: (Spectrogram(), sequence(8)),
    "causal": lambda: (Causal(), {"x": torch.randn(3, FEATURES, STEPS)}),
    "normed": lambda: (Normed(), sequence()),
    "pooled": lambda: (Pooled(), sequence()),
    "stateful": lambda: (
        Stateful(),
        {"x": torch.randn(3, STEPS, FEATURES), "h": torch.randn(2, 3, 6), "c": torch.randn(2, 3, 6)},  # noqa: E501
    ),
    "bigru_states": lambda: (
        BothDirections(), {"x": torch.randn(3, STEPS, FEATURES), "h": torch.randn(4, 3, 6)},
    ),
    "one_state": lambda: (
        OneState(), {"x": torch.randn(3, STEPS, FEATURES), "h": torch.randn(1, 3, 8)},
    ),
    "head": lambda: (Head(), sequence(12)),
}  # fmt: skip

#: Deep models whose fresh weights give nearly the same answer for every row: any rounding is large
#: beside that.  Factors for their weights, which training would have made as large.
FAINT = {"bilstm_both": 2.0, "crnn": 2.0}
