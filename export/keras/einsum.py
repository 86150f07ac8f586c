"""Keras' EinsumDense: a Dense layer over any axes, as one over the last between other layers."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from edgernn.export.keras.activations import activation
from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import KerasClass, Variable, named
from edgernn.graph import (
    LINEAR,
    Activate,
    Affine,
    AnyArray,
    Dense,
    FloatArray,
    Reshape,
    Transpose,
)

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REMEDY: Final = "Use Dense, with Permute and Reshape around it"


def einsum_dense(call: Call) -> list[str]:
    layer = call.layer
    read, weights, written = _equation(call)
    kernel = call.weight("kernel", (None,) * len(weights))
    kept = [letter for letter in read if letter in written]
    summed = [letter for letter in read if letter not in written]
    made = [letter for letter in weights if letter not in read]
    sizes = dict(zip(read, call.shape, strict=True)) | dict(zip(weights, kernel.shape, strict=True))
    if any(letter in weights for letter in kept):
        raise layer.unsupported("has other weights for each place of an axis", _REMEDY)
    if read[0] != written[0] or not summed or not set(summed) <= set(weights):
        raise layer.unsupported(f"computes {layer.options.get('equation')!r}", _REMEDY)
    if sum(sizes[letter] is None for letter in kept[1:]) > 1:
        raise layer.unsupported("works on more than one axis of free size", "Fix its input's shape")
    order = [weights.index(letter) for letter in (*summed, *made)]
    rows, columns = (prod(sizes[letter] or 1 for letter in part) for part in (summed, made))
    matrix = call.derive("matrix", lambda: kernel.transpose(order).reshape(rows, columns))
    outside = [-1 if sizes[letter] is None else sizes[letter] or 1 for letter in kept[1:]]

    edge = _moved(call, call.edge, read, [*kept, *summed])
    if len(summed) > 1:
        edge = _reshaped(call, edge, [*outside, rows])
    bias, addend = _bias(call, made, written, sizes)
    function = activation(layer, call.keras)
    product = call.aside("product")
    call.add(Dense(
        name=product, input=edge, output=product, kernel=matrix, bias=bias,
        activation=LINEAR if addend is not None else function,
    ))  # fmt: skip
    edge = product
    if len(made) != 1:
        edge = _reshaped(call, edge, [*outside, *(sizes[letter] or 1 for letter in made)])
    edge = _moved(call, edge, "".join([*kept, *made]), list(written))
    if addend is not None:
        added = call.aside("biased")
        one = call.derive("one", lambda: np.ones(1))
        call.add(Affine(name=added, input=edge, output=added, scale=one, offset=addend))
        edge = added
        if function != LINEAR:
            edge = call.aside("active")
            call.add(Activate(name=edge, input=added, output=edge, activation=function))
    return [edge]


def _equation(call: Call) -> tuple[str, str, str]:
    """The letters of what is read, of the kernel, and of what is written, without dots."""
    equation = call.layer.text("equation", default="").replace(" ", "")
    operands, arrow, written = equation.partition("->")
    read, comma, weights = operands.partition(",")
    if not (arrow and comma and read and weights and written):
        raise call.layer.damaged(f"has the equation {equation!r}")
    missing = call.rank - len(read.replace("...", ""))
    dots = _LETTERS[: max(missing, 0)]
    read, written = read.replace("...", dots), written.replace("...", dots)
    if len(read) != call.rank or len(set(read)) != len(read) or len(set(written)) != len(written):
        raise call.layer.unsupported(f"computes {equation!r}", _REMEDY)
    if not set(written) <= {*read, *weights} or "." in weights:
        raise call.layer.damaged(f"has the equation {equation!r}")
    return read, weights, written


def _moved(call: Call, edge: str, letters: str, order: list[str]) -> str:
    permutation = tuple(letters.index(letter) for letter in order)
    if permutation == tuple(range(len(order))):
        return edge
    name = call.aside("moved")
    call.add(Transpose(name=name, input=edge, output=name, permutation=permutation))
    return name


def _reshaped(call: Call, edge: str, target: list[int]) -> str:
    name = call.aside("reshaped")
    call.add(Reshape(name=name, input=edge, output=name, target=tuple(target)))
    return name


def _bias(
    call: Call, made: list[str], written: str, sizes: dict[str, int | None]
) -> tuple[FloatArray | None, FloatArray | None]:
    """The bias of the Dense layer, or else an array to add to what is written."""
    axes = str(call.layer.options.get("bias_axes") or "")
    stored = call.weights(call.layer).get("bias")
    if not axes or stored is None:
        return None, None
    if not set(axes) <= set(written):
        raise call.layer.damaged(f"has the bias axes {axes!r}")
    # Keras stores the bias with a size of 1 for axes behind its first that it does not have.
    shape = [sizes[letter] if letter in axes else 1 for letter in written]
    if None in shape or stored.size != prod(size or 1 for size in shape):
        raise call.layer.damaged(f"has a bias of shape {stored.shape}")
    if set(axes) <= set(made):
        full = [sizes[letter] or 1 for letter in made]
        own = [sizes[letter] or 1 if letter in axes else 1 for letter in made]
        in_order = [letter for letter in written if letter in axes]
        turned = [in_order.index(letter) for letter in made if letter in axes]

        def flat() -> AnyArray:
            array = stored.reshape([sizes[letter] or 1 for letter in in_order]).transpose(turned)
            return np.broadcast_to(array.reshape(own), full).reshape(-1)

        return call.derive("bias", flat), None
    return None, call.derive("addend", lambda: stored.reshape([size or 1 for size in shape[1:]]))


def _variables(layer: LayerConfig) -> tuple[Variable, ...]:
    return named("kernel", *(["bias"] if layer.options.get("bias_axes") else []))


EINSUM: Final[dict[str, KerasClass]] = {
    "EinsumDense": KerasClass(emit=einsum_dense, variables=_variables)
}
