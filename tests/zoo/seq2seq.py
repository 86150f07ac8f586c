"""Encoders and decoders: sequence to sequence, autoencoders, one step of a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, state, tokens
from tests.zoo.recurrent import CELLS, as_list, cell


def cases() -> Iterator[Case]:
    for name in CELLS:
        yield Case(name=f"seq2seq-{name}", build=_seq2seq(name), generations=BOTH)
        yield Case(name=f"autoencoder-{name}", build=_autoencoder(name))
    for name in ("gru", "lstm"):
        yield Case(
            name=f"seq2seq-{name}-masked",
            build=_seq2seq(name, masked=True),
            gaps=Gaps.RIGHT,
            generations=BOTH,
        )
        yield Case(name=f"seq2seq-{name}-attention", build=_seq2seq_attention(name))
        yield Case(name=f"seq2seq-{name}-bidirectional_encoder", build=_bidirectional_encoder(name))
        yield Case(name=f"decoder_step-{name}", build=_decoder_step(name), steps=1)
    yield Case(name="seq2seq-unlike_lengths", build=_unlike_lengths)
    yield Case(name="autoencoder-masked", build=_autoencoder_masked, gaps=Gaps.EMPTY_ROW)
    yield Case(name="autoencoder-deep", build=_autoencoder_deep, generations=BOTH)


def _seq2seq(name: str, *, masked: bool = False) -> Any:
    def build(k: Keras) -> Any:
        source, target = tokens(k), tokens(k)
        encoded = k.layers.Embedding(11, 5, mask_zero=masked)(source)
        decoded = k.layers.Embedding(11, 4, mask_zero=masked)(target)
        _, *states = as_list(cell(k, name, 6, return_state=True)(encoded))
        decoder = cell(k, name, 6, return_sequences=True, return_state=True)
        sequences, *_ = as_list(decoder(decoded, initial_state=states))
        return k.Model([source, target], k.layers.Dense(11, activation="softmax")(sequences))

    return build


def _seq2seq_attention(name: str) -> Any:
    def build(k: Keras) -> Any:
        source, target = sequence(k, 4), sequence(k, 3)
        encoder = cell(k, name, 6, return_sequences=True, return_state=True)
        encoded, *states = as_list(encoder(source))
        decoded = cell(k, name, 6, return_sequences=True)(target, initial_state=states)
        context = k.layers.Attention()([decoded, encoded])
        joined = k.layers.Concatenate()([decoded, context])
        return k.Model([source, target], k.layers.TimeDistributed(k.layers.Dense(3))(joined))

    return build


def _bidirectional_encoder(name: str) -> Any:
    def build(k: Keras) -> Any:
        source, target = sequence(k, 4), sequence(k, 3)
        encoder = k.layers.Bidirectional(cell(k, name, 3, return_state=True))
        _, *halves = as_list(encoder(source))
        middle = len(halves) // 2
        pairs = zip(halves[:middle], halves[middle:], strict=True)
        states = [k.layers.Concatenate()(list(pair)) for pair in pairs]
        decoded = cell(k, name, 6, return_sequences=True)(target, initial_state=states)
        return k.Model([source, target], decoded)

    return build


def _decoder_step(name: str) -> Any:
    """What runs once per token at inference: token and states in, logits and states out."""

    def build(k: Keras) -> Any:
        token = tokens(k, 1)
        states = [state(k, 5) for _ in range(2 if name == "lstm" else 1)]
        embedded = k.layers.Embedding(11, 4)(token)
        layer = cell(k, name, 5, return_sequences=True, return_state=True)
        output, *new = as_list(layer(embedded, initial_state=states))
        return k.Model([token, *states], [k.layers.Dense(11)(output), *new])

    return build


def _unlike_lengths(k: Keras) -> Any:
    source, target = sequence(k, 4, 7), sequence(k, 3, 4)
    _, h, c = k.layers.LSTM(5, return_state=True)(source)
    _, g = k.layers.GRU(5, return_state=True)(source)
    decoded = k.layers.LSTM(5, return_sequences=True)(target, initial_state=[g, c])
    return k.Model([source, target], [decoded, h])


def _autoencoder(name: str) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, 6)
        x = cell(k, name, 3)(entry)
        x = k.layers.RepeatVector(6)(x)
        x = cell(k, name, 5, return_sequences=True)(x)
        return k.Model(entry, k.layers.TimeDistributed(k.layers.Dense(4))(x))

    return build


def _autoencoder_masked(k: Keras) -> Any:
    entry = sequence(k, 4, 5)
    x = k.layers.Masking()(entry)
    x = k.layers.LSTM(3)(x)
    x = k.layers.RepeatVector(5)(x)
    return k.Model(entry, k.layers.LSTM(4, return_sequences=True)(x))


def _autoencoder_deep(k: Keras) -> Any:
    entry = sequence(k, 4, 5)
    x = k.layers.LSTM(6, activation="relu", return_sequences=True)(entry)
    x = k.layers.LSTM(3, activation="relu")(x)
    x = k.layers.RepeatVector(5)(x)
    x = k.layers.LSTM(3, activation="relu", return_sequences=True)(x)
    x = k.layers.LSTM(6, activation="relu", return_sequences=True)(x)
    return k.Model(entry, k.layers.TimeDistributed(k.layers.Dense(4))(x))
