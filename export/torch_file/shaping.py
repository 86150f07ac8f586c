"""Operators that move elements, and those that make shapes and zeros."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx

from edgernn.export.torch_file.program import Call, Ref
from edgernn.export.torch_file.spelling import Spelling

_FLOAT: Final = 7
_WHOLE: Final = (4, 5)  # int32 and int64
_FAR: Final = 2**62

#: Operators that change nothing in a model that is evaluated.
SAME: Final = (
    "dropout", "feature_dropout", "alpha_dropout", "clone", "contiguous", "alias", "detach",
    "detach_", "lift_fresh_copy", "to", "_to_copy", "type_as", "identity",
)  # fmt: skip


def _source(call: Call) -> Ref:
    value = call.get("self", call.get("input"))
    if not isinstance(value, Ref):
        raise call.unsupported("reads no tensor", "Give it a tensor")
    return value


def same(spelling: Spelling, call: Call) -> None:
    x = _source(call)
    if call.get("train") and float(call.get("p", 0)) > 0:
        raise call.unsupported("is in training mode", "Call model.eval() before the export")
    before, after = (spelling.program.dtypes.get(n) for n in (x.name, call.outputs[0]))
    both_whole = before in _WHOLE and after in _WHOLE
    if before != after and not both_whole and None not in (before, after):
        raise call.unsupported(
            "casts between numbers and tokens, or to another precision",
            "Give tokens as integers and numbers as float32, and cast outside of the model",
        )
    spelling.emit(call, "Identity", [x.name], call.outputs[0])


def transposed(spelling: Spelling, call: Call) -> None:
    x = _source(call)
    if call.kind == "permute":
        order = [int(at) for at in call.arguments["dims"]]
        order = [at % len(order) for at in order]
    else:
        order = list(range(spelling.rank(x)))
        one, other = call.get("dim0", -2), call.get("dim1", -1)  # t and mT: the last two
        if order:
            order[one], order[other] = order[other], order[one]
    spelling.emit(call, "Transpose", [x.name], call.outputs[0], perm=order)


def reshaped(spelling: Spelling, call: Call) -> None:
    target = call.get("size", call.get("shape"))
    spelling.emit(
        call, "Reshape", [_source(call).name, spelling.dims(call, target)], call.outputs[0]
    )


def flattened(spelling: Spelling, call: Call) -> None:
    """To the shape that the program says."""
    x = _source(call)
    target = spelling.sizes_like(call, call.outputs[0], x)
    spelling.emit(call, "Reshape", [x.name, target], call.outputs[0])


def squeezed(spelling: Spelling, call: Call) -> None:
    """Axes of size 1; PyTorch leaves others as they are."""
    x = _source(call)
    given, sizes = call.get("dim"), spelling.sizes(x.name)
    axes = (
        list(range(len(sizes))) if given is None else given if isinstance(given, list) else [given]
    )
    gone = [at % len(sizes) for at in axes if sizes[at] == 1]
    if gone:
        names = [x.name, spelling.constant(gone, np.int64)]
        spelling.emit(call, "Squeeze", names, call.outputs[0])
    else:
        spelling.emit(call, "Identity", [x.name], call.outputs[0])


def unsqueezed(spelling: Spelling, call: Call) -> None:
    axes = spelling.constant([int(call.arguments["dim"])], np.int64)
    spelling.emit(call, "Unsqueeze", [_source(call).name, axes], call.outputs[0])


def selected(spelling: Spelling, call: Call) -> None:
    """One element along an axis, without the axis."""
    at = spelling.constant(_number(call, call.arguments["index"]), np.int64)
    axis = int(call.get("dim", 0))
    spelling.emit(call, "Gather", [_source(call).name, at], call.outputs[0], axis=axis)


def sliced(spelling: Spelling, call: Call) -> None:
    """start:end:step along one axis; an end that is a free size is the whole axis."""
    x, axis = _source(call), int(call.get("dim", 0))
    start, end, step = call.get("start"), call.get("end"), call.get("step", 1)
    if isinstance(end, Ref):
        sizes, result = spelling.sizes(x.name), spelling.sizes(call.outputs[0])
        if start not in (None, 0) or not sizes or sizes[axis] != result[axis]:
            raise call.unsupported(
                "ends at a step that the model computes", "Slice up to a number, or the whole axis"
            )
        end = None
    bounds = [_number(call, start or 0), _FAR if end is None else _number(call, end), axis, step]
    names = [spelling.constant([int(one)], np.int64) for one in bounds]
    spelling.emit(call, "Slice", [x.name, *names], call.outputs[0])


def joined(spelling: Spelling, call: Call) -> None:
    names = [ref.name for ref in call.arguments["tensors"]]
    spelling.emit(call, "Concat", names, call.outputs[0], axis=int(call.get("dim", 0)))


def stacked(spelling: Spelling, call: Call) -> None:
    """Values beside each other along a new axis."""
    axis = int(call.get("dim", 0))
    at = spelling.constant([axis], np.int64)
    parts = [spelling.emit(call, "Unsqueeze", [ref.name, at]) for ref in call.arguments["tensors"]]
    spelling.emit(call, "Concat", parts, call.outputs[0], axis=axis)


def split(spelling: Spelling, call: Call) -> None:
    """Parts of the sizes that the program says."""
    axis = int(call.get("dim", 0))
    sizes = [spelling.sizes(name)[axis] for name in call.outputs]
    if not all(isinstance(size, int) for size in sizes):
        raise call.unsupported("splits a free axis", "Split axes of a fixed size")
    names = [_source(call).name, spelling.constant(sizes, np.int64)]
    spelling.emit(call, "Split", names, outputs=call.outputs, axis=axis)


def unbound(spelling: Spelling, call: Call) -> None:
    """Each element along an axis as a value of its own."""
    axis = int(call.get("dim", 0))
    for index, name in enumerate(call.outputs):
        at = spelling.constant(index, np.int64)
        spelling.emit(call, "Gather", [_source(call).name, at], name, axis=axis)


def flipped(spelling: Spelling, call: Call) -> None:
    axes = [int(axis) for axis in call.arguments["dims"]]
    count = len(axes)
    bounds = [[-1] * count, [-_FAR] * count, axes, [-1] * count]
    names = [spelling.constant(one, np.int64) for one in bounds]
    spelling.emit(call, "Slice", [_source(call).name, *names], call.outputs[0])


def expanded(spelling: Spelling, call: Call) -> None:
    """Repeated along axes of size 1; -1 keeps an axis."""
    entries = [1 if one == -1 else one for one in call.arguments["size"]]
    names = [_source(call).name, spelling.dims(call, entries)]
    spelling.emit(call, "Expand", names, call.outputs[0])


def repeated(spelling: Spelling, call: Call) -> None:
    """repeat(): the whole value so many times along each axis, new axes in front."""
    source, times = _source(call).name, call.arguments["repeats"]
    new = len(times) - spelling.rank(_source(call))
    if new > 0:
        axes = spelling.constant(list(range(new)), np.int64)
        source = spelling.emit(call, "Unsqueeze", [source, axes])
    spelling.emit(call, "Tile", [source, spelling.dims(call, times)], call.outputs[0])


def size(spelling: Spelling, call: Call) -> None:
    axis = int(call.arguments["dim"]) % max(1, spelling.rank(_source(call)))
    spelling.emit(call, "Shape", [_source(call).name], call.outputs[0], start=axis, end=axis + 1)


def zeros(spelling: Spelling, call: Call) -> None:
    _fill(spelling, call, 0.0)


def filled(spelling: Spelling, call: Call) -> None:
    """A shape full of one number."""
    ones = call.kind.startswith("ones")
    _fill(spelling, call, 1.0 if ones else float(call.get("fill_value", 0)))


def _fill(spelling: Spelling, call: Call, value: float) -> None:
    if call.kind.endswith("_like"):
        like = _source(call).name
        shape = spelling.filled.get(like) or spelling.emit(call, "Shape", [like])
    else:
        shape = spelling.dims(call, call.arguments["size"])
    spelling.filled[call.outputs[0]] = shape
    tensor = onnx.numpy_helper.from_array(np.array([value], np.float32))
    spelling.emit(call, "ConstantOfShape", [shape], call.outputs[0], value=tensor)


def _number(call: Call, value: Any) -> int:
    if not isinstance(value, int):
        raise call.unsupported(
            "takes elements at places that the model computes", "Take them at fixed places"
        )
    return value
