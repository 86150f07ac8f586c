"""Keras' convolutions and poolings over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edgernn.export.keras.activations import activation
from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import Emit, KerasClass, arrays_and_bias
from edgernn.graph import (
    LINEAR,
    Conv1D,
    GlobalPool1D,
    Padding,
    Pool1D,
    PoolKind,
    Reshape,
    Slice,
    Transpose,
    ZeroPad1D,
)

_CHANNELS_FIRST: Final = "channels_first"


def _over_time(call: Call, compute: Callable[[str, str], None]) -> list[str]:
    """Runs compute(input, output) on [B, T, C], whichever axis the channels are on in Keras."""
    if call.layer.options.get("data_format") != _CHANNELS_FIRST:
        compute(call.edge, call.name)
        return [call.name]
    turned, result = call.aside("channels_last"), call.aside("result")
    call.add(Transpose(name=turned, input=call.edge, output=turned, permutation=(0, 2, 1)))
    compute(turned, result)
    call.add(Transpose(name=call.name, input=result, output=call.name, permutation=(0, 2, 1)))
    return [call.name]


def _padding(call: Call) -> Padding:
    value = call.layer.text("padding", default="valid")
    try:
        return Padding(value)
    except ValueError as error:
        raise call.layer.damaged(f"has the padding {value!r}") from error


def conv(call: Call) -> list[str]:
    layer = call.layer
    filters = layer.size("filters")
    groups = layer.size("groups", default=1)
    kernel = call.weight("kernel", (layer.size("kernel_size"), None, filters))

    def compute(edge: str, output: str) -> None:
        call.add(Conv1D(
            name=output, input=edge, output=output, kernel=kernel,
            bias=call.optional_weight("bias", (filters,)),
            stride=layer.size("strides", default=1),
            dilation=layer.size("dilation_rate", default=1), groups=groups,
            padding=_padding(call), activation=activation(layer, call.keras),
        ))  # fmt: skip

    return _over_time(call, compute)


def depthwise_conv(call: Call) -> list[str]:
    layer = call.layer
    multiplier = layer.size("depth_multiplier", default=1)
    kernel = call.weight("depthwise_kernel", (layer.size("kernel_size"), None, multiplier))
    window, channels, _ = kernel.shape

    def compute(edge: str, output: str) -> None:
        call.add(Conv1D(
            name=output, input=edge, output=output,
            kernel=kernel.reshape(window, 1, channels * multiplier),
            bias=call.optional_weight("bias", (channels * multiplier,)),
            stride=layer.size("strides", default=1),
            dilation=layer.size("dilation_rate", default=1), groups=channels,
            padding=_padding(call), activation=activation(layer, call.keras),
        ))  # fmt: skip

    return _over_time(call, compute)


def separable_conv(call: Call) -> list[str]:
    layer = call.layer
    filters = layer.size("filters")
    multiplier = layer.size("depth_multiplier", default=1)
    depthwise = call.weight("depthwise_kernel", (layer.size("kernel_size"), None, multiplier))
    window, channels, _ = depthwise.shape
    pointwise = call.weight("pointwise_kernel", (1, channels * multiplier, filters))

    def compute(edge: str, output: str) -> None:
        middle = call.aside("depthwise")
        call.add(Conv1D(
            name=middle, input=edge, output=middle,
            kernel=depthwise.reshape(window, 1, channels * multiplier), bias=None,
            stride=layer.size("strides", default=1),
            dilation=layer.size("dilation_rate", default=1), groups=channels,
            padding=_padding(call), activation=LINEAR,
        ))  # fmt: skip
        call.add(Conv1D(
            name=output, input=middle, output=output, kernel=pointwise,
            bias=call.optional_weight("bias", (filters,)),
            activation=activation(layer, call.keras),
        ))  # fmt: skip

    return _over_time(call, compute)


def transposed_conv(call: Call) -> list[str]:
    """A convolution of the steps with zeros between them: a window backwards."""
    layer = call.layer
    filters, window = layer.size("filters"), layer.size("kernel_size")
    stride = layer.size("strides", default=1)
    dilation = layer.size("dilation_rate", default=1)
    kernel = call.weight("kernel", (window, filters, None))
    span = (window - 1) * dilation + 1
    longer, left = _output_steps(layer, span, stride)

    def compute(edge: str, output: str) -> None:
        if stride > 1:
            edge = _with_zeros_between(call, edge, stride, kernel.shape[2])
        before, after = span - 1 - left, longer + left
        if before or after > 0:
            padded = call.aside("padded")
            call.add(ZeroPad1D(
                name=padded, input=edge, output=padded, left=before, right=max(after, 0)
            ))  # fmt: skip
            edge = padded
        if after < 0:
            shorter = call.aside("shorter")
            call.add(Slice(name=shorter, input=edge, output=shorter, axis=1, stop=after))
            edge = shorter
        call.add(Conv1D(
            name=output, input=edge, output=output, dilation=dilation,
            kernel=call.derive("turned", lambda: kernel[::-1].transpose(0, 2, 1)),
            bias=call.optional_weight("bias", (filters,)), activation=activation(layer, call.keras),
        ))  # fmt: skip

    return _over_time(call, compute)


def _output_steps(layer: LayerConfig, span: int, stride: int) -> tuple[int, int]:
    """How many steps more than stride * T are written, and how many are cut off in front."""
    is_same = layer.text("padding", default="valid") == "same"
    extra = layer.options.get("output_padding")
    if extra is None:
        longer = 0 if is_same else max(span - stride, 0)
    else:
        added = layer.sizes("output_padding", 1)[0]
        longer = span - stride + added - (2 * (span // 2) if is_same else 0)
    return longer, max(span - stride - longer, 0) // 2 if is_same else 0


def _with_zeros_between(call: Call, edge: str, stride: int, channels: int) -> str:
    """[B, T, C] -> [B, stride * T, C]"""
    apart, padded, joined = (call.aside(name) for name in ("steps", "zeros", "spread"))
    call.add(Reshape(name=apart, input=edge, output=apart, target=(-1, 1, channels)))
    call.add(ZeroPad1D(name=padded, input=apart, output=padded, left=0, right=stride - 1, axis=2))
    call.add(Reshape(name=joined, input=padded, output=joined, target=(-1, channels)))
    return joined


def _pool(kind: PoolKind) -> Emit:
    def pool(call: Call) -> list[str]:
        window = call.layer.size("pool_size", default=2)
        strides = call.layer.options.get("strides")
        stride = window if strides is None else call.layer.size("strides")

        def compute(edge: str, output: str) -> None:
            call.add(Pool1D(
                name=output, input=edge, output=output, kind=kind, window=window, stride=stride,
                padding=_padding(call),
            ))  # fmt: skip

        return _over_time(call, compute)

    return pool


def _global_pool(kind: PoolKind) -> Emit:
    def pool(call: Call) -> list[str]:
        keepdims = call.layer.flag("keepdims")
        mask = call.mask if kind is PoolKind.AVERAGE else None
        edge = call.edge
        first = call.layer.options.get("data_format") == _CHANNELS_FIRST
        if first:
            edge = call.aside("channels_last")
            call.add(Transpose(name=edge, input=call.edge, output=edge, permutation=(0, 2, 1)))
        pooled = call.aside("pooled") if first and keepdims else call.name
        call.add(GlobalPool1D(
            name=pooled, input=edge, output=pooled, mask=mask, kind=kind, keepdims=keepdims
        ))  # fmt: skip
        if pooled != call.name:
            order = (0, 2, 1)
            call.add(Transpose(name=call.name, input=pooled, output=call.name, permutation=order))
        return [call.name]

    return pool


WINDOWS: Final[dict[str, KerasClass]] = {
    "Conv1D": KerasClass(emit=conv, variables=arrays_and_bias("kernel")),
    "DepthwiseConv1D": KerasClass(
        emit=depthwise_conv, variables=arrays_and_bias("depthwise_kernel")
    ),
    "SeparableConv1D": KerasClass(
        emit=separable_conv, variables=arrays_and_bias("depthwise_kernel", "pointwise_kernel")
    ),
    "Conv1DTranspose": KerasClass(emit=transposed_conv, variables=arrays_and_bias("kernel")),
    "MaxPooling1D": KerasClass(emit=_pool(PoolKind.MAX)),
    "AveragePooling1D": KerasClass(emit=_pool(PoolKind.AVERAGE)),
    "GlobalMaxPooling1D": KerasClass(emit=_global_pool(PoolKind.MAX)),
    "GlobalAveragePooling1D": KerasClass(emit=_global_pool(PoolKind.AVERAGE)),
}
