"""The form of the graph's tensors in the runtime: one row of numbers, or one for each step."""

from __future__ import annotations

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


def edge_form(spec: TensorSpec, *, layer: str, kind: str) -> EdgeForm:
    """[B, F] floats are one row; [B, T, F] floats, [B, T] tokens and masks one for each step.

    Raises UnsupportedLayer for other ranks and for a free number of features.
    """
    dtype, shape = _EDGE_TYPES[spec.dtype], spec.shape[1:]
    is_float = spec.dtype is DType.FLOAT32
    if len(shape) == 1 and is_float and shape[0] is not None:
        return EdgeForm(dtype=dtype, is_sequence=False, width=shape[0])
    if len(shape) == 1 and not is_float:
        return EdgeForm(dtype=dtype, is_sequence=True, width=1, steps=shape[0])
    if len(shape) == 2 and is_float and shape[1] is not None:
        return EdgeForm(dtype=dtype, is_sequence=True, width=shape[1], steps=shape[0])
    raise refused(
        layer,
        kind,
        f"has a {spec.dtype.value} tensor of shape {spec.shape}; the runtime takes [B, features], "
        "[B, time, features], and tokens and masks [B, time]",
    )
