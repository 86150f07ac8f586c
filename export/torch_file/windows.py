"""Convolutions, pools, means and normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgernn.export.torch_file.program import Call, Ref
from edgernn.export.torch_file.spelling import Spelling


def _axes(value: Any, count: int, default: int) -> list[int]:
    """A list of `count` numbers from a number, a short list or nothing."""
    given = [default] if value is None or value == [] else value
    numbers = [int(one) for one in (given if isinstance(given, list) else [given])]
    return numbers * count if len(numbers) == 1 else numbers


def convolution(spelling: Spelling, call: Call) -> None:
    """[B, C, T] or [B, C, H, W]; zeros around it in numbers or as "same" and "valid"."""
    weight = spelling.array(call, call.arguments["weight"], "weights")
    count = weight.ndim - 2
    if call.get("transposed"):
        raise call.unsupported("is transposed", "Use Conv1d, or upsample outside of the model")
    x: Ref = call.arguments["input"]
    strides = _axes(call.get("stride"), count, 1)
    dilations = _axes(call.get("dilation"), count, 1)
    before, after = _padding(call, weight.shape[2:], dilations)
    names = [x.name, call.arguments["weight"].name]
    if call.get("bias") is not None:
        names.append(call.arguments["bias"].name)
    spelling.emit(
        call, "Conv", names, call.outputs[0], strides=strides, dilations=dilations,
        pads=[*before, *after], group=int(call.get("groups", 1)),
    )  # fmt: skip


def _padding(
    call: Call, window: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    given = call.get("padding")
    if given == "same":
        reach = [(w - 1) * d for w, d in zip(window, dilations, strict=True)]
        return [r // 2 for r in reach], [r - r // 2 for r in reach]
    numbers = _axes(0 if given == "valid" else given, len(window), 0)
    return numbers, numbers


def pool(spelling: Spelling, call: Call) -> None:
    """MaxPool and AvgPool, windows beside each other unless a stride is given."""
    count = 1 if call.kind.endswith("1d") else 2
    window = _axes(call.arguments["kernel_size"], count, 1)
    stride = call.get("stride")
    pads = _axes(call.get("padding"), count, 0)
    if call.get("ceil_mode"):
        raise call.unsupported("rounds its length up (ceil_mode)", "Leave out ceil_mode")
    if call.get("divisor_override") is not None:
        raise call.unsupported("divides by another number (divisor_override)", "Leave it out")
    options: dict[str, Any] = {}
    if call.kind.startswith("max"):
        options["dilations"] = _axes(call.get("dilation"), count, 1)
    else:
        options["count_include_pad"] = int(call.get("count_include_pad", True))
    spelling.emit(
        call, "MaxPool" if call.kind.startswith("max") else "AveragePool",
        [call.arguments["self"].name], call.outputs[0], kernel_shape=window,
        strides=window if stride in (None, []) else _axes(stride, count, 1), pads=pads * 2,
        **options,
    )  # fmt: skip


def global_pool(spelling: Spelling, call: Call) -> None:
    """Adaptive pools to one element."""
    if any(one != 1 for one in _axes(call.get("output_size"), 1, 0)):
        raise call.unsupported("pools to several elements", "Pool to one element, or by a window")
    axes = spelling.constant([-1] if call.kind.endswith("1d") else [-2, -1], np.int64)
    kind = "ReduceMax" if "max" in call.kind else "ReduceMean"
    spelling.emit(call, kind, [call.arguments["self"].name, axes], call.outputs[0], keepdims=1)


def reduced(spelling: Spelling, call: Call) -> None:
    """Mean, sum and maximum over axes; of max(dim) the values only."""
    if call.kind == "max" and call.get("other") is not None:
        names = [call.arguments[key].name for key in ("self", "other")]
        spelling.emit(call, "Max", names, call.outputs[0])
        return
    given = call.get("dim")
    if given is None:
        raise call.unsupported("reduces everything", "Give the axes (dim) of a row")
    axes = spelling.constant(_axes(given, 1, 0), np.int64)
    kind = {"mean": "ReduceMean", "sum": "ReduceSum"}.get(call.kind, "ReduceMax")
    names = [call.arguments["self"].name, axes]
    spelling.emit(
        call, kind, names, call.outputs[0], keepdims=int(bool(call.get("keepdim", False)))
    )


def batch_norm(spelling: Spelling, call: Call) -> None:
    """With the statistics that training kept."""
    if call.get("training"):
        raise call.unsupported("is in training mode", "Call model.eval() before the export")
    statistics = [call.get("running_mean"), call.get("running_var")]
    if None in statistics:
        raise call.unsupported(
            "keeps no statistics (track_running_stats=False)", "Train it with track_running_stats"
        )
    channels = spelling.array(call, statistics[0], "statistics").size
    names = []
    for key, blank in (("weight", 1), ("bias", 0)):
        given = call.get(key)
        full = np.full(channels, blank, np.float32)
        names.append(spelling.constant(full) if given is None else given.name)
    names += [one.name for one in statistics]
    spelling.emit(
        call, "BatchNormalization", [call.arguments["input"].name, *names], call.outputs[0],
        epsilon=float(call.get("eps", 1e-5)),
    )  # fmt: skip


def layer_norm(spelling: Spelling, call: Call) -> None:
    """Over the last axis."""
    shape = call.arguments["normalized_shape"]
    if len(shape) != 1:
        raise call.unsupported("normalizes several axes", "Use LayerNorm over the last axis")
    gamma, beta = call.get("weight"), call.get("bias")
    one = np.ones(int(shape[0]), np.float32)
    names = [call.arguments["input"].name, spelling.constant(one) if gamma is None else gamma.name]
    if beta is not None:
        names.append(beta.name)
    epsilon = float(call.get("eps", 1e-5))
    spelling.emit(call, "LayerNormalization", names, call.outputs[0], axis=-1, epsilon=epsilon)


def rms_norm(spelling: Spelling, call: Call) -> None:
    """x / sqrt(mean(x²) + eps), by a weight: over the last axis."""
    if len(call.arguments["normalized_shape"]) != 1:
        raise call.unsupported("normalizes several axes", "Use RMSNorm over the last axis")
    name, epsilon = call.arguments["input"].name, call.get("eps")
    square = spelling.emit(call, "Mul", [name, name])
    axis = spelling.constant([-1], np.int64)
    mean = spelling.emit(call, "ReduceMean", [square, axis], keepdims=1)
    least = np.finfo(np.float32).eps if epsilon is None else epsilon
    shifted = spelling.emit(call, "Add", [mean, spelling.constant(least, np.float32)])
    root = spelling.emit(call, "Sqrt", [shifted])
    weight: Ref | None = call.get("weight")
    scaled = spelling.emit(call, "Div", [name, root], None if weight else call.outputs[0])
    if weight:
        spelling.emit(call, "Mul", [scaled, weight.name], call.outputs[0])


def pad(spelling: Spelling, call: Call) -> None:
    """Zeros before and after the last axes: PyTorch counts axes from the last."""
    if call.get("mode", "constant") != "constant" or call.get("value") not in (None, 0, 0.0):
        raise call.unsupported("pads with other numbers than zero", "Pad with zeros")
    x: Ref = call.arguments["self"]
    pairs = [int(one) for one in call.arguments["pad"]]
    rank = spelling.rank(x)
    before, after = [0] * rank, [0] * rank
    for at in range(len(pairs) // 2):
        before[rank - 1 - at], after[rank - 1 - at] = pairs[2 * at], pairs[2 * at + 1]
    pads = spelling.constant(before + after, np.int64)
    spelling.emit(call, "Pad", [x.name, pads], call.outputs[0])
