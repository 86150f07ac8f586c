"""How layers are joined: merges, attention, nesting, sharing, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, state, tokens

MERGES: Final = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def cases() -> Iterator[Case]:
    yield from _merges()
    yield from _attention()
    yield from _structures()
    yield from _operations()


def _merges() -> Iterator[Case]:
    for kind in MERGES:
        yield Case(
            name=f"merge-{kind}",
            build=_merge(kind),
            generations=BOTH if kind in {"Subtract", "Average", "Concatenate"} else BOTH[:1],
        )
        yield Case(name=f"merge-{kind}-masked", build=_masked_merge(kind), gaps=Gaps.HOLES)
    yield Case(name="merge-three", build=_merge_three)
    yield Case(name="merge-broadcast", build=_broadcast)
    yield Case(name="merge-over_time", build=_concatenate_time, generations=BOTH)
    yield Case(name="merge-over_time-masked", build=_concatenate_masked, gaps=Gaps.HOLES)
    yield Case(name="merge-one_masked", build=_one_masked, gaps=Gaps.HOLES)
    yield Case(name="merge-vectors", build=_vectors)
    for axes, normalize in ((1, False), (2, False), ((1, 2), False), ((2, 1), True), (2, True)):
        yield Case(
            name=f"dot-{axes}{'-normalize' if normalize else ''}",
            build=_dot(axes, normalize),
            generations=BOTH if axes == 2 else BOTH[:1],
            steps=4,
        )
    yield Case(name="dot-vectors", build=_dot_vectors(normalize=False), generations=BOTH)
    yield Case(name="dot-cosine", build=_dot_vectors(normalize=True))


def _attention() -> Iterator[Case]:
    yield Case(name="attention", build=_attention_layer(), generations=BOTH)
    yield Case(name="attention-own_key", build=_attention_own_key)
    yield Case(name="attention-scale", build=_attention_layer(use_scale=True))
    yield Case(name="attention-causal", build=_attention_causal)
    yield Case(name="attention-self", build=_self_attention, steps=6)
    yield Case(name="attention-masked", build=_attention_masked, gaps=Gaps.RIGHT, generations=BOTH)
    yield Case(name="attention-masked_holes", build=_attention_masked, gaps=Gaps.HOLES)
    yield Case(name="attention-masked_empty_row", build=_attention_masked, gaps=Gaps.EMPTY_ROW)
    yield Case(name="attention-concat_score", build=_attention_layer(score_mode="concat"))
    yield Case(name="attention-additive", build=_additive_attention)
    yield Case(name="attention-multi_head", build=_multi_head)
    yield Case(name="attention-by_hand", build=_attention_by_hand, steps=5)


def _structures() -> Iterator[Case]:
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


def _operations() -> Iterator[Case]:
    """Operators on Keras tensors, as people write them between layers."""
    builders: dict[str, Callable[[Keras], Any]] = {
        "last_step": lambda x: x[:, -1, :],
        "first_step": lambda x: x[:, 0],
        "tail": lambda x: x[:, 1:],
        "every_other": lambda x: x[:, ::2, :],
        "features": lambda x: x[:, :, 1:3],
        "add": lambda x: x + x,
        "subtract": lambda x: x - x * x,
        "scale": lambda x: x * 0.5,
        "shift": lambda x: x + 1.5,
        "one_minus": lambda x: 1.0 - x,
        "divide": lambda x: x / 4.0,
        "negate": lambda x: -x,
    }
    for name, operation in builders.items():
        yield Case(name=f"operator-{name}", build=_operator(operation))
    yield Case(name="operator-mean_over_time", build=_mean_over_time)
    yield Case(name="operator-relu", build=_ops_relu)
    yield Case(name="operator-concatenate", build=_ops_concatenate)
    yield Case(name="operator-swap_axes", build=_ops_transpose)


def _merge(kind: str) -> Any:
    def build(k: Keras) -> Any:
        left, right = sequence(k), sequence(k)
        return k.Model([left, right], getattr(k.layers, kind)()([left, right]))

    return build


def _masked_merge(kind: str) -> Any:
    """Both branches carry a mask; a recurrent layer behind shows what is left of them."""

    def build(k: Keras) -> Any:
        left, right = sequence(k), sequence(k)
        masked = [k.layers.Masking()(left), k.layers.Masking()(right)]
        merged = getattr(k.layers, kind)()(masked)
        return k.Model([left, right], k.layers.GRU(4, return_sequences=True)(merged))

    return build


def _merge_three(k: Keras) -> Any:
    entries = [sequence(k) for _ in range(3)]
    added = k.layers.Add()(entries)
    average = k.layers.Average()(entries)
    return k.Model(entries, k.layers.Concatenate()([added, average, *entries]))


def _broadcast(k: Keras) -> Any:
    left, right = sequence(k, 4, 5), sequence(k, 4, 1)
    return k.Model([left, right], k.layers.Multiply()([left, right]))


def _concatenate_time(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    joined = k.layers.Concatenate(axis=1)([left, right])
    return k.Model([left, right], k.layers.LSTM(4)(joined))


def _concatenate_masked(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    joined = k.layers.Concatenate(axis=1)([k.layers.Masking()(left), k.layers.Masking()(right)])
    return k.Model([left, right], k.layers.LSTM(4, return_sequences=True)(joined))


def _one_masked(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    joined = k.layers.Concatenate()([k.layers.Masking()(left), right])
    return k.Model([left, right], k.layers.GRU(4)(joined))


def _vectors(k: Keras) -> Any:
    left, right = state(k, 4), state(k, 4)
    added = k.layers.Add()([left, right])
    return k.Model([left, right], k.layers.Concatenate()([added, left, right]))


def _dot(axes: Any, normalize: bool) -> Any:
    def build(k: Keras) -> Any:
        left, right = sequence(k, 4, 4), sequence(k, 4, 4)
        return k.Model([left, right], k.layers.Dot(axes=axes, normalize=normalize)([left, right]))

    return build


def _dot_vectors(*, normalize: bool) -> Any:
    def build(k: Keras) -> Any:
        left, right = state(k, 5), state(k, 5)
        return k.Model([left, right], k.layers.Dot(axes=1, normalize=normalize)([left, right]))

    return build


def _attention_layer(**options: Any) -> Any:
    def build(k: Keras) -> Any:
        query, value = sequence(k, 4), sequence(k, 4)
        return k.Model([query, value], k.layers.Attention(**options)([query, value]))

    return build


def _attention_own_key(k: Keras) -> Any:
    query, value, key = sequence(k, 4), sequence(k, 3), sequence(k, 4)
    return k.Model([query, value, key], k.layers.Attention()([query, value, key]))


def _attention_causal(k: Keras) -> Any:
    entry = sequence(k, 4, 5)
    return k.Model(entry, k.layers.Attention()([entry, entry], use_causal_mask=True))


def _self_attention(k: Keras) -> Any:
    entry = sequence(k, 4)
    x = k.layers.LSTM(5, return_sequences=True)(entry)
    x = k.layers.Attention()([x, x])
    return k.Model(entry, k.layers.GlobalAveragePooling1D()(x))


def _attention_masked(k: Keras) -> Any:
    source, target = tokens(k), tokens(k)
    value = k.layers.Embedding(11, 5, mask_zero=True)(source)
    query = k.layers.Embedding(11, 5, mask_zero=True)(target)
    return k.Model([source, target], k.layers.Attention()([query, value]))


def _additive_attention(k: Keras) -> Any:
    query, value = sequence(k, 4), sequence(k, 4)
    return k.Model([query, value], k.layers.AdditiveAttention()([query, value]))


def _multi_head(k: Keras) -> Any:
    entry = sequence(k, 4, 5)
    layer = k.layers.MultiHeadAttention(num_heads=2, key_dim=3)
    return k.Model(entry, layer(entry, entry))


def _attention_by_hand(k: Keras) -> Any:
    """Scores from a Dense layer, softmax over time, weighted sum by Dot."""
    entry = sequence(k, 4, 5)
    x = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True))(entry)
    scores = k.layers.Dense(1, activation="tanh")(x)
    weights = k.layers.Activation("softmax")(k.layers.Flatten()(scores))
    return k.Model(entry, k.layers.Dot(axes=1)([weights, x]))


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


def _operator(operation: Callable[[Any], Any]) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, 5)
        x = k.layers.GRU(4, return_sequences=True)(entry)
        return k.Model(entry, operation(x))

    return build


def _mean_over_time(k: Keras) -> Any:
    entry = sequence(k)
    return k.Model(entry, k.ops.mean(entry, axis=1))


def _ops_relu(k: Keras) -> Any:
    entry = sequence(k)
    return k.Model(entry, k.ops.relu(entry))


def _ops_concatenate(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    return k.Model([left, right], k.ops.concatenate([left, right], axis=-1))


def _ops_transpose(k: Keras) -> Any:
    entry = sequence(k, 4, 5)
    return k.Model(entry, k.ops.transpose(entry, (0, 2, 1)))
