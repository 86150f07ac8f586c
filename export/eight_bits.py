"""Which layers of an int4 model keep 8 bits, so that its answers stay near."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from edgernn.export.in_scheme import with_fine_layers
from edgernn.export.request import Request
from edgernn.graph import Graph, QTensor
from edgernn.scheme import Scheme

_FOUR: Final = 4

#: What a file says of a layer that the search of --max-drop left with 8 bits.
SAID: Final = "keeps weights of 8 bits, to lose no more than allowed"


def four_bit_layers(graph: Graph) -> tuple[str, ...]:
    """The layers with a matrix of 4 bits, in the graph's order."""
    return tuple(
        layer.name
        for layer in graph.layers
        if any(
            isinstance(weight, QTensor) and weight.bits == _FOUR
            for weight in layer.weights.values()
        )
    )


def fewest_in_int8(
    layers: Sequence[str],
    noise: Mapping[str, float],
    is_enough: Callable[[tuple[str, ...]], bool],
) -> tuple[str, ...] | None:
    """The layers of `layers` to keep in int8 for `is_enough` to hold; few of them.

    noise: of each layer alone; those that make most are tried first.  None where all would have to,
    since that is a model of int8.

    >>> fewest_in_int8(["gru", "dense"], {"gru": 0.1}, lambda kept: "gru" in kept)
    ('gru',)
    """
    costliest = sorted(layers, key=lambda name: -noise.get(name, 0.0))
    kept = next((names for names in _choices(costliest) if is_enough(names)), None)
    for name in kept or ():
        without = tuple(other for other in kept or () if other != name)
        if without and is_enough(without):
            kept = without
    return kept


def _choices(costliest: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """More and more of the loudest, then all but any one: the loudest alone need not help most."""
    for count in range(len(costliest)):
        yield tuple(costliest[:count])
    for name in costliest[:-1]:
        yield tuple(other for other in costliest if other != name)


def with_int8(original: Graph, request: Request, layers: Sequence[str]) -> Request:
    """The request with these layers in int8, and the finer activations that go with them."""
    if not layers:
        return request
    both = {**request.per_layer, **dict.fromkeys(layers, Scheme.INT8)}
    return with_fine_layers(original, replace(request, per_layer=both, fine=None))
