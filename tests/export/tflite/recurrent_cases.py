"""Recurrent layers with every option, alone and in stacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    RELU,
    SOFTMAX,
    Concatenate,
    Dense,
    Input,
    Layer,
    Recurrent,
    Reverse,
    TensorSpec,
)
from tests.export.tflite.models import (
    BATCH,
    CELLS,
    FEATURES,
    STEPS,
    UNITS,
    Case,
    case,
    floats,
    gru,
    lstm,
    mask_input,
    rnn,
    row,
    sequence,
    single,
    weights,
)


def recurrent_cases() -> Iterator[tuple[str, Case]]:
    for cell, make in CELLS.items():
        for sequences in (False, True):
            options: dict[str, Any] = {"return_sequences": sequences}
            suffix = " sequences" if sequences else ""
            yield f"{cell}{suffix}", single(make("r", "x", **options))
            yield f"{cell} backwards{suffix}", single(make("r", "x", go_backwards=True, **options))
            for zero in (False, True):
                masked = {"mask": "m", "zero_output_for_mask": zero, **options}
                kind = f"{' zeros' if zero else ''}{suffix}"
                inputs = [sequence(), mask_input()]
                yield f"{cell} masked{kind}", single(make("r", "x", **masked), *inputs)
                yield (
                    f"{cell} masked backwards{kind}",
                    single(make("r", "x", go_backwards=True, **masked), *inputs),
                )
                yield f"{cell} masked with state{kind}", _with_states(cell, **masked)
            yield f"{cell} with state{suffix}", _with_states(cell, **options)
        yield f"{cell} one step", _one_step(cell)
        yield f"{cell} without bias", single(replace(make("r", "x"), **_NO_BIAS[cell]))
        yield f"{cell} fixed batch", _fixed(make("r", "x", return_sequences=True))
        relu = replace(make("r", "x"), activation=RELU)
        yield f"{cell} relu", single(relu)
    yield "gru reset before", single(gru("r", "x", reset_after=False))
    yield (
        "gru reset before sequences",
        single(gru("r", "x", reset_after=False, return_sequences=True)),
    )
    for kind, activation in {"2": HARD_SIGMOID_KERAS2, "3": HARD_SIGMOID_KERAS3}.items():
        yield f"lstm hard sigmoid {kind}", single(lstm("r", "x", recurrent_activation=activation))
        yield f"gru hard sigmoid {kind}", single(gru("r", "x", recurrent_activation=activation))


_NO_BIAS: dict[str, dict[str, Any]] = {
    "gru": {"bias": None, "recurrent_bias": None},
    "lstm": {"bias": None},
    "rnn": {"bias": None},
}


def _with_states(cell: str, **options: Any) -> Case:
    inputs = [sequence(), row("h0")]
    if options.get("mask"):
        inputs.append(mask_input())
    if cell == "lstm":
        options["initial_c"] = "c0"
        inputs.append(row("c0"))
    layer = CELLS[cell]("r", "x", initial_h="h0", **options)
    return case(inputs, [layer], *layer.writes)


def _one_step(cell: str) -> Case:
    """A streaming model: time is 1 and the state comes from outside."""
    options = {"initial_c": "c0"} if cell == "lstm" else {}
    extra = [row("c0")] if cell == "lstm" else []
    layer = CELLS[cell]("r", "x", initial_h="h0", return_sequences=True, **options)
    return case([sequence(steps=1), row("h0"), *extra], [layer], *layer.writes)


def _fixed(layer: Recurrent) -> Case:
    fixed = Input(name="x", spec=TensorSpec(shape=(2, STEPS, FEATURES)))
    return case([fixed], [layer], *layer.writes)


def stack_cases() -> Iterator[tuple[str, Case]]:
    for cell, make in CELLS.items():
        bottom = make("a", "x", return_sequences=True)
        for sequences in (False, True):
            top = make("b", "a.y", features=UNITS, units=9, return_sequences=sequences)
            suffix = " sequences" if sequences else ""
            yield f"{cell} stack{suffix}", case([sequence()], [bottom, top], *top.writes)
        masked = [replace(layer, mask="m") for layer in (bottom, top)]
        yield f"{cell} masked stack", case([sequence(), mask_input()], masked, *masked[1].writes)
        yield (
            f"{cell} stack read in the middle",
            case([sequence()], [bottom, top], *bottom.writes, *top.writes),
        )
        backwards = [replace(bottom, go_backwards=True), top]
        yield f"{cell} stack backwards", case([sequence()], backwards, *top.writes)
        up_only = [bottom, replace(top, go_backwards=True)]
        yield f"{cell} stack turned round", case([sequence()], up_only, *top.writes)
        step = Input(name="x", spec=TensorSpec(shape=(None, 1, FEATURES)))
        yield f"{cell} stack of one step", case([step], [bottom, top], *top.writes)
    yield from _long_cases()
    yield "mixed stack", _mixed_stack()
    yield "bidirectional", _bidirectional()
    yield "encoder decoder", _encoder_decoder()
    yield "stacks in each other's way", _crossed_stacks()
    yield (
        "reset before on top",
        case(
            [sequence()],
            [
                lstm("a", "x", return_sequences=True),
                gru("b", "a.y", UNITS, reset_after=False),
            ],
            "b.y",
        ),
    )


def _long_cases() -> Iterator[tuple[str, Case]]:
    """Sequences of many chunks, the last of them short, full or a single step."""
    for steps in (48, 49, 60, 61):
        for free in (False, True):
            x = sequence(steps=None if free else steps)
            layers: list[Layer] = [
                lstm("a", "x", return_sequences=True, go_backwards=steps % 2 == 0),
                gru("b", "a.y", UNITS, mask="m", return_sequences=True),
            ]
            made = case([x, mask_input()], layers, "a.y", "b.y", "a.c")
            made.inputs["x"] = floats(BATCH, steps, FEATURES)
            made.inputs["m"] = floats(BATCH, steps) > 0
            yield f"{steps} {'free ' if free else ''}steps", made
    wide: list[Layer] = [
        gru("a", "x", FEATURES, 200, return_sequences=True),
        gru("b", "a.y", 200, 200),
    ]
    yield "stack too wide for one loop", case([sequence()], wide, "b.y")


def _mixed_stack() -> Case:
    layers: list[Layer] = [
        gru("a", "x", return_sequences=True),
        lstm("b", "a.y", UNITS, 4, return_sequences=True),
        rnn("c", "b.y", 4, 20, return_sequences=True),
        Dense(name="d", input="c.y", output="y", kernel=weights(20, 3), bias=floats(3)),
    ]
    return case([sequence()], layers, "y", "a.h", "b.c")


def _bidirectional() -> Case:
    layers: list[Layer] = [
        gru("f", "x", return_sequences=True),
        gru("b", "x", return_sequences=True, go_backwards=True),
        Reverse(name="flip", input="b.y", output="b.flipped"),
        Concatenate(name="both", inputs=("f.y", "b.flipped"), output="y"),
    ]
    return case([sequence()], layers, "y")


def _encoder_decoder() -> Case:
    layers: list[Layer] = [
        lstm("e", "x"),
        lstm("d", "z", initial_h="e.h", initial_c="e.c", return_sequences=True),
        Dense(
            name="p", input="d.y", output="y", kernel=weights(UNITS, 4), bias=None,
            activation=SOFTMAX,
        ),
    ]  # fmt: skip
    return case([sequence(), sequence("z", steps=4)], layers, "y")


def _crossed_stacks() -> Case:
    """The upper layer of each stack starts from the lower one's state of the other stack."""
    layers: list[Layer] = [
        gru("a", "x", return_sequences=True),
        gru("b", "x", return_sequences=True),
        gru("a2", "a.y", UNITS, initial_h="b.h"),
        gru("b2", "b.y", UNITS, initial_h="a.h"),
    ]
    return case([sequence()], layers, "a2.y", "b2.y")
