"""Layers and models applied to each step of a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence


def cases() -> Iterator[Case]:
    builders = {
        "dense": _td_dense,
        "dense_masked": _td_masked,
        "conv1d": _td_conv,
        "nested": _td_nested,
        "lstm": _td_recurrent,
        "flatten": _td_flatten,
        "normalization": _td_normalization,
        "sequential_two_dense": _td_sequential,
        "embedding": _td_embedding,
        "dropout": _td_dropout,
    }
    for what, build in builders.items():
        gaps = Gaps.HOLES if "masked" in what else Gaps.NONE
        twice = BOTH if what in {"dense", "conv1d", "nested", "lstm"} else BOTH[:1]
        yield Case(name=f"time_distributed-{what}", build=build, gaps=gaps, generations=twice)
    yield Case(name="time_distributed-one_step", build=_td_dense, steps=1, batch=1)
    yield Case(name="time_distributed-fixed_time", build=_td_fixed)


def _td_dense(k: Keras) -> Any:
    entry = sequence(k)
    return k.Model(entry, k.layers.TimeDistributed(k.layers.Dense(3, activation="tanh"))(entry))


def _td_masked(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.Masking()(entry)
    x = k.layers.TimeDistributed(k.layers.Dense(3))(x)
    return k.Model(entry, k.layers.GRU(4, return_sequences=True)(x))


def _td_conv(k: Keras) -> Any:
    """Several sub-sequences a sample: a convolution in each, a recurrent layer over them."""
    entry = k.Input(batch_shape=(None, None, 6, 3))
    x = k.layers.TimeDistributed(k.layers.Conv1D(4, 3, activation="relu"))(entry)
    x = k.layers.TimeDistributed(k.layers.MaxPooling1D(2))(x)
    x = k.layers.TimeDistributed(k.layers.Flatten())(x)
    return k.Model(entry, k.layers.LSTM(5)(x))


def _td_nested(k: Keras) -> Any:
    inner_entry = k.Input(batch_shape=(None, 6, 3))
    x = k.layers.Conv1D(4, 2, activation="relu")(inner_entry)
    x = k.layers.GlobalMaxPooling1D()(x)
    inner = k.Model(inner_entry, k.layers.Dense(3)(x))
    entry = k.Input(batch_shape=(None, None, 6, 3))
    x = k.layers.TimeDistributed(inner)(entry)
    return k.Model(entry, k.layers.GRU(4)(x))


def _td_recurrent(k: Keras) -> Any:
    entry = k.Input(batch_shape=(None, None, 6, 3))
    x = k.layers.TimeDistributed(k.layers.LSTM(4))(entry)
    return k.Model(entry, k.layers.GRU(5, return_sequences=True)(x))


def _td_flatten(k: Keras) -> Any:
    entry = k.Input(batch_shape=(None, None, 3, 2))
    return k.Model(entry, k.layers.LSTM(4)(k.layers.TimeDistributed(k.layers.Flatten())(entry)))


def _td_normalization(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.TimeDistributed(k.layers.BatchNormalization())(entry)
    return k.Model(entry, k.layers.TimeDistributed(k.layers.LayerNormalization())(x))


def _td_sequential(k: Keras) -> Any:
    inner = k.Sequential(
        [k.Input(batch_shape=(None, 4)), k.layers.Dense(5, activation="relu"), k.layers.Dense(2)]
    )
    entry = sequence(k)
    return k.Model(entry, k.layers.TimeDistributed(inner)(entry))


def _td_embedding(k: Keras) -> Any:
    """Words of characters: [B, words, characters] tokens."""
    entry = k.Input(batch_shape=(None, None, 4), dtype="int32")
    x = k.layers.TimeDistributed(k.layers.Embedding(11, 3))(entry)
    x = k.layers.TimeDistributed(k.layers.GRU(4))(x)
    return k.Model(entry, k.layers.LSTM(5, return_sequences=True)(x))


def _td_dropout(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.TimeDistributed(k.layers.Dropout(0.5))(entry)
    x = k.layers.TimeDistributed(k.layers.Activation("relu"))(x)
    return k.Model(entry, k.layers.TimeDistributed(k.layers.Dense(2))(x))


def _td_fixed(k: Keras) -> Any:
    entry = k.Input(batch_shape=(None, 5, 4))
    x = k.layers.TimeDistributed(k.layers.Dense(3))(entry)
    return k.Model(entry, k.layers.Flatten()(x))
