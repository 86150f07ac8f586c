"""Recurrent layers on top of each other, and whole models as people build them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, state, tokens
from tests.zoo.recurrent import CELLS, cell


def cases() -> Iterator[Case]:
    for lower, upper in product(("gru", "lstm", "simple_rnn"), repeat=2):
        yield Case(
            name=f"stack-{lower}-{upper}",
            build=_stack([lower, upper]),
            generations=BOTH if lower != upper else BOTH[:1],
        )
        yield Case(
            name=f"stack-{lower}-{upper}-sequences",
            build=_stack([lower, upper], sequences=True),
            steps=7,
        )
    for names in (["gru"] * 3, ["lstm"] * 3, ["lstm", "gru", "simple_rnn", "gru_reset_before"]):
        yield Case(name=f"deep-{'-'.join(names)}", build=_stack(names))
        yield Case(
            name=f"deep-{'-'.join(names)}-masked",
            build=_stack(names, masked=True),
            gaps=Gaps.EMPTY_ROW,
        )
    yield Case(name="stack-mixed-directions", build=_mixed_directions, generations=BOTH)
    yield Case(name="stack-between", build=_layers_between, generations=BOTH, batch=2)
    yield Case(name="stack-residual", build=_residual)
    yield Case(name="stack-returned_states", build=_returned_states)
    yield Case(
        name="stack-stateful",
        build=_stack(["gru", "lstm"], batch=2, steps=3, stateful=True),
        batch=2,
        calls=3,
        generations=BOTH,
    )
    yield Case(
        name="stack-partly_stateful", build=_partly_stateful, batch=2, calls=2, generations=BOTH
    )
    yield Case(name="sentiment", build=_sentiment, gaps=Gaps.LEFT, steps=8, generations=BOTH)
    yield Case(
        name="language_model", build=_language_model, gaps=Gaps.NONE, steps=6, generations=BOTH
    )
    yield Case(name="conv_lstm_classic", build=_conv_lstm_classic, steps=16, generations=BOTH)
    yield Case(name="keyword_spotter", build=_keyword_spotter, batch=1, generations=BOTH)
    yield Case(name="forecaster", build=_forecaster, generations=BOTH)
    yield Case(name="sequential", build=_sequential, generations=BOTH)
    yield Case(name="sequential-late_build", build=_sequential_late, generations=BOTH)
    for name in CELLS:
        yield Case(name=f"rnn_of_cell-{name}", build=_rnn_of_cell(name))
    yield Case(name="rnn_of_cells", build=_rnn_of_cells)


def _stack(
    names: list[str],
    *,
    masked: bool = False,
    sequences: bool = False,
    batch: int | None = None,
    steps: int | None = None,
    **options: Any,
) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, steps, batch)
        x = k.layers.Masking()(entry) if masked else entry
        for depth, name in enumerate(names):
            inner = sequences or depth < len(names) - 1
            x = cell(k, name, 5 - depth, return_sequences=inner, **options)(x)
        return k.Model(entry, x)

    return build


def _mixed_directions(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.GRU(5, return_sequences=True, go_backwards=True)(entry)
    x = k.layers.LSTM(4, return_sequences=True)(x)
    return k.Model(entry, k.layers.GRU(3, go_backwards=True)(x))


def _layers_between(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.LSTM(5, return_sequences=True)(entry)
    x = k.layers.Dropout(0.5)(x)
    x = k.layers.LayerNormalization()(x)
    x = k.layers.GRU(6, return_sequences=True)(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.Dense(4, activation="relu")(x)
    return k.Model(entry, k.layers.GRU(3)(x))


def _residual(k: Keras) -> Any:
    entry = sequence(k, 5)
    x = k.layers.GRU(5, return_sequences=True)(entry)
    x = k.layers.Add()([entry, x])
    y = k.layers.LSTM(5, return_sequences=True)(x)
    return k.Model(entry, k.layers.Concatenate()([k.layers.Multiply()([x, y]), entry]))


def _returned_states(k: Keras) -> Any:
    entry = sequence(k)
    x, h = k.layers.GRU(5, return_sequences=True, return_state=True)(entry)
    y, h2, c2 = k.layers.LSTM(4, return_state=True)(x)
    return k.Model(entry, [k.layers.Dense(2)(k.layers.Concatenate()([y, h])), c2, h2])


def _partly_stateful(k: Keras) -> Any:
    entry = sequence(k, 4, 3, 2)
    x = k.layers.GRU(5, stateful=True, return_sequences=True)(entry)
    x = k.layers.LSTM(4, return_sequences=True)(x)
    return k.Model(entry, k.layers.GRU(3, stateful=True)(x))


def _sentiment(k: Keras) -> Any:
    entry = tokens(k, 8)
    x = k.layers.Embedding(11, 6, mask_zero=True)(entry)
    x = k.layers.SpatialDropout1D(0.2)(x)
    x = k.layers.LSTM(5, dropout=0.2)(x)
    return k.Model(entry, k.layers.Dense(1, activation="sigmoid")(x))


def _language_model(k: Keras) -> Any:
    entry = tokens(k)
    x = k.layers.Embedding(11, 6)(entry)
    x = k.layers.LSTM(5, return_sequences=True)(x)
    x = k.layers.LSTM(6, return_sequences=True)(x)
    return k.Model(entry, k.layers.Dense(11, activation="softmax")(x))


def _conv_lstm_classic(k: Keras) -> Any:
    """The text classifier of countless Keras 2 tutorials, with its hard_sigmoid."""
    return k.Sequential(
        [
            k.Input(batch_shape=(None, 16), dtype="int32"),
            k.layers.Embedding(11, 8),
            k.layers.Dropout(0.25),
            k.layers.Conv1D(6, 5, padding="valid", activation="relu"),
            k.layers.MaxPooling1D(pool_size=2),
            k.layers.LSTM(7, recurrent_activation="hard_sigmoid"),
            k.layers.Dense(1),
            k.layers.Activation("sigmoid"),
        ]
    )


def _keyword_spotter(k: Keras) -> Any:
    entry = sequence(k, 4, 9)
    x = k.layers.BatchNormalization()(entry)
    x = k.layers.Conv1D(6, 3, padding="same", activation="relu")(x)
    x = k.layers.GRU(7, return_sequences=True)(x)
    x = k.layers.GlobalAveragePooling1D()(x)
    return k.Model(entry, k.layers.Dense(4, activation="softmax")(x))


def _forecaster(k: Keras) -> Any:
    entry = sequence(k, 3, 8)
    calendar = state(k, 4)
    x = k.layers.GRU(6)(entry)
    x = k.layers.Concatenate()([x, calendar])
    x = k.layers.Dense(8, activation="relu")(x)
    x = k.layers.Dense(6)(x)
    return k.Model([entry, calendar], k.layers.Reshape((3, 2))(x))


def _sequential(k: Keras) -> Any:
    return k.Sequential(
        [
            k.Input(batch_shape=(None, None, 4)),
            k.layers.Masking(),
            k.layers.GRU(5, return_sequences=True),
            k.layers.LSTM(4),
            k.layers.Dense(3),
        ]
    )


def _sequential_late(k: Keras) -> Any:
    late = k.Sequential([k.layers.LSTM(5), k.layers.Dense(3, activation="softmax")])
    late.build((None, 6, 4))
    return late


def _rnn_of_cell(name: str) -> Any:
    def build(k: Keras) -> Any:
        classes = {
            "gru": lambda: k.layers.GRUCell(5),
            "gru_reset_before": lambda: k.layers.GRUCell(5, reset_after=False),
            "lstm": lambda: k.layers.LSTMCell(5),
            "simple_rnn": lambda: k.layers.SimpleRNNCell(5),
        }
        entry = sequence(k)
        return k.Model(entry, k.layers.RNN(classes[name](), return_sequences=True)(entry))

    return build


def _rnn_of_cells(k: Keras) -> Any:
    entry = sequence(k)
    layer = k.layers.RNN([k.layers.GRUCell(5), k.layers.LSTMCell(4)])
    return k.Model(entry, layer(entry))
