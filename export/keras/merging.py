"""Keras layers that turn several tensors into one: merges, Concatenate, Dot."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.keras_class import Emit, KerasClass
from edgernn.export.keras.masks import concatenated, merged
from edgernn.export.keras.whole_numbers import checked
from edgernn.graph import (
    Affine,
    ApplyMask,
    Concatenate,
    Dot,
    Merge,
    MergeKind,
    Reshape,
)


def merge(call: Call, kind: MergeKind, edges: list[str], name: str) -> str:
    """Combines `edges` element by element into an edge called `name`."""
    if len(edges) == 1:
        return edges[0]
    call.add(Merge(name=name, inputs=tuple(edges), output=name, kind=kind))
    return name


def _elementwise(kind: MergeKind, least: int = 1, most: int | None = None) -> Emit:
    def emit(call: Call) -> list[str]:
        count = len(call.inputs)
        if count < least or (most is not None and count > most):
            raise call.layer.damaged(f"is called on {count} tensors")
        inputs = _same_rank(call)
        wholes = [call.builder.wholes.get(tensor.edge) for tensor in inputs]
        whole = checked(call, kind, wholes)
        honoured = call.keras.merges_masks_by_or and any(tensor.mask for tensor in inputs)
        if honoured and kind is MergeKind.MULTIPLY:
            return [_multiply_valid(call, inputs)]
        if honoured and kind in (MergeKind.MAXIMUM, MergeKind.MINIMUM):
            return [_extreme_of_valid(call, kind, inputs)]
        merged_edge = merge(call, kind, [tensor.edge for tensor in inputs], call.name)
        call.builder.note_whole(merged_edge, whole)
        return [merged_edge]

    return emit


def _same_rank(call: Call) -> list[Tensor]:
    """Keras puts the axes that a smaller tensor lacks after its batch axis."""
    ranks = [call.builder.rank(tensor.edge) for tensor in call.inputs]
    tensors: list[Tensor] = []
    for tensor, rank in zip(call.inputs, ranks, strict=True):
        edge = tensor.edge
        if rank < max(ranks):
            sizes = call.builder.shape(edge)[1:]
            if sizes.count(None) > 1:
                raise call.layer.unsupported(
                    f"broadcasts a tensor of shape {call.builder.shape(edge)}",
                    "Give its axes fixed sizes",
                )
            target = (*[1] * (max(ranks) - rank), *(-1 if size is None else size for size in sizes))
            edge = call.aside("widened")
            call.add(Reshape(name=edge, input=tensor.edge, output=edge, target=target))
        tensors.append(Tensor(edge=edge, mask=call.readable(tensor.mask)))
    return tensors


def _valid(call: Call, edge: str, mask: str) -> str:
    """`edge` where `mask` is true, zeros elsewhere."""
    name = call.aside("valid")
    call.add(ApplyMask(name=name, input=edge, mask=mask, output=name))
    return name


def _where(call: Call, mask: str, chosen: str, otherwise: str) -> str:
    """`chosen` where mask is true, else `otherwise`; exact, since one term of each sum is zero."""
    kept = _valid(call, chosen, mask)
    hidden = _valid(call, otherwise, mask)
    rest = merge(call, MergeKind.SUBTRACT, [otherwise, hidden], call.aside("invalid"))
    return merge(call, MergeKind.ADD, [kept, rest], call.aside("chosen"))


def _either(call: Call, masks: list[str]) -> str:
    distinct = list(dict.fromkeys(masks))
    return (
        distinct[0]
        if len(distinct) == 1
        else merge(call, MergeKind.OR, distinct, call.aside("mask"))
    )


def _multiply_valid(call: Call, inputs: list[Tensor]) -> str:
    """Keras >= 3.4: a masked factor counts as 1, and all masked as 0."""
    masks = [tensor.mask for tensor in inputs]
    if len(set(masks)) == 1 and masks[0] is not None:
        product = merge(call, MergeKind.MULTIPLY, [t.edge for t in inputs], call.aside("product"))
        return _valid(call, product, masks[0])
    factors = [
        tensor.edge if tensor.mask is None else _or_one(call, tensor.edge, tensor.mask)
        for tensor in inputs
    ]
    product = merge(call, MergeKind.MULTIPLY, factors, call.aside("product"))
    known = [mask for mask in masks if mask is not None]
    return _valid(call, product, _either(call, known)) if len(known) == len(masks) else product


def _or_one(call: Call, edge: str, mask: str) -> str:
    """edge where mask is true, ones elsewhere: (edge - 1) masked + 1."""
    one = np.ones(1, np.float32)
    less = call.aside("less_one")
    call.add(Affine(name=less, input=edge, output=less, scale=one, offset=-one))
    masked = _valid(call, less, mask)
    more = call.aside("or_one")
    call.add(Affine(name=more, input=masked, output=more, scale=one, offset=one))
    return more


def _extreme_of_valid(call: Call, kind: MergeKind, inputs: list[Tensor]) -> str:
    """Keras >= 3.4: masked elements are ignored; folds from left to right."""
    result, mask = inputs[0].edge, inputs[0].mask
    for tensor in inputs[1:]:
        other = (
            tensor.edge if tensor.mask is None else _where(call, tensor.mask, tensor.edge, result)
        )
        kept = result if mask is None else _where(call, mask, result, other)
        both = mask is not None and tensor.mask is not None
        mask = _either(call, [mask, tensor.mask]) if both else None  # type: ignore[list-item]
        result = merge(call, kind, [kept, other], call.aside(kind.value))
    return result


def concatenate(call: Call) -> list[str]:
    edges = tuple(tensor.edge for tensor in call.inputs)
    if len(edges) == 1:
        return [edges[0]]
    axes = call.layer.axes("axis")
    if len(axes) != 1 or axes[0] == 0:
        raise call.layer.unsupported("joins along the batch axis", "Join along another axis")
    call.add(Concatenate(name=call.name, inputs=edges, output=call.name, axis=axes[0]))
    return [call.name]


def dot(call: Call) -> list[str]:
    if len(call.inputs) != 2:
        raise call.layer.damaged(f"is called on {len(call.inputs)} tensors instead of two")
    left, right = (tensor.edge for tensor in call.inputs)
    axes = call.layer.axes("axes")
    first, second = axes * 2 if len(axes) == 1 else axes[:2]
    left_axis, right_axis = first % call.builder.rank(left), second % call.builder.rank(right)
    if 0 in (left_axis, right_axis):
        raise call.layer.damaged("multiplies along the batch axis")
    call.add(Dot(
        name=call.name, left=left, right=right, output=call.name,
        left_axis=left_axis, right_axis=right_axis, normalize=call.layer.flag("normalize"),
    ))  # fmt: skip
    return [call.name]


MERGING: Final[dict[str, KerasClass]] = {
    "Add": KerasClass(emit=_elementwise(MergeKind.ADD), mask=merged),
    "Subtract": KerasClass(emit=_elementwise(MergeKind.SUBTRACT, least=2, most=2), mask=merged),
    "Multiply": KerasClass(emit=_elementwise(MergeKind.MULTIPLY), mask=merged),
    "Average": KerasClass(emit=_elementwise(MergeKind.AVERAGE), mask=merged),
    "Maximum": KerasClass(emit=_elementwise(MergeKind.MAXIMUM), mask=merged),
    "Minimum": KerasClass(emit=_elementwise(MergeKind.MINIMUM), mask=merged),
    "Concatenate": KerasClass(emit=concatenate, mask=concatenated),
    "Dot": KerasClass(emit=dot),
}
