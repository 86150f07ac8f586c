"""Bidirectional layers: merge modes, masks, states, unlike halves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, state, tokens
from tests.zoo.recurrent import CELLS, STATES, as_list, cell


def cases() -> Iterator[Case]:
    modes = ("concat", "sum", "mul", "ave", None)
    for name, mode, sequences in product(("gru", "lstm"), modes, (False, True)):
        what = "sequences" if sequences else "last"
        yield Case(
            name=f"bidirectional-{name}-{mode}-{what}",
            build=_bidirectional(name, mode, return_sequences=sequences),
            generations=BOTH if name == "lstm" and mode != "mul" else BOTH[:1],
        )
    for name, sequences in product(CELLS, (False, True)):
        what = "sequences" if sequences else "last"
        yield Case(
            name=f"bidirectional-{name}-masked-{what}",
            build=_bidirectional(name, "concat", masked=True, return_sequences=sequences),
            gaps=Gaps.EMPTY_ROW,
            generations=BOTH if name == "gru" else BOTH[:1],
        )
        yield Case(
            name=f"bidirectional-{name}-return_state-{what}",
            build=_bidirectional(name, "sum", return_sequences=sequences, return_state=True),
        )
        yield Case(
            name=f"bidirectional-{name}-masked-unrolled-{what}",
            build=_bidirectional(
                name, "concat", masked=True, return_sequences=sequences, unroll=True, steps=5
            ),
            gaps=Gaps.EMPTY_ROW,
            generations=BOTH if name == "gru" else BOTH[:1],
            steps=5,
        )
    for name in ("simple_rnn", "gru_reset_before"):
        yield Case(name=f"bidirectional-{name}", build=_bidirectional(name, "concat"))
    for name, gaps in product(("gru", "lstm"), (Gaps.LEFT, Gaps.RIGHT)):
        yield Case(
            name=f"bidirectional-{name}-masked_{gaps.value}",
            build=_bidirectional(name, "ave", masked=True, return_sequences=True),
            gaps=gaps,
        )
    for name in ("gru", "lstm"):
        yield Case(
            name=f"bidirectional-{name}-initial_state",
            build=_initial_state(name),
            generations=BOTH,
        )
        yield Case(
            name=f"bidirectional-{name}-stateful",
            build=_bidirectional(name, "concat", batch=2, steps=4, stateful=True),
            batch=2,
            calls=2,
        )
        yield Case(
            name=f"bidirectional-{name}-one_step",
            build=_bidirectional(name, "concat", return_sequences=True),
            steps=1,
        )
    yield Case(
        name="bidirectional-lstm-masked-zero_output_for_mask",
        build=_bidirectional(
            "lstm", "concat", masked=True, return_sequences=True, zero_output_for_mask=True
        ),
        gaps=Gaps.HOLES,
    )
    yield Case(name="bidirectional-unlike_halves", build=_unlike_halves, generations=BOTH)
    yield Case(name="bidirectional-stack", build=_stack, generations=BOTH)
    yield Case(name="bidirectional-stack-masked", build=_masked_stack, gaps=Gaps.EMPTY_ROW)
    yield Case(
        name="bidirectional-tagger", build=_tagger, gaps=Gaps.RIGHT, generations=BOTH, steps=7
    )


def _bidirectional(
    name: str,
    mode: str | None,
    *,
    masked: bool = False,
    batch: int | None = None,
    steps: int | None = None,
    **options: Any,
) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, steps, batch)
        valid = k.layers.Masking()(entry) if masked else entry
        layer = k.layers.Bidirectional(cell(k, name, 3, **options), merge_mode=mode)
        return k.Model(entry, as_list(layer(valid)))

    return build


def _initial_state(name: str) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k)
        states = [state(k, 3) for _ in range(2 * STATES[name])]
        layer = k.layers.Bidirectional(cell(k, name, 3, return_sequences=True))
        return k.Model([entry, *states], layer(entry, initial_state=states))

    return build


def _unlike_halves(k: Keras) -> Any:
    entry = sequence(k)
    layer = k.layers.Bidirectional(
        k.layers.GRU(3, return_sequences=True),
        backward_layer=k.layers.LSTM(4, return_sequences=True, go_backwards=True),
    )
    return k.Model(entry, layer(entry))


def _stack(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))(entry)
    x = k.layers.Bidirectional(k.layers.GRU(4), merge_mode="sum")(x)
    return k.Model(entry, k.layers.Dense(2, activation="softmax")(x))


def _masked_stack(k: Keras) -> Any:
    entry = tokens(k)
    x = k.layers.Embedding(11, 5, mask_zero=True)(entry)
    x = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True))(x)
    x = k.layers.Bidirectional(k.layers.LSTM(4))(x)
    return k.Model(entry, k.layers.Dense(2)(x))


def _tagger(k: Keras) -> Any:
    entry = tokens(k)
    x = k.layers.Embedding(11, 5, mask_zero=True)(entry)
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(x)
    return k.Model(entry, k.layers.TimeDistributed(k.layers.Dense(3, activation="softmax"))(x))
