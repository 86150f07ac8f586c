"""Layers that make one tensor of several: merges, Dot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, state, tokens

MERGES: Final = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def cases() -> Iterator[Case]:
    yield from _merges()


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
    yield Case(name="merge-one_of_three_unmasked", build=_one_unmasked, gaps=Gaps.HOLES)
    for kind in ("Concatenate", "Add", "over_time"):
        yield Case(
            name=f"merge-one_masked-then_{kind}", build=_one_masked_then(kind), gaps=Gaps.HOLES
        )
    yield Case(name="merge-over_time-one_masked", build=_picture_before_words, gaps=Gaps.EMPTY_ROW)
    yield Case(name="merge-over_time-one_masked-nested", build=_nested_pair, gaps=Gaps.HOLES)
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


def _one_masked_then(kind: str) -> Any:
    """A mask that a merge has made to hold everywhere meets one with holes, and none."""

    def build(k: Keras) -> Any:
        left, right = sequence(k), sequence(k)
        masked = k.layers.Masking()(left)
        joined = k.layers.Concatenate()([masked, right])
        if kind == "Add":
            merged = k.layers.Add()([joined, k.layers.Concatenate()([masked, masked])])
        elif kind == "over_time":
            widened = k.layers.Concatenate()([masked, k.layers.Masking()(right)])
            merged = k.layers.Concatenate(axis=1)([joined, widened])
        else:
            merged = k.layers.Concatenate()([joined, right, masked])
        return k.Model([left, right], k.layers.GRU(4, return_sequences=True)(merged))

    return build


def _one_unmasked(k: Keras) -> Any:
    left, middle, right = tokens(k), sequence(k), tokens(k)
    masked = [k.layers.Embedding(11, 3, mask_zero=True)(entry) for entry in (left, right)]
    joined = k.layers.Concatenate()([masked[0], middle, masked[1]])
    return k.Model([left, middle, right], k.layers.GRU(4, return_sequences=True)(joined))


def _picture_before_words(k: Keras) -> Any:
    """A caption's decoder: one step without a mask, then masked words."""
    picture, words = state(k, 7), tokens(k)
    first = k.layers.RepeatVector(1)(k.layers.Dense(4)(picture))
    rest = k.layers.Embedding(11, 4, mask_zero=True)(words)
    joined = k.layers.Concatenate(axis=1)([first, rest])
    return k.Model([picture, words], k.layers.LSTM(5, return_sequences=True)(joined))


def _nested_pair(k: Keras) -> Any:
    """The same inside a nested model, which is given the mask from outside."""
    left, right = sequence(k), sequence(k)
    joined = k.layers.Concatenate(axis=1)([left, right])
    inner = k.Model([left, right], k.layers.GRU(4, return_sequences=True)(joined))
    outer = [sequence(k), sequence(k)]
    return k.Model(outer, inner([outer[0], k.layers.Masking()(outer[1])]))


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
