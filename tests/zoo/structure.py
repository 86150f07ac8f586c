"""How models are put together: nesting, sharing, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, state, tokens


def cases() -> Iterator[Case]:
    builders: dict[str, Callable[[Keras], Any]] = {
        "nested": _nested,
        "nested-twice": _nested_twice,
        "nested-deep": _nested_deep,
        "nested-sequential": _nested_sequential,
        "nested-several_outputs": _nested_several,
        "nested-rnn_with_states": _nested_states,
        "shared-layer": _shared_layer,
        "shared-embedding": _shared_embedding,
        "shared-rnn": _shared_rnn,
        "shared-bidirectional": _shared_bidirectional,
        "many_inputs": _many_inputs,
        "many_outputs": _many_outputs,
        "inner_output": _inner_output,
        "input_is_output": _input_is_output,
        "same_output_twice": _same_output_twice,
        "unused_branch": _unused_branch,
        "named_ports": _named_ports,
        "awkward_names": _awkward_names,
        "siamese": _siamese,
        "wide_and_deep": _wide_and_deep,
        "moved_tokens-padded": _moved_tokens("ZeroPadding1D", {"padding": (1, 2)}),
        "moved_tokens-doubled": _moved_tokens("UpSampling1D", {"size": 2}),
        "moved_tokens-turned": _moved_tokens("Permute", {"dims": (2, 1)}),
        "moved_tokens-repeated": _repeated_tokens,
    }
    keras2 = {
        "nested",
        "nested-twice",
        "nested-sequential",
        "shared-rnn",
        "shared-layer",
        "many_outputs",
        "siamese",
    }
    for name, build in builders.items():
        yield Case(name=name, build=build, generations=BOTH if name in keras2 else BOTH[:1])
    yield Case(name="nested-masked_inside", build=_masked_inside, gaps=Gaps.EMPTY_ROW)
    yield Case(name="nested-masked_outside", build=_masked_outside, gaps=Gaps.EMPTY_ROW)
    yield Case(name="shared-mask", build=_shared_mask, gaps=Gaps.HOLES)


def _inner_model(k: Keras) -> Any:
    entry = sequence(k, 4)
    x = k.layers.Dense(4, activation="tanh")(entry)
    return k.Model(entry, k.layers.GRU(4, return_sequences=True)(x))


def _nested(k: Keras) -> Any:
    entry = sequence(k, 4)
    return k.Model(entry, k.layers.Dense(2)(_inner_model(k)(entry)))


def _nested_twice(k: Keras) -> Any:
    inner = _inner_model(k)
    left, right = sequence(k, 4), sequence(k, 4)
    return k.Model([left, right], k.layers.Subtract()([inner(left), inner(inner(right))]))


def _nested_deep(k: Keras) -> Any:
    middle_entry = sequence(k, 4)
    middle = k.Model(middle_entry, k.layers.LSTM(4)(_inner_model(k)(middle_entry)))
    entry = sequence(k, 4)
    return k.Model(entry, k.layers.Dense(2)(middle(entry)))


def _nested_sequential(k: Keras) -> Any:
    return k.Sequential(
        [
            k.Input(batch_shape=(None, None, 4)),
            k.Sequential(
                [k.Input(batch_shape=(None, None, 4)), k.layers.LSTM(5, return_sequences=True)]
            ),
            k.Sequential([k.Input(batch_shape=(None, None, 5)), k.layers.GRU(3)]),
            k.layers.Dense(2),
        ]
    )


def _nested_several(k: Keras) -> Any:
    inner_left, inner_right = sequence(k, 4), sequence(k, 4)
    joined = k.layers.Concatenate()([inner_left, inner_right])
    inner = k.Model([inner_left, inner_right], [k.layers.GRU(3)(joined), k.layers.Dense(2)(joined)])
    left, right = sequence(k, 4), sequence(k, 4)
    summary, steps = inner([left, right])
    return k.Model([left, right], [steps, k.layers.Dense(2)(summary), summary])


def _nested_states(k: Keras) -> Any:
    inner_entry, inner_h = sequence(k, 4), state(k, 5)
    outputs = k.layers.GRU(5, return_sequences=True, return_state=True)(
        inner_entry, initial_state=inner_h
    )
    inner = k.Model([inner_entry, inner_h], list(outputs))
    entry, h = sequence(k, 4), state(k, 5)
    x, h1 = inner([entry, h])
    return k.Model([entry, h], [k.layers.Dense(2)(x), h1])


def _shared_layer(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    dense = k.layers.Dense(3, activation="tanh")
    return k.Model([left, right], k.layers.Multiply()([dense(left), dense(right)]))


def _shared_embedding(k: Keras) -> Any:
    left, right = tokens(k), tokens(k)
    table = k.layers.Embedding(11, 4)
    return k.Model(
        [left, right],
        [k.layers.GRU(3)(table(left)), k.layers.LSTM(3)(table(right))],
    )


def _shared_rnn(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    lstm = k.layers.LSTM(4)
    return k.Model([left, right], k.layers.Concatenate()([lstm(left), lstm(right)]))


def _shared_bidirectional(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    layer = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True))
    return k.Model([left, right], k.layers.Add()([layer(left), layer(right)]))


def _many_inputs(k: Keras) -> Any:
    text, sound, extra = tokens(k), sequence(k, 4), state(k, 3)
    x = k.layers.GRU(4)(k.layers.Embedding(11, 3)(text))
    y = k.layers.LSTM(4)(sound)
    joined = k.layers.Concatenate()([x, extra, y])
    return k.Model([text, sound, extra], k.layers.Dense(2)(joined))


def _many_outputs(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.LSTM(4, return_sequences=True)(entry)
    label = k.layers.Dense(3, activation="softmax", name="label")(k.layers.GRU(4)(x))
    tags = k.layers.Dense(2, activation="sigmoid", name="tags")(x)
    return k.Model(entry, [label, tags])


def _inner_output(k: Keras) -> Any:
    """An output that other layers read too."""
    entry = sequence(k)
    x = k.layers.GRU(4, return_sequences=True)(entry)
    y = k.layers.Dense(3)(x)
    return k.Model(entry, [x, y, k.layers.LSTM(2)(y)])


def _input_is_output(k: Keras) -> Any:
    entry = sequence(k)
    return k.Model(entry, [entry, k.layers.GRU(3)(entry)])


def _same_output_twice(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.GRU(3)(entry)
    return k.Model(entry, [x, x])


def _unused_branch(k: Keras) -> Any:
    entry = sequence(k)
    x, _ = k.layers.GRU(4, return_sequences=True, return_state=True)(entry)
    k.layers.Dense(7)(x)
    return k.Model(entry, k.layers.Dense(2)(x))


def _named_ports(k: Keras) -> Any:
    frames = k.Input(batch_shape=(None, None, 4), name="frames")
    x = k.layers.GRU(4, name="memory")(frames)
    return k.Model(frames, k.layers.Dense(2, name="scores")(x), name="named")


def _awkward_names(k: Keras) -> Any:
    """Names as people write them: blanks, brackets, dots, letters beyond ASCII."""
    frames = k.Input(batch_shape=(None, None, 4), name="frames (10 ms)")
    x = k.layers.GRU(4, name="Gedächtnis.1")(frames)
    return k.Model(frames, k.layers.Dense(2, name="scores [log]")(x))


def _siamese(k: Keras) -> Any:
    entry = tokens(k)
    x = k.layers.Embedding(11, 4, mask_zero=True)(entry)
    encoder = k.Model(entry, k.layers.LSTM(5)(x))
    left, right = tokens(k), tokens(k)
    encoded = [encoder(left), encoder(right)]
    distance = k.layers.Subtract()(encoded)
    return k.Model([left, right], k.layers.Dense(1, activation="sigmoid")(distance))


def _wide_and_deep(k: Keras) -> Any:
    entry = sequence(k, 4, 6)
    fine = k.layers.GRU(4)(entry)
    coarse = k.layers.GRU(3)(k.layers.AveragePooling1D(2)(entry))
    linear = k.layers.Dense(3)(k.layers.Flatten()(entry))
    deep = k.layers.Dense(3)(k.layers.Concatenate()([fine, coarse]))
    return k.Model(entry, k.layers.Add()([linear, deep]))


def _masked_inside(k: Keras) -> Any:
    """The mask made in the inner model; what leaves it decides Keras."""
    inner_entry = sequence(k, 4)
    x = k.layers.Masking()(inner_entry)
    inner = k.Model(inner_entry, k.layers.GRU(4, return_sequences=True)(x))
    entry = sequence(k, 4)
    return k.Model(entry, k.layers.LSTM(3)(inner(entry)))


def _masked_outside(k: Keras) -> Any:
    """The mask made outside; whether it gets in decides Keras."""
    inner = _inner_model(k)
    entry = sequence(k, 4)
    x = k.layers.Masking()(entry)
    return k.Model(entry, k.layers.LSTM(3)(inner(x)))


def _shared_mask(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.Masking()(entry)
    forward = k.layers.GRU(4)(x)
    backward = k.layers.LSTM(4, go_backwards=True)(x)
    return k.Model(entry, k.layers.Add()([forward, backward]))


def _moved_tokens(kind: str, options: dict[str, Any]) -> Callable[[Keras], Any]:
    """Several tokens a step, moved about before they are looked up."""

    def build(k: Keras) -> Any:
        entry = k.Input((5, 3), dtype="int32")
        rows = k.layers.Embedding(11, 2)(getattr(k.layers, kind)(**options)(entry))
        return k.Model(entry, k.layers.GRU(4)(k.layers.TimeDistributed(k.layers.Flatten())(rows)))

    return build


def _repeated_tokens(k: Keras) -> Any:
    entry = tokens(k, 5)
    rows = k.layers.Embedding(11, 2)(k.layers.RepeatVector(3)(entry))
    return k.Model(entry, k.layers.GRU(4)(k.layers.TimeDistributed(k.layers.Flatten())(rows)))
