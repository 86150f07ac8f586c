"""Keras' layers over rows and columns: convolutions, poolings, padding, cropping, upsampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edgernn.export.keras.activations import activation
from edgernn.export.keras.call import Call
from edgernn.export.keras.config import MAX_SIZE, LayerConfig
from edgernn.export.keras.keras_class import Emit, KerasClass, arrays_and_bias
from edgernn.graph import (
    LINEAR,
    Conv2D,
    FloatArray,
    GlobalPool1D,
    Padding,
    Pool2D,
    PoolKind,
    Reshape,
    Slice,
    Transpose,
    Upsample1D,
    ZeroPad1D,
)

_TO_CHANNELS_LAST: Final = (0, 2, 3, 1)
_TO_CHANNELS_FIRST: Final = (0, 3, 1, 2)


def _over_image(call: Call, compute: Callable[[str, str], None]) -> list[str]:
    """Runs compute(input, output) on [B, H, W, C], whichever axis the channels are on in Keras."""
    if call.rank != 4:
        raise call.layer.damaged(f"is called on a tensor of rank {call.rank} instead of 4")
    if not _has_channels_first(call.layer):
        compute(call.edge, call.name)
        return [call.name]
    turned, result = call.aside("channels_last"), call.aside("result")
    call.add(Transpose(name=turned, input=call.edge, output=turned, permutation=_TO_CHANNELS_LAST))
    compute(turned, result)
    call.add(
        Transpose(name=call.name, input=result, output=call.name, permutation=_TO_CHANNELS_FIRST)
    )
    return [call.name]


def _has_channels_first(layer: LayerConfig) -> bool:
    return layer.options.get("data_format") == "channels_first"


def _pair(layer: LayerConfig, option: str, *, default: int = 1) -> tuple[int, int]:
    """(rows, columns), both at least 1."""
    value = layer.options.get(option)
    listed = [default if value is None else value] * 2
    if isinstance(value, list | tuple):
        listed = list(value) * (2 // max(len(value), 1))
    fits = len(listed) == 2 and all(type(size) is int and 0 < size <= MAX_SIZE for size in listed)
    if not fits:
        raise layer.damaged(f"has {option} = {value!r}, which is not two sizes")
    return listed[0], listed[1]


def _paddings(layer: LayerConfig) -> tuple[Padding, Padding]:
    value = layer.text("padding", default="valid")
    if value not in ("valid", "same"):
        raise layer.damaged(f"has the padding {value!r}")
    return Padding(value), Padding(value)


def conv(call: Call) -> list[str]:
    layer = call.layer
    filters = layer.size("filters")
    kernel = call.weight("kernel", (*_pair(layer, "kernel_size"), None, filters))

    def compute(edge: str, output: str) -> None:
        call.add(Conv2D(
            name=output, input=edge, output=output, kernel=kernel,
            bias=call.optional_weight("bias", (filters,)),
            strides=_pair(layer, "strides"), dilations=_pair(layer, "dilation_rate"),
            groups=layer.size("groups", default=1), paddings=_paddings(layer),
            activation=activation(layer, call.keras),
        ))  # fmt: skip

    return _over_image(call, compute)


def _depthwise(call: Call) -> FloatArray:
    """[rows, columns, C, multiplier]"""
    layer = call.layer
    multiplier = layer.size("depth_multiplier", default=1)
    return call.weight("depthwise_kernel", (*_pair(layer, "kernel_size"), None, multiplier))


def depthwise_conv(call: Call) -> list[str]:
    layer, kernel = call.layer, _depthwise(call)
    rows, columns, channels, multiplier = kernel.shape

    def compute(edge: str, output: str) -> None:
        call.add(Conv2D(
            name=output, input=edge, output=output,
            kernel=kernel.reshape(rows, columns, 1, channels * multiplier),
            bias=call.optional_weight("bias", (channels * multiplier,)),
            strides=_pair(layer, "strides"), dilations=_pair(layer, "dilation_rate"),
            groups=channels, paddings=_paddings(layer),
            activation=activation(layer, call.keras),
        ))  # fmt: skip

    return _over_image(call, compute)


def separable_conv(call: Call) -> list[str]:
    layer, depthwise = call.layer, _depthwise(call)
    filters = layer.size("filters")
    rows, columns, channels, multiplier = depthwise.shape
    pointwise = call.weight("pointwise_kernel", (1, 1, channels * multiplier, filters))

    def compute(edge: str, output: str) -> None:
        middle = call.aside("depthwise")
        call.add(Conv2D(
            name=middle, input=edge, output=middle,
            kernel=depthwise.reshape(rows, columns, 1, channels * multiplier), bias=None,
            strides=_pair(layer, "strides"), dilations=_pair(layer, "dilation_rate"),
            groups=channels, paddings=_paddings(layer), activation=LINEAR,
        ))  # fmt: skip
        call.add(Conv2D(
            name=output, input=middle, output=output, kernel=pointwise,
            bias=call.optional_weight("bias", (filters,)),
            activation=activation(layer, call.keras),
        ))  # fmt: skip

    return _over_image(call, compute)


def _pool(kind: PoolKind) -> Emit:
    def pool(call: Call) -> list[str]:
        layer = call.layer
        window = _pair(layer, "pool_size", default=2)
        is_given = layer.options.get("strides") is not None
        strides = _pair(layer, "strides") if is_given else window

        def compute(edge: str, output: str) -> None:
            call.add(Pool2D(
                name=output, input=edge, output=output, kind=kind, window=window,
                strides=strides, paddings=_paddings(layer),
            ))  # fmt: skip

        return _over_image(call, compute)

    return pool


def _global_pool(kind: PoolKind) -> Emit:
    """All rows and columns as one axis of steps."""

    def pool(call: Call) -> list[str]:
        first = _has_channels_first(call.layer)
        keepdims = call.layer.flag("keepdims")
        if call.rank != 4 or call.shape[1 if first else 3] is None:
            raise call.layer.damaged(f"is called on a tensor of shape {call.shape}")
        channels = call.shape[1 if first else 3] or 0
        edge = call.edge
        if first:
            edge = call.aside("channels_last")
            order = _TO_CHANNELS_LAST
            call.add(Transpose(name=edge, input=call.edge, output=edge, permutation=order))
        steps = call.aside("steps")
        call.add(Reshape(name=steps, input=edge, output=steps, target=(-1, channels)))
        pooled = call.aside("pooled") if keepdims else call.name
        call.add(GlobalPool1D(name=pooled, input=steps, output=pooled, kind=kind))
        if keepdims:
            target = (channels, 1, 1) if first else (1, 1, channels)
            call.add(Reshape(name=call.name, input=pooled, output=call.name, target=target))
        return [call.name]

    return pool


def _axes(layer: LayerConfig) -> tuple[int, int]:
    """Where rows and columns are: nothing but their place matters to layers that move them."""
    return (2, 3) if _has_channels_first(layer) else (1, 2)


def _in_turn(call: Call, add: Callable[[int, str, str], None], wanted: list[bool]) -> list[str]:
    """add(number of the axis, input, output) for rows and columns as far as they are wanted."""
    numbers = [number for number, is_wanted in enumerate(wanted) if is_wanted]
    edge = call.edge
    for number in numbers:
        output = call.name if number == numbers[-1] else call.aside("rows")
        add(number, edge, output)
        edge = output
    return [edge]


def zero_padding(call: Call) -> list[str]:
    sides = _sides(call.layer, "padding")

    def add(number: int, edge: str, output: str) -> None:
        (left, right), axis = sides[number], _axes(call.layer)[number]
        call.add(
            ZeroPad1D(name=output, input=edge, output=output, left=left, right=right, axis=axis)
        )

    return _in_turn(call, add, [side != (0, 0) for side in sides])


def cropping(call: Call) -> list[str]:
    sides = _sides(call.layer, "cropping")
    for (left, right), axis in zip(sides, _axes(call.layer), strict=True):
        size = call.shape[axis]
        if size is not None and left + right >= size:
            raise call.layer.damaged(f"crops {left} + {right} of {size}")

    def add(number: int, edge: str, output: str) -> None:
        (left, right), axis = sides[number], _axes(call.layer)[number]
        stop = -right if right else None
        call.add(Slice(name=output, input=edge, output=output, axis=axis, start=left, stop=stop))

    return _in_turn(call, add, [side != (0, 0) for side in sides])


def upsampling(call: Call) -> list[str]:
    times = _pair(call.layer, "size", default=2)
    way = call.layer.text("interpolation", default="nearest")
    if way != "nearest":
        raise call.layer.unsupported(
            f"interpolates ({way})", "Use interpolation='nearest', or resize before the model"
        )

    def add(number: int, edge: str, output: str) -> None:
        axis = _axes(call.layer)[number]
        call.add(Upsample1D(name=output, input=edge, output=output, times=times[number], axis=axis))

    return _in_turn(call, add, [each != 1 for each in times])


def _sides(layer: LayerConfig, option: str) -> list[tuple[int, int]]:
    """Before and behind the rows, and the columns: from n, (rows, columns) or two pairs."""
    value: Any = layer.options.get(option, 1 if option == "padding" else 0)
    pair = [value, value] if isinstance(value, int) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise layer.damaged(f"has {option} = {value!r}, which is not two pairs of sizes")
    sides = [(side, side) if isinstance(side, int) else tuple(side or ()) for side in pair]
    for side in sides:
        fits = len(side) == 2 and all(type(size) is int and 0 <= size <= MAX_SIZE for size in side)
        if not fits:
            raise layer.damaged(f"has {option} = {value!r}, which is not two pairs of sizes")
    return [(side[0], side[1]) for side in sides]


_AVERAGE: Final = PoolKind.AVERAGE

IMAGES: Final[dict[str, KerasClass]] = {
    "Conv2D": KerasClass(emit=conv, variables=arrays_and_bias("kernel")),
    "DepthwiseConv2D": KerasClass(
        emit=depthwise_conv, variables=arrays_and_bias("depthwise_kernel")
    ),
    "SeparableConv2D": KerasClass(
        emit=separable_conv, variables=arrays_and_bias("depthwise_kernel", "pointwise_kernel")
    ),
    "MaxPooling2D": KerasClass(emit=_pool(PoolKind.MAX)),
    "AveragePooling2D": KerasClass(emit=_pool(_AVERAGE)),
    "GlobalMaxPooling2D": KerasClass(emit=_global_pool(PoolKind.MAX)),
    "GlobalAveragePooling2D": KerasClass(emit=_global_pool(_AVERAGE)),
    "ZeroPadding2D": KerasClass(emit=zero_padding),
    "Cropping2D": KerasClass(emit=cropping),
    "UpSampling2D": KerasClass(emit=upsampling),
}
