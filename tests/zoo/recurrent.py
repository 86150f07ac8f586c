"""Cells alone: every option of GRU, LSTM and SimpleRNN."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, Final

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, state, tokens

CELLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "gru": ("GRU", {}),
    "gru_reset_before": ("GRU", {"reset_after": False}),
    "lstm": ("LSTM", {}),
    "simple_rnn": ("SimpleRNN", {}),
}
#: Per cell: how many states it takes and gives.
STATES: Final = {"gru": 1, "gru_reset_before": 1, "lstm": 2, "simple_rnn": 1}

ACTIVATIONS: Final = (
    "sigmoid",
    "hard_sigmoid",
    "relu",
    "linear",
    "softsign",
    "softplus",
    "elu",
    "selu",
    "gelu",
    "silu",
    "exponential",
    "mish",
    "softmax",
)
RECURRENT_ACTIVATIONS: Final = ("hard_sigmoid", "tanh", "relu", "linear", "softsign", "softmax")


def cell(k: Keras, name: str, units: int = 5, **options: Any) -> Any:
    class_name, fixed = CELLS[name]
    return getattr(k.layers, class_name)(units, **fixed, **options)


def as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def cases() -> Iterator[Case]:
    yield from _options()
    yield from _activations()
    yield from _masks()
    yield from _states()
    yield from _times()


def _options() -> Iterator[Case]:
    flags = ("return_sequences", "return_state", "go_backwards")
    for name, values in product(CELLS, product((False, True), repeat=3)):
        options = dict(zip(flags, values, strict=True))
        chosen = [flag for flag, value in options.items() if value]
        yield Case(
            name="-".join((name, *chosen)) if chosen else f"{name}-last",
            build=_single(name, **options),
            generations=BOTH if options["return_state"] != options["go_backwards"] else BOTH[:1],
        )
    for name in CELLS:
        yield Case(name=f"{name}-no_bias", build=_single(name, use_bias=False), generations=BOTH)
        yield Case(name=f"{name}-dropout", build=_single(name, dropout=0.3, recurrent_dropout=0.2))
        yield Case(name=f"{name}-unroll", build=_single(name, steps=4, unroll=True))
        yield Case(name=f"{name}-one_unit", build=_single(name, units=1, return_sequences=True))


def _activations() -> Iterator[Case]:
    for name, activation in product(("gru", "lstm", "simple_rnn"), ACTIVATIONS):
        yield Case(
            name=f"{name}-activation_{activation}",
            build=_single(name, activation=activation, return_sequences=True),
            steps=2 if activation == "exponential" else 5,  # exp of exp of exp
        )
    for name, activation in product(("gru", "lstm"), RECURRENT_ACTIVATIONS):
        yield Case(
            name=f"{name}-recurrent_activation_{activation}",
            build=_single(name, recurrent_activation=activation, return_sequences=True),
            generations=BOTH if activation == "hard_sigmoid" else BOTH[:1],
        )
    for activation in ("relu", "hard_sigmoid"):
        yield Case(
            name=f"gru_reset_before-activation_{activation}",
            build=_single("gru_reset_before", activation=activation, return_sequences=True),
        )
    yield Case(
        name="lstm-all_hard_sigmoid",
        build=_single("lstm", activation="hard_sigmoid", recurrent_activation="hard_sigmoid"),
        generations=BOTH,
    )
    yield Case(
        name="gru-no_activation",
        build=_single("gru", activation=None, recurrent_activation=None),
        steps=2,
    )


def _masks() -> Iterator[Case]:
    patterns = (Gaps.HOLES, Gaps.LEFT, Gaps.RIGHT, Gaps.EMPTY_ROW)
    for name, gaps, sequences in product(CELLS, patterns, (False, True)):
        what = "sequences" if sequences else "last"
        yield Case(
            name=f"{name}-masked_{gaps.value}-{what}",
            build=_single(name, masked=True, return_sequences=sequences, return_state=sequences),
            gaps=gaps,
            generations=BOTH if gaps is Gaps.HOLES else BOTH[:1],
        )
    for name, gaps, sequences in product(CELLS, (Gaps.HOLES, Gaps.EMPTY_ROW), (False, True)):
        what = "sequences" if sequences else "last"
        yield Case(
            name=f"{name}-zero_output_for_mask-{gaps.value}-{what}",
            build=_single(name, masked=True, return_sequences=sequences, zero_output_for_mask=True),
            gaps=gaps,
        )
    for name, sequences in product(CELLS, (False, True)):
        yield Case(
            name=f"{name}-masked-go_backwards-{'sequences' if sequences else 'last'}",
            build=_single(
                name, masked=True, return_sequences=sequences, go_backwards=True, return_state=True
            ),
            gaps=Gaps.EMPTY_ROW,
        )
        yield Case(
            name=f"{name}-mask_zero-{'sequences' if sequences else 'last'}",
            build=_embedded(name, return_sequences=sequences),
            gaps=Gaps.EMPTY_ROW,
            generations=BOTH if sequences else BOTH[:1],
        )
    for name in CELLS:
        yield Case(
            name=f"{name}-masked-unroll",
            build=_single(name, masked=True, steps=5, unroll=True, return_sequences=True),
            gaps=Gaps.HOLES,
        )
    yield Case(
        name="lstm-mask_value",
        build=_mask_value,
        gaps=Gaps.HOLES,
    )


def _states() -> Iterator[Case]:
    for name in CELLS:
        yield Case(name=f"{name}-initial_state", build=_initial_state(name), generations=BOTH)
        yield Case(
            name=f"{name}-initial_state-go_backwards",
            build=_initial_state(name, go_backwards=True),
        )
        yield Case(
            name=f"{name}-initial_state-masked",
            build=_initial_state(name, masked=True),
            gaps=Gaps.EMPTY_ROW,
            generations=BOTH,
        )
        yield Case(
            name=f"{name}-stateful",
            build=_single(name, batch=3, steps=4, stateful=True, return_sequences=True),
            calls=3,
            generations=BOTH,
        )
        yield Case(
            name=f"{name}-stateful-one_step",
            build=_single(name, batch=1, steps=1, stateful=True),
            batch=1,
            calls=4,
        )
        yield Case(
            name=f"{name}-stateful-masked",
            build=_single(name, batch=3, steps=5, stateful=True, masked=True),
            gaps=Gaps.EMPTY_ROW,
            calls=2,
        )
        yield Case(
            name=f"{name}-stateful-return_state",
            build=_single(name, batch=2, steps=3, stateful=True, return_state=True),
            batch=2,
            calls=2,
        )


def _times() -> Iterator[Case]:
    for name, sequences in product(CELLS, (False, True)):
        what = "sequences" if sequences else "last"
        yield Case(
            name=f"{name}-one_step-{what}",
            build=_single(name, return_sequences=sequences),
            steps=1,
        )
        yield Case(
            name=f"{name}-fixed_time-{what}",
            build=_single(name, steps=6, return_sequences=sequences),
            generations=BOTH if name == "gru" else BOTH[:1],
        )
        yield Case(
            name=f"{name}-fixed_one_step-{what}",
            build=_single(name, steps=1, return_sequences=sequences),
            batch=1,
        )
        yield Case(
            name=f"{name}-masked_one_step-{what}",
            build=_single(name, masked=True, return_sequences=sequences),
            gaps=Gaps.EMPTY_ROW,
            steps=1,
        )
        yield Case(
            name=f"{name}-nine_steps-{what}",
            build=_single(name, units=8, return_sequences=sequences),
            steps=9,
            batch=1,
        )


def _single(
    name: str,
    *,
    units: int = 5,
    masked: bool = False,
    batch: int | None = None,
    steps: int | None = None,
    **options: Any,
) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, steps, batch)
        valid = k.layers.Masking()(entry) if masked else entry
        return k.Model(entry, as_list(cell(k, name, units, **options)(valid)))

    return build


def _embedded(name: str, **options: Any) -> Any:
    def build(k: Keras) -> Any:
        entry = tokens(k)
        embedded = k.layers.Embedding(11, 6, mask_zero=True)(entry)
        return k.Model(entry, cell(k, name, **options)(embedded))

    return build


def _mask_value(k: Keras) -> Any:
    """Steps are masked where every feature is -1; the gaps (zeros) are moved there first."""
    entry = sequence(k)
    shifted = k.layers.Rescaling(2.0, offset=-1.0)(entry)
    valid = k.layers.Masking(mask_value=-1.0)(shifted)
    return k.Model(entry, k.layers.LSTM(5, return_sequences=True)(valid))


def _initial_state(name: str, *, masked: bool = False, **options: Any) -> Any:
    """A mask reaches the layer or not as Keras decides; the graph has to follow."""

    def build(k: Keras) -> Any:
        entry = sequence(k)
        states = [state(k, 5) for _ in range(STATES[name])]
        valid = k.layers.Masking()(entry) if masked else entry
        layer = cell(k, name, return_sequences=True, return_state=True, **options)
        return k.Model([entry, *states], as_list(layer(valid, initial_state=states)))

    return build
