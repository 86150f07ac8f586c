"""Attention and dot products: layers that multiply two tensors of the model."""

from __future__ import annotations

from edgernn.export.native import axes, packing
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import AttentionFlag, OpKind
from edgernn.graph import Attention, Dot, HiddenScores, as_float32

_FLAGS = {
    HiddenScores.LOWERED: AttentionFlag(0),
    HiddenScores.REPLACED: AttentionFlag.REPLACED,
    HiddenScores.ZEROED: AttentionFlag.ZEROED,
}


def lower_attention(builder: Builder, layer: Attention) -> None:
    for edge in (layer.query, layer.key, layer.value):
        axes.one_axis_of_time(builder, layer, edge)
    energy = None
    if layer.energy is not None:
        energy = packing.vector(as_float32(layer.energy))
    flags = _FLAGS[layer.hidden] | (AttentionFlag.CAUSAL if layer.causal else 0)
    builder.op(
        OpKind.ATTENTION,
        layer.name,
        [layer.query, layer.key, layer.value, layer.query_mask, layer.key_mask],
        [layer.output],
        [float(layer.scale), int(flags), builder.optional(energy)],
    )


def lower_dot(builder: Builder, layer: Dot) -> None:
    turned = []
    for edge, axis in ((layer.left, layer.left_axis), (layer.right, layer.right_axis)):
        rank = builder.specs[edge].rank
        if rank > 3 or builder.folds[edge]:
            raise refused(
                layer.name, "Dot", f"multiplies a tensor of shape {builder.specs[edge].shape}"
            )
        turned.append(int(rank == 3 and axis == 1))
    builder.op(
        OpKind.DOT,
        layer.name,
        [layer.left, layer.right],
        [layer.output],
        [*turned, int(layer.normalize)],
    )
