"""Attention layers, and layers that people put between them: EinsumDense, GroupNormalization."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, tokens


def cases() -> Iterator[Case]:
    yield from _single_heads()
    yield from _additive()
    yield from _several_heads()
    yield from _einsum()
    yield from _groups()


def _single_heads() -> Iterator[Case]:
    yield Case(name="attention", build=_attention_layer(), generations=BOTH)
    yield Case(name="attention-own_key", build=_attention_own_key)
    yield Case(name="attention-scale", build=_attention_layer(use_scale=True))
    yield Case(name="attention-causal", build=_attention_causal())
    yield Case(name="attention-self", build=_self_attention, steps=6)
    yield Case(
        name="attention-masked", build=_attention_masked(), gaps=Gaps.RIGHT, generations=BOTH
    )
    yield Case(name="attention-masked_holes", build=_attention_masked(), gaps=Gaps.HOLES)
    yield Case(name="attention-masked_empty_row", build=_attention_masked(), gaps=Gaps.EMPTY_ROW)
    yield Case(name="attention-by_hand", build=_attention_by_hand, steps=5)


def _additive() -> Iterator[Case]:
    for use_scale in (False, True):
        name = "scaled" if use_scale else "plain"
        concat: dict[str, Any] = {"score_mode": "concat", "use_scale": use_scale}
        yield Case(
            name=f"attention-concat_score-{name}",
            build=_attention_layer(**concat),
            generations=BOTH,
        )
        yield Case(
            name=f"attention-additive-{name}",
            build=_attention_layer(kind="AdditiveAttention", use_scale=use_scale),
            generations=BOTH,
        )
    for gaps in (Gaps.HOLES, Gaps.EMPTY_ROW):
        yield Case(
            name=f"attention-additive-{gaps.value}",
            build=_attention_masked("AdditiveAttention"),
            gaps=gaps,
            generations=BOTH,
        )
    yield Case(name="attention-additive-causal", build=_attention_causal("AdditiveAttention"))


def _several_heads() -> Iterator[Case]:
    heads: dict[str, dict[str, Any]] = {
        "self": {},
        "one": {"num_heads": 1},
        "three_narrow": {"num_heads": 3, "key_dim": 2, "value_dim": 5},
        "no_bias": {"use_bias": False},
        "other_width": {"output_shape": 6},
        "two_axes": {"output_shape": (2, 3)},
        "dropout": {"dropout": 0.3},
    }
    for name, options in heads.items():
        is_new = name == "other_width"  # tf_keras saves no number here
        yield Case(
            name=f"heads-{name}",
            build=_self_heads(**options),
            generations=BOTH[:1] if is_new else BOTH,
        )
    yield Case(name="heads-gate", build=_self_heads(use_gate=True))
    yield Case(name="heads-causal", build=_self_heads(causal=True), generations=BOTH)
    yield Case(name="heads-causal-dropout", build=_self_heads(causal=True, dropout=0.1))
    yield Case(name="heads-causal-fixed", build=_self_heads(causal=True, steps=5))
    yield Case(name="heads-cross", build=_cross_heads, generations=BOTH)
    yield Case(name="heads-by_name", build=_heads_by_name)
    for gaps in (Gaps.HOLES, Gaps.RIGHT, Gaps.EMPTY_ROW):
        for dropout in (0.0, 0.2):
            yield Case(
                name=f"heads-masked-{gaps.value}-{'dropout' if dropout else 'plain'}",
                build=_masked_heads(dropout=dropout),
                gaps=gaps,
                generations=BOTH,
            )
    yield Case(name="heads-masked-causal", build=_masked_heads(causal=True), gaps=Gaps.RIGHT)
    yield Case(name="heads-blocks", build=_blocks(masked=False), generations=BOTH)
    yield Case(
        name="heads-blocks-masked", build=_blocks(masked=True), gaps=Gaps.HOLES, generations=BOTH
    )
    yield Case(name="heads-twice_on_one", build=_twice_on_one, gaps=Gaps.HOLES, generations=BOTH)


def _einsum() -> Iterator[Case]:
    sizes: dict[str, tuple[str, Any, Any, tuple[int | None, ...]]] = {
        "features": ("abc,cd->abd", (None, 5), "d", (None, 4)),
        "no_bias": ("abc,cd->abd", (None, 5), None, (None, 4)),
        "dots": ("...x,xy->...y", 5, "y", (None, 4)),
        "heads": ("abc,cde->abde", (None, 2, 3), "de", (None, 4)),
        "heads_turned": ("abc,cde->abed", (None, 3, 2), "ed", (None, 4)),
        "one_bias_of_two": ("abc,cde->abde", (None, 2, 3), "e", (None, 4)),
        "heads_together": ("abcd,cde->abe", (None, 5), "e", (None, 2, 3)),
        "over_time": ("abc,bd->adc", (6, 4), "c", (5, 4)),
        "over_time-bias": ("abc,bd->adc", (6, 4), "d", (5, 4)),
        "every_place": ("abc,cd->abd", (5, 3), "bd", (5, 4)),
    }
    for name, (equation, output, bias, shape) in sizes.items():
        yield Case(
            name=f"einsum-{name}",
            build=_einsum_layer(shape, equation=equation, output_shape=output, bias_axes=bias),
            generations=BOTH if name in {"features", "heads", "over_time"} else BOTH[:1],
        )
    yield Case(
        name="einsum-activation",
        build=_einsum_layer(
            (5, 4), equation="abc,bd->adc", output_shape=(6, 4), bias_axes="c", activation="relu"
        ),
    )


def _groups() -> Iterator[Case]:
    options: dict[str, tuple[dict[str, Any], tuple[int | None, ...]]] = {
        "two": ({"groups": 2}, (None, 4)),
        "two-fixed": ({"groups": 2}, (5, 4)),
        "each_channel": ({"groups": -1}, (5, 4)),
        "all": ({"groups": 1, "epsilon": 1e-2}, (5, 4)),
        "no_scale": ({"groups": 2, "scale": False}, (5, 4)),
        "neither": ({"groups": 2, "scale": False, "center": False}, (5, 4)),
        "rows": ({"groups": 3}, (4, 5, 6)),
        "steps": ({"groups": 5, "axis": 1}, (5, 4)),
        "vectors": ({"groups": 2}, (6,)),
    }
    for name, (given, shape) in options.items():
        yield Case(
            name=f"groups-{name}",
            build=_layer_on(shape, "GroupNormalization", **given),
            generations=BOTH if name in {"two-fixed", "rows"} else BOTH[:1],
        )


def _layer_on(shape: tuple[int | None, ...], kind: str, **options: Any) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        x = k.Input(shape)
        return k.Model(x, getattr(k.layers, kind)(**options)(x))

    return build


def _einsum_layer(shape: tuple[int | None, ...], **options: Any) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        x = k.Input(shape)
        return k.Model(x, k.layers.EinsumDense(**options)(x))

    return build


def _heads(k: Keras, **options: Any) -> Any:
    return k.layers.MultiHeadAttention(**{"num_heads": 2, "key_dim": 3, **options})


def _self_heads(
    *, causal: bool = False, steps: int | None = None, **options: Any
) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, steps)
        given = {"use_causal_mask": True} if causal else {}
        return k.Model(entry, _heads(k, **options)(entry, entry, **given))

    return build


def _cross_heads(k: Keras) -> Any:
    query, value, key = sequence(k, 4, 3), sequence(k, 5), sequence(k, 6)
    return k.Model([query, value, key], _heads(k)(query, value, key))


def _heads_by_name(k: Keras) -> Any:
    query, value = sequence(k, 4, 3), sequence(k, 5)
    return k.Model([query, value], _heads(k)(query=query, value=value))


def _masked_heads(*, causal: bool = False, dropout: float = 0.0) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        source, target = tokens(k), tokens(k)
        value = k.layers.Embedding(11, 5, mask_zero=True)(source)
        query = k.layers.Embedding(11, 4, mask_zero=True)(target)
        given = {"use_causal_mask": True} if causal else {}
        x = _heads(k, dropout=dropout)(query, value, **given)
        after = k.layers.GRU(3, return_sequences=True)(x)
        return k.Model([source, target], k.layers.Concatenate()([x, after]))

    return build


def _blocks(*, masked: bool) -> Callable[[Keras], Any]:
    """Two blocks of a transformer."""

    def build(k: Keras) -> Any:
        entry = tokens(k)
        x = k.layers.Embedding(11, 6, mask_zero=masked)(entry)
        for _ in range(2):
            x = k.layers.LayerNormalization()(k.layers.Add()([x, _heads(k)(x, x)]))
            wide = k.layers.Dense(6)(k.layers.Dense(8, activation="relu")(x))
            x = k.layers.LayerNormalization()(k.layers.Add()([x, wide]))
        return k.Model(entry, k.layers.GlobalAveragePooling1D()(x))

    return build


def _twice_on_one(k: Keras) -> Any:
    """Keras 3 takes the mask off what the first layer is given; the second finds none."""
    entry = tokens(k)
    x = k.layers.Embedding(11, 6, mask_zero=True)(entry)
    first = _heads(k)(x, x)
    second = _heads(k)(k.layers.Dense(4)(x), x)
    return k.Model(entry, k.layers.Concatenate()([first, second]))


def _attention_layer(kind: str = "Attention", **options: Any) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        query, value = sequence(k, 4), sequence(k, 4)
        return k.Model([query, value], getattr(k.layers, kind)(**options)([query, value]))

    return build


def _attention_own_key(k: Keras) -> Any:
    query, value, key = sequence(k, 4), sequence(k, 3), sequence(k, 4)
    return k.Model([query, value, key], k.layers.Attention()([query, value, key]))


def _attention_causal(kind: str = "Attention") -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, 5)
        layer = getattr(k.layers, kind)()
        return k.Model(entry, layer([entry, entry], use_causal_mask=True))

    return build


def _self_attention(k: Keras) -> Any:
    entry = sequence(k, 4)
    x = k.layers.LSTM(5, return_sequences=True)(entry)
    x = k.layers.Attention()([x, x])
    return k.Model(entry, k.layers.GlobalAveragePooling1D()(x))


def _attention_masked(kind: str = "Attention") -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        source, target = tokens(k), tokens(k)
        value = k.layers.Embedding(11, 5, mask_zero=True)(source)
        query = k.layers.Embedding(11, 5, mask_zero=True)(target)
        return k.Model([source, target], getattr(k.layers, kind)()([query, value]))

    return build


def _attention_by_hand(k: Keras) -> Any:
    """Scores from a Dense layer, softmax over time, weighted sum by Dot."""
    entry = sequence(k, 4, 5)
    x = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True))(entry)
    scores = k.layers.Dense(1, activation="tanh")(x)
    weights = k.layers.Activation("softmax")(k.layers.Flatten()(scores))
    return k.Model(entry, k.layers.Dot(axes=1)([weights, x]))
