"""Keras' attention layers: Attention, AdditiveAttention, MultiHeadAttention."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import KerasClass, Variable, named
from edgernn.export.keras.masks import combined, passing
from edgernn.graph import (
    SIGMOID,
    Attention,
    Concatenate,
    Dense,
    FloatArray,
    HiddenScores,
    Merge,
    MergeKind,
    Reshape,
    Slice,
)

_BY_MASKS: Final = (
    "Use the mask of its inputs (Masking, or Embedding with mask_zero=True), or use_causal_mask"
)


def attention(call: Call) -> list[str]:
    """Attention and AdditiveAttention."""
    layer = call.layer
    _refuse_scores(call)
    if len(call.inputs) not in (2, 3):
        raise layer.damaged(f"is called on {len(call.inputs)} tensors instead of two or three")
    query, value = call.inputs[0].edge, call.inputs[1].edge
    key = call.inputs[2].edge if len(call.inputs) == 3 else value
    _three_axes(call, query, value, key)
    scale, energy = _energy(call, query)
    call.add(Attention(
        name=call.name, query=query, value=value, key=key, output=call.name,
        query_mask=call.readable(call.masks[0]), key_mask=call.readable(call.masks[1]),
        scale=scale, energy=energy,
        causal=layer.flag("causal") or call.kwargs.get("use_causal_mask") is True,
    ))  # fmt: skip
    return [call.name]


def _energy(call: Call, query: str) -> tuple[float, FloatArray | None]:
    """The number that scores are multiplied by, and the weights of an additive score."""
    width = call.builder.shape(query)[-1]
    if call.layer.kind == "AdditiveAttention":
        given = call.optional_weight("scale", (width,))
        return 1.0, given if given is not None else call.derive("ones", lambda: np.ones(width or 1))
    number = call.optional_weight("scale", ())
    scale = 1.0 if number is None else float(number)
    weight = call.optional_weight("concat_score_weight", ())
    if weight is None:
        return scale, None
    return scale, call.derive("energy", lambda: np.full(width or 1, float(weight)))


def _attention_variables(layer: LayerConfig) -> tuple[Variable, ...]:
    is_additive = layer.kind == "AdditiveAttention"
    scale = ["scale"] if layer.flag("use_scale", default=is_additive) else []
    mode = layer.text("score_mode", default="dot")
    return named(*scale, *(["concat_score_weight"] if mode == "concat" else []))


def _refuse_mode(layer: LayerConfig) -> None:
    mode = layer.text("score_mode", default="dot")
    if mode not in ("dot", "concat"):
        raise layer.damaged(f"has the score mode {mode!r}")


def _refuse_scores(call: Call) -> None:
    if call.kwargs.get("return_attention_scores"):
        raise call.layer.unsupported(
            "returns its scores", "Call it without return_attention_scores"
        )


def _three_axes(call: Call, *edges: str) -> None:
    for edge in edges:
        shape = call.builder.shape(edge)
        if len(shape) != 3 or shape[-1] is None:
            raise call.layer.unsupported(
                f"attends over a tensor of shape {shape}",
                "Reshape it to [batch, steps, features] first",
            )


def multi_head_attention(call: Call) -> list[str]:
    """Dense layers of all heads together, one Attention for each head, and a Dense layer."""
    layer = call.layer
    _refuse_scores(call)
    for mask in ("attention_mask", "query_mask", "value_mask", "key_mask"):
        if call.kwargs.get(mask) is not None:
            raise layer.unsupported(f"is given an {mask}", _BY_MASKS)
    query = Tensor(edge=call.inputs[0].edge, mask=call.previous[0] if call.previous else None)
    value = _given(call, "value", 1)
    key = _given(call, "key", 2) or value
    if value is None or key is None:
        raise layer.damaged("is called without a value")
    _three_axes(call, query.edge, value.edge, key.edge)
    heads, width = layer.size("num_heads"), layer.size("key_dim")
    depth = layer.size("value_dim", default=width) if layer.options.get("value_dim") else width
    projected = [
        _projected(call, "query", query.edge, heads, width),
        _projected(call, "key", key.edge, heads, width),
        _projected(call, "value", value.edge, heads, depth),
    ]
    masks = [mask for mask in (value.mask, key.mask) if mask is not None]
    key_mask = call.readable(combined(call, MergeKind.AND, masks)) if masks else None
    parts = []
    for head in range(heads):
        q, k, v = (
            _head(call, edge, head, heads, size)
            for edge, size in zip(projected, (width, width, depth), strict=True)
        )
        part = call.aside(f"head_{head}")
        call.add(Attention(
            name=part, query=q, value=v, key=k, output=part,
            query_mask=call.readable(query.mask), key_mask=key_mask, scale=width**-0.5,
            causal=call.kwargs.get("use_causal_mask") is True, hidden=_hidden(call),
        ))  # fmt: skip
        parts.append(part)
    together = parts[0]
    if heads > 1:
        together = call.aside("heads")
        call.add(Concatenate(name=together, inputs=tuple(parts), output=together))
    if layer.flag("use_gate"):
        gate = _projected(call, "gate", query.edge, heads, depth)
        gated = call.aside("gated")
        call.add(Merge(name=gated, inputs=(together, gate), output=gated, kind=MergeKind.MULTIPLY))
        together = gated
    _output(call, together, heads * depth)
    _forget_masks(call, query, value, key)
    return [call.name]


def _given(call: Call, name: str, position: int) -> Tensor | None:
    """An argument by its name, or by its position among all tensors."""
    found: Any = call.kwargs.get(name)
    places = [*call.inputs, *call.extra]
    if found is None and len(places) > position:
        found = places[position]
    if found is not None and not isinstance(found, Tensor):
        raise call.layer.damaged(f"is given a {name} that is no tensor")
    if found is not None and found.edge in call.builder.unmasked:
        return Tensor(edge=found.edge)
    return found


def _hidden(call: Call) -> HiddenScores:
    """Only the path that Keras takes for dropout clears the probabilities of hidden pairs."""
    is_cleared = call.keras.clears_masked_softmax and call.layer.number("dropout", default=0.0) > 0
    return HiddenScores.ZEROED if is_cleared else HiddenScores.REPLACED


def _part(call: Call, name: str) -> LayerConfig:
    """The Dense layer inside that has this name: Keras 2 keeps it as a private attribute."""
    children = call.layer.children
    return children.get(f"{name}_dense") or children[f"_{name}_dense"]


def _projected(call: Call, name: str, edge: str, heads: int, width: int) -> str:
    inner = _part(call, name)
    features = call.builder.shape(edge)[-1]
    kernel = call.weight("kernel", (features, heads, width), inner)
    bias = call.optional_weight("bias", (heads, width), inner)
    output = call.aside(name)
    call.add(Dense(
        name=output, input=edge, output=output,
        kernel=call.derive(f"{name}/kernel", lambda: kernel.reshape(-1, heads * width)),
        bias=None if bias is None else call.derive(f"{name}/bias", lambda: bias.reshape(-1)),
        **({"activation": SIGMOID} if name == "gate" else {}),
    ))  # fmt: skip
    return output


def _head(call: Call, edge: str, head: int, heads: int, width: int) -> str:
    if heads == 1:
        return edge
    name = call.aside(f"head_{head}")
    start = head * width
    call.add(Slice(name=name, input=edge, output=name, axis=2, start=start, stop=start + width))
    return name


def _output(call: Call, edge: str, width: int) -> None:
    inner = _part(call, "output")
    kernel = call.weights(inner)["kernel"]  # [heads, depth, ...]
    sizes = kernel.shape[2:]
    if kernel.ndim < 3 or kernel.shape[0] * kernel.shape[1] != width:
        raise call.layer.damaged(f"has an output kernel of shape {kernel.shape}")
    bias = call.optional_weight("bias", sizes, inner)
    output = call.name if len(sizes) == 1 else call.aside("output")
    call.add(Dense(
        name=output, input=edge, output=output,
        kernel=call.derive("output/kernel", lambda: kernel.reshape(width, prod(sizes))),
        bias=None if bias is None else call.derive("output/bias", lambda: bias.reshape(-1)),
    ))  # fmt: skip
    if len(sizes) > 1:
        call.add(Reshape(name=call.name, input=output, output=call.name, target=(-1, *sizes)))


def _forget_masks(call: Call, *tensors: Tensor) -> None:
    """Keras 3 takes the masks off the tensors that it is given, for later layers, too."""
    if call.keras.attention_takes_masks:
        call.builder.unmasked.update(tensor.edge for tensor in tensors)


def _refuse_variants(layer: LayerConfig) -> None:
    if layer.options.get("attention_axes") not in (None, [1], (1,)):
        raise layer.unsupported(
            f"attends over the axes {layer.options['attention_axes']}",
            "Use attention_axes=None on [batch, steps, features]",
        )
    if layer.options.get("sliding_window") is not None:
        raise layer.unsupported(
            "attends within a sliding window", "Use sliding_window=None, and use_causal_mask=True"
        )


ATTENTION: Final[dict[str, KerasClass]] = {
    "Attention": KerasClass(
        emit=attention, variables=_attention_variables, mask=passing, refuse=_refuse_mode
    ),
    "AdditiveAttention": KerasClass(emit=attention, variables=_attention_variables, mask=passing),
    "MultiHeadAttention": KerasClass(
        emit=multi_head_attention, mask=passing, refuse=_refuse_variants
    ),
}
