"""The masks of layers' results: the rules of Keras' compute_mask, for each version.

Keras 3 also records masks in the config of a functional model (as operations and `mask=`
arguments); a recorded mask takes precedence over these rules, as in Keras at run time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgernn.export.keras.call import UNREADABLE_MASK, Call
from edgernn.graph import (
    Affine,
    AnyNotEqual,
    Concatenate,
    Layer,
    Merge,
    MergeKind,
    NotEqual,
    Reshape,
)


def feature_mask(call: Call, edge: str, value: float) -> str:
    """The steps that have any feature other than `value`."""
    name = call.aside("mask")
    layer = AnyNotEqual(name=name, input=edge, output=name, value=value)
    return _computed_once(call, layer, ("any_not_equal", edge, repr(value)))


def always(call: Call, edge: str) -> str:
    """A mask that is true at every step of `edge` [B, T, F]."""
    ones = call.aside("ones")
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    layer = Affine(name=ones, input=edge, output=ones, scale=zero, offset=one)
    return feature_mask(call, _computed_once(call, layer, ("ones", edge)), 0.0)


def number_mask(call: Call, edge: str, value: float) -> str:
    """The steps of `edge`, float [B, T], whose number is not `value`."""
    column = call.aside("column")
    layer = Reshape(name=column, input=edge, output=column, target=(-1, 1))
    return feature_mask(call, _computed_once(call, layer, ("column", edge)), value)


def token_mask(call: Call, edge: str, value: int = 0) -> str:
    """The steps whose token is not `value`."""
    call.builder.as_tokens(edge, call.layer)
    name = call.aside("mask")
    layer = NotEqual(name=name, input=edge, output=name, value=value)
    return _computed_once(call, layer, ("not_equal", edge, str(value)))


def combined(call: Call, kind: MergeKind, masks: Sequence[str]) -> str:
    """Masks combined by AND or OR."""
    distinct = tuple(dict.fromkeys(masks))
    if len(distinct) == 1:
        return distinct[0]
    if UNREADABLE_MASK in distinct:
        return UNREADABLE_MASK
    name = call.aside("mask")
    layer = Merge(name=name, inputs=distinct, output=name, kind=kind)
    return _computed_once(call, layer, (kind.value, *distinct))


def joined(call: Call, masks: Sequence[str]) -> str:
    """Masks joined in time."""
    if UNREADABLE_MASK in masks:
        return UNREADABLE_MASK
    name = call.aside("mask")
    layer = Concatenate(name=name, inputs=tuple(masks), output=name, axis=1)
    return _computed_once(call, layer, ("concatenate", *masks))


def _computed_once(call: Call, layer: Layer, key: tuple[str, ...]) -> str:
    known = call.builder.masks
    if key not in known:
        call.add(layer)
        known[key] = layer.writes[0]
    return known[key]


def passing(call: Call, _results: Sequence[str] = ()) -> tuple[str | None, ...]:
    """The result has the mask of the (first) input."""
    return tuple(call.previous[:1])


def passing_since_keras_3(call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    return passing(call) if call.keras.major >= 3 else ()


def passing_sequences(call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    """A result with a time axis has the mask of the input."""
    return passing(call) if call.layer.flag("return_sequences") else ()


def merged(call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    """The mask of a layer that combines its inputs element by element."""
    known = [mask for mask in call.previous if mask is not None]
    if not known:
        return ()
    if call.keras.merges_masks_by_or:
        every = len(known) == len(call.inputs)
        return (combined(call, MergeKind.OR, known),) if every else ()
    return (combined(call, MergeKind.AND, known),)


def concatenated(call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    """Along features: steps valid in any input (Keras 3) or all (Keras 2).  In time: joined."""
    known = [mask for mask in call.previous if mask is not None]
    if not known:
        return ()
    rank = call.builder.rank(call.inputs[0].edge)
    axis = call.layer.axes("axis")[0] % rank
    if axis == rank - 1:
        return merged(call, ())  # where an input has no mask, all its steps are valid
    if axis != 1 or rank != 3:
        return (UNREADABLE_MASK,)
    pairs = zip(call.previous, call.inputs, strict=True)
    return (joined(call, [mask or always(call, tensor.edge) for mask, tensor in pairs]),)
