"""The form of the graph's tensors in the runtime: one row of numbers, or one for each step."""

from __future__ import annotations

from math import prod

from edgernn.errors import UnsupportedLayer
from edgernn.export.native.records import EdgeForm, EdgeType
from edgernn.graph import DType, TensorSpec

_EDGE_TYPES = {
    DType.FLOAT32: EdgeType.FLOAT32,
    DType.INT32: EdgeType.INT32,
    DType.BOOL: EdgeType.BOOL,
}


def refused(layer: str, kind: str, reason: str, remedy: str = "") -> UnsupportedLayer:
    """The native back end's error for a layer that it cannot express."""
    return UnsupportedLayer(
        layer=layer,
        kind=kind,
        where="the native runtime",
        reason=reason,
        remedy=remedy or "Export it to ONNX or TFLite instead",
    )


def edge_form(spec: TensorSpec, *, layer: str, kind: str, is_folded: bool = False) -> EdgeForm:
    """[B, F] floats are one row; [B, T, F] floats, [B, T] tokens and masks one for each step.

    An image [B, H, W, C] has H * W rows of C numbers; so has any tensor of more axes.  is_folded:
    time is in the first axis, so that there are as many of all these as steps.

    Raises UnsupportedLayer where a size but the first is free.
    """
    dtype, shape = _EDGE_TYPES[spec.dtype], spec.shape[1:]
    is_float = spec.dtype is DType.FLOAT32
    axes = shape[:-1] if is_float else shape  # those that rows are along
    width = shape[-1] if is_float and shape else 1
    if not shape and (is_float or not is_folded):
        raise refused(layer, kind, f"has a {spec.dtype.value} tensor of shape {spec.shape}")
    if width is None or None in axes[0 if is_folded else 1 :]:
        raise refused(
            layer,
            kind,
            f"has a {spec.dtype.value} tensor of shape {spec.shape}; only the batch and the axis "
            "behind it may be free in the runtime",
            "Give the model's input fixed sizes, or export it to ONNX or TFLite",
        )
    is_sequence = bool(axes) or is_folded
    steps = None if is_folded or None in axes or not axes else prod(s for s in axes if s)
    return EdgeForm(dtype=dtype, is_sequence=is_sequence, width=width, steps=steps)
