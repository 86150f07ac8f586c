"""Which mask a layer's result carries: Keras' compute_mask, version by version.

Keras 3 also records masks in the config of a functional model (as operations and `mask=`
arguments); a recorded mask wins over these rules, which is what Keras does at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgernn.export.keras.call import UNREADABLE_MASK, Call
from edgernn.graph import (
    Affine,
    AnyNotEqual,
    ApplyMask,
    Concatenate,
    Layer,
    Merge,
    MergeKind,
    NotEqual,
    Reshape,
)

#: Layers whose result has the mask of their input.
_PASSING: Final = frozenset({
    "Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU", "Dense",
    "BatchNormalization", "LayerNormalization", "UnitNormalization", "ActivityRegularization",
    "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D",
    "TimeDistributed", "InputLayer",
})  # fmt: skip
_PASSING_IN_KERAS_3: Final = frozenset({"Identity", "Normalization", "Rescaling"})

_RECURRENT: Final = frozenset({"GRU", "LSTM", "SimpleRNN", "RNN", "CuDNNGRU", "CuDNNLSTM"})
_MERGING: Final = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})


def feature_mask(call: Call, edge: str, value: float) -> str:
    """The steps that have any feature other than `value`."""
    name = call.aside("mask")
    layer = AnyNotEqual(name=name, input=edge, output=name, value=value)
    return _computed_once(call, layer, ("any_not_equal", edge, repr(value)))


def always(call: Call, edge: str) -> str:
    """A mask that holds at every step of `edge` [B, T, F]."""
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
    """Masks one after the other in time."""
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


def result_masks(call: Call, results: Sequence[str]) -> list[str | None]:
    """The mask of each result of a call (of a layer that is no model)."""
    first: str | None = None
    match call.layer.kind:
        case "Embedding":
            if call.layer.flag("mask_zero"):
                first = token_mask(call, call.edge)
        case "Masking":
            writer = call.builder.writer(results[0])
            first = writer.mask if isinstance(writer, ApplyMask) else None
        case kind if kind in _RECURRENT:
            first = _first(call.previous) if call.layer.flag("return_sequences") else None
        case "Bidirectional":
            if call.layer.children["forward_layer"].flag("return_sequences"):
                first = _first(call.previous)
                if call.layer.options.get("merge_mode", "concat") is None:
                    return [first, first, *[None] * (len(results) - 2)]
        case "TimeDistributed":
            first = _time_distributed(call)
        case "Attention":
            first = _first(call.previous)
        case "Concatenate":
            first = _concatenated(call)
        case kind if kind in _MERGING:
            first = _merged(call)
        case kind if kind in _PASSING or (call.keras.major >= 3 and kind in _PASSING_IN_KERAS_3):
            first = _first(call.previous)
        case _:
            pass
    return [first, *[None] * (len(results) - 1)]


def _first(masks: Sequence[str | None]) -> str | None:
    return masks[0] if masks else None


def _time_distributed(call: Call) -> str | None:
    mask = _first(call.previous)
    inner = call.layer.children["layer"]
    makes_masks = inner.kind == "Masking" or (inner.kind == "Embedding" and inner.flag("mask_zero"))
    # Keras 2 asks the inner layer, which would answer with a mask of more than two axes.
    return UNREADABLE_MASK if call.keras.major < 3 and makes_masks else mask


def _merged(call: Call) -> str | None:
    known = [mask for mask in call.previous if mask is not None]
    if not known:
        return None
    if call.keras.merges_masks_by_or:
        every = len(known) == len(call.inputs)
        return combined(call, MergeKind.OR, known) if every else None
    return combined(call, MergeKind.AND, known)


def _concatenated(call: Call) -> str | None:
    """Along features: steps valid in any input (Keras 3) or all (Keras 2).  In time: joined."""
    known = [mask for mask in call.previous if mask is not None]
    if not known:
        return None
    every = len(known) == len(call.inputs)
    rank = call.builder.rank(call.inputs[0].edge)
    axis = call.layer.axes("axis")[0] % rank
    if axis == rank - 1:
        if call.keras.merges_masks_by_or:
            return combined(call, MergeKind.OR, known) if every else None  # None: all are valid
        return combined(call, MergeKind.AND, known)
    if axis != 1 or rank != 3:
        return UNREADABLE_MASK
    pairs = zip(call.previous, call.inputs, strict=True)
    return joined(call, [mask or always(call, tensor.edge) for mask, tensor in pairs])
