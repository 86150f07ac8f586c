"""Operations on single numbers and over axes: `keras.ops.sqrt`, `var`, `pad`, `tile`."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.symbolic import Translate, Value, constant, tensor_of, unknown
from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    Affine,
    Concatenate,
    GlobalPool1D,
    Merge,
    MergeKind,
    PoolKind,
    Reshape,
    Transpose,
    Upsample1D,
    ZeroPad1D,
)

_ONE: Final = np.ones(1, np.float32)
_ZERO: Final = np.zeros(1, np.float32)


def _edge(call: Call, value: Any) -> str:
    return tensor_of(call, value).edge


def _activated(call: Call, edge: str, function: Activation, name: str) -> str:
    call.add(Activate(name=name, input=edge, output=name, activation=function))
    return name


def _scaled(call: Call, edge: str, factor: float, name: str) -> str:
    scale = np.array([factor], np.float32)
    call.add(Affine(name=name, input=edge, output=name, scale=scale, offset=_ZERO))
    return name


def _merged(call: Call, kind: MergeKind, left: str, right: str, name: str) -> str:
    call.add(Merge(name=name, inputs=(left, right), output=name, kind=kind))
    return name


def _function(kind: ActivationKind) -> Translate:
    def translate(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
        function = Activation(kind=kind)
        return Tensor(edge=_activated(call, _edge(call, args[0]), function, call.name))

    return translate


def _elu(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    alpha = constant(options.get("alpha", args[1] if len(args) > 1 else 1.0))
    if alpha is None or alpha.size != 1:
        return unknown(call)
    function = Activation(kind=ActivationKind.ELU, alpha=float(alpha[0]))
    return Tensor(edge=_activated(call, _edge(call, args[0]), function, call.name))


def quotient(call: Call, left: Any, right: Any) -> Value:
    """left / right, of which at least `right` is a tensor."""
    over = Activation(kind=ActivationKind.RECIPROCAL)
    array = constant(left)
    inverse = _activated(call, _edge(call, right), over, call.aside("inverse"))
    if array is None:
        merged = _merged(call, MergeKind.MULTIPLY, _edge(call, left), inverse, call.name)
        return Tensor(edge=merged)
    call.add(Affine(name=call.name, input=inverse, output=call.name, scale=array, offset=_ZERO))
    return Tensor(edge=call.name)


# --- Over axes ---


def reduced(
    call: Call, kind: PoolKind, edge: str, axes: Any, *, keepdims: bool, name: str
) -> str | None:
    """Maximum or average over any axes but the batch; None where free sizes are in the way."""
    shape = call.builder.shape(edge)
    rank = len(shape)
    listed = list(range(1, rank)) if axes is None else axes
    listed = [listed] if isinstance(listed, int) else listed
    if not isinstance(listed, list | tuple) or not all(type(axis) is int for axis in listed):
        return None
    over = sorted({axis % rank for axis in listed})
    if not over or over[0] == 0 or any(not -rank <= axis < rank for axis in listed):
        return None
    kept = [axis for axis in range(1, rank) if axis not in over]
    free = [axis for axis in range(1, rank) if shape[axis] is None]
    if len(free) > 1 or axes is None:
        return None
    steps = -1 if set(free) & set(over) else prod(shape[axis] or 1 for axis in over)
    width = -1 if set(free) & set(kept) else prod(shape[axis] or 1 for axis in kept)
    order = (0, *over, *kept)
    if order != tuple(range(rank)):
        turned = call.aside("turned")
        call.add(Transpose(name=turned, input=edge, output=turned, permutation=order))
        edge = turned
    rows, pooled = call.aside("rows"), call.aside("pooled")
    call.add(Reshape(name=rows, input=edge, output=rows, target=(steps, width)))
    call.add(GlobalPool1D(name=pooled, input=rows, output=pooled, kind=kind))
    sizes = [1 if axis in over else (shape[axis] or -1) for axis in range(1, rank)]
    left = sizes if keepdims else [shape[axis] or -1 for axis in kept]
    if not left:
        return None  # one number for each row: a shape that layers do not take
    call.add(Reshape(name=name, input=pooled, output=name, target=tuple(left)))
    return name


def _options(args: list[Any], options: dict[str, Any]) -> tuple[Any, bool]:
    axis = options.get("axis", args[1] if len(args) > 1 else None)
    return axis, bool(options.get("keepdims"))


def _min(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    """-max(-x)"""
    axis, keepdims = _options(args, options)
    negative = _scaled(call, _edge(call, args[0]), -1.0, call.aside("negative"))
    most = call.aside("most")
    found = reduced(call, PoolKind.MAX, negative, axis, keepdims=keepdims, name=most)
    if found is None:
        return unknown(call, f"Min over axis {axis}")
    least = _scaled(call, found, -1.0, call.name)
    call.builder.note_whole(least, call.builder.wholes.get(_edge(call, args[0])))
    return Tensor(edge=least)


def _variance(name_of: str) -> Translate:
    """mean((x - mean(x))²), and its root."""

    def translate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
        axis, keepdims = _options(args, options)
        edge, average = _edge(call, args[0]), PoolKind.AVERAGE
        mean = reduced(call, average, edge, axis, keepdims=True, name=call.aside("mean"))
        if mean is None:
            return unknown(call, f"{name_of} over axis {axis}")
        apart = _merged(call, MergeKind.SUBTRACT, edge, mean, call.aside("apart"))
        squares = _merged(call, MergeKind.MULTIPLY, apart, apart, call.aside("squares"))
        name = call.name if name_of == "Var" else call.aside("variance")
        found = reduced(call, average, squares, axis, keepdims=keepdims, name=name)
        if found is None:
            return unknown(call, f"{name_of} over axis {axis}")
        if name_of == "Std":
            root = Activation(kind=ActivationKind.SQRT)
            found = _activated(call, found, root, call.name)
        return Tensor(edge=found)

    return translate


# --- Elements that move ---


def _pad(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    widths = options.get("pad_width", options.get("paddings"))
    if widths is None and len(args) > 1:
        widths = args[1]
    edge = _edge(call, args[0])
    rank = call.builder.rank(edge)
    value = options.get("constant_values")
    if str(options.get("mode", "constant")).lower() != "constant" or value not in (None, 0, 0.0):
        return unknown(call, "Pad with anything but zeros")
    listed = widths.tolist() if isinstance(widths, np.ndarray) else widths
    if isinstance(listed, int):
        listed = [listed] * 2
    if isinstance(listed, list | tuple) and listed and all(type(n) is int for n in listed):
        listed = [listed] * rank
    if not isinstance(listed, list | tuple) or len(listed) != rank:
        return unknown(call)
    for axis, sides in enumerate(listed):
        whole = isinstance(sides, list | tuple) and all(type(n) is int for n in sides)
        if not whole or len(sides) != 2 or min(sides) < 0 or (axis == 0 and max(sides) > 0):
            return unknown(call, "Pad of the batch")
        if max(sides) > 0:
            name = call.aside(f"axis{axis}")
            call.add(ZeroPad1D(
                name=name, input=edge, output=name, left=sides[0], right=sides[1], axis=axis
            ))  # fmt: skip
            edge = name
    return Tensor(edge=edge)


def _repeat(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = _edge(call, args[0])
    times, axis = options.get("repeats"), options.get("axis")
    if isinstance(times, list | tuple) and len(times) == 1:
        times = times[0]
    rank = call.builder.rank(edge)
    if type(times) is not int or times < 1 or type(axis) is not int or axis % rank == 0:
        return unknown(call)
    call.add(
        Upsample1D(name=call.name, input=edge, output=call.name, times=times, axis=axis % rank)
    )
    return Tensor(edge=call.name)


def _integers(value: Any) -> list[int] | None:
    """A list of integers, also given as one or as an array; None for anything else."""
    listed = value.tolist() if isinstance(value, np.ndarray) else value
    listed = [listed] if type(listed) is int else listed
    if not isinstance(listed, list | tuple) or not all(type(n) is int for n in listed):
        return None
    return list(listed)


def _tile(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = _edge(call, args[0])
    repeats = options.get("repeats", options.get("multiples"))
    if repeats is None and len(args) > 1:
        repeats = args[1]
    listed, rank = _integers(repeats), call.builder.rank(edge)
    if listed is None or len(listed) > rank or min(listed, default=0) < 1:
        return unknown(call)
    times = [1] * (rank - len(listed)) + listed
    if times[0] != 1:
        return unknown(call, "Tile of the batch")
    for axis, count in enumerate(times):
        if count > 1:
            name = call.aside(f"axis{axis}")
            inputs = (edge,) * count
            call.add(Concatenate(name=name, inputs=inputs, output=name, axis=axis))
            edge = name
    return Tensor(edge=edge)


def _swap_axes(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = _edge(call, args[0])
    rank = call.builder.rank(edge)
    axes = _integers([options.get("axis1"), options.get("axis2")])
    if axes is None or not all(-rank <= axis < rank for axis in axes):
        return unknown(call)
    order = list(range(rank))
    first, second = (axis % rank for axis in axes)
    order[first], order[second] = second, first
    call.add(Transpose(name=call.name, input=edge, output=call.name, permutation=tuple(order)))
    return Tensor(edge=call.name)


def _broadcast_to(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = _edge(call, args[0])
    shape = options.get("shape", args[1] if len(args) > 1 else None)
    rank = call.builder.rank(edge)
    sizes = _integers(list(shape)[1:]) if isinstance(shape, list | tuple | np.ndarray) else None
    if sizes is None or len(sizes) != rank - 1 or min(sizes, default=1) < 1:
        return unknown(call)
    ones = np.ones((1, *sizes), np.float32)
    call.add(Affine(name=call.name, input=edge, output=call.name, scale=ones, offset=0 * ones))
    return Tensor(edge=call.name)


ELEMENTS: Final[dict[str, Translate]] = {
    "Elu": _elu,
    "Sqrt": _function(ActivationKind.SQRT),
    "Rsqrt": _function(ActivationKind.RSQRT),
    "Log": _function(ActivationKind.LOGARITHM),
    "Reciprocal": _function(ActivationKind.RECIPROCAL),
    "Min": _min,
    "Amin": _min,
    "Var": _variance("Var"),
    "Std": _variance("Std"),
    "Pad": _pad,
    "Repeat": _repeat,
    "Tile": _tile,
    "SwapAxes": _swap_axes,
    "Swapaxes": _swap_axes,
    "BroadcastTo": _broadcast_to,
}
