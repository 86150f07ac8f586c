"""Windows over rows and columns, channels first as ONNX has them."""

from __future__ import annotations

from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx.activation import activate_result
from edgernn.export.onnx.builder import ABSENT, Attribute
from edgernn.export.onnx.edges import Edges, Form, Layout
from edgernn.export.onnx.weights import weight
from edgernn.graph import AnyArray, Conv2D, Padding, Pool2D, PoolKind, window_padding

_CHANNELS_FIRST = Form(Layout.CHANNELS_IMAGE)


def conv2d(layer: Conv2D, edges: Edges) -> None:
    builder = edges.builder

    def outputs_first(kernel: AnyArray) -> AnyArray:
        return kernel.transpose(3, 2, 0, 1)

    if edges.pairs is not None:
        kernel, scale = edges.pairs.matrix(layer, layer.kernel, outputs_first)
        bias = edges.pairs.bias(layer.bias, layer.input, scale)
    else:
        kernel = weight(builder, layer.kernel, outputs_first, key="conv")
        bias = ABSENT if layer.bias is None else weight(builder, layer.bias)
    attributes = _padding(layer, layer.spans, edges)
    if layer.strides != (1, 1):
        attributes["strides"] = list(layer.strides)
    if layer.dilations != (1, 1):
        attributes["dilations"] = list(layer.dilations)
    if layer.groups != 1:
        attributes["group"] = layer.groups
    x = edges.read(layer.input, _CHANNELS_FIRST)
    result = builder.op("Conv", x, kernel, bias, name=layer.name, **attributes)
    activate_result(layer.activation, result, layer.output, edges, _CHANNELS_FIRST)


def pool2d(layer: Pool2D, edges: Edges) -> None:
    operator = {PoolKind.MAX: "MaxPool", PoolKind.AVERAGE: "AveragePool"}[layer.kind]
    attributes = _padding(layer, layer.window, edges)
    attributes |= {"kernel_shape": list(layer.window), "strides": list(layer.strides)}
    x = edges.read(layer.input, _CHANNELS_FIRST)
    result = edges.builder.op(operator, x, name=layer.name, **attributes)
    edges.define(layer.output, result, _CHANNELS_FIRST)


def _padding(layer: Conv2D | Pool2D, spans: tuple[int, int], edges: Edges) -> dict[str, Attribute]:
    """Pads in numbers where they are known, else a rule: SAME with a stride depends on the size."""
    sizes = edges.spec(layer.input).shape[1:3]
    sides: list[tuple[int, int]] = []
    for size, span, stride, padding in zip(
        sizes, spans, layer.strides, layer.paddings, strict=True
    ):
        if padding is Padding.VALID:
            sides.append((0, 0))
        elif padding is Padding.CAUSAL:
            sides.append((span - 1, 0))
        elif size is not None:
            sides.append(window_padding(size, span, stride))
        elif stride == 1:
            sides.append(((span - 1) // 2, span // 2))
        elif layer.paddings == (Padding.SAME, Padding.SAME):
            return {"auto_pad": "SAME_UPPER"}
        else:  # the rule holds for both axes
            raise UnsupportedLayer(
                layer=layer.name,
                kind=type(layer).__name__,
                where="ONNX",
                reason="pads with strides one of two axes whose size only the run will tell",
                remedy="Give the model's input a fixed width",
            )
    pads = [before for before, _ in sides] + [after for _, after in sides]
    return {"pads": pads} if any(pads) else {}
