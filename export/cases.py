"""Inputs on which an artefact is compared with the reference: random, short, masked, zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.graph import (
    AnyNotEqual,
    DType,
    Embedding,
    Graph,
    GraphError,
    NotEqual,
    TensorSpec,
    at_shapes,
    consumers,
)
from edgernn.graph.tensor import AnyArray
from edgernn.reference import with_free_batch

#: Tokens where no Embedding says how many there are.
FEW_TOKENS: Final = 10

#: What free dimensions are tried with, until the windows of the model fit in.
_FREE_SIZES: Final = (7, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One call of the model: what it is meant to show, and its arguments by name."""

    name: str
    inputs: Mapping[str, AnyArray]


def make_cases(graph: Graph, *, seed: int = 0) -> tuple[Case, ...]:
    """Calls that the model can take: batch 1 and 3, one step, all zero, and masked ones.

    Batch and time are varied only where the graph leaves them free.  Numbers are normal, those of
    an int8 graph from its calibrated ranges, states in [-1, 1].  The same graph and seed give the
    same cases.
    """
    random = np.random.default_rng(seed)
    cases = [_case(f"random, {sizes}", graph, sizes, random) for sizes in _possible_sizes(graph)]
    first = cases[0]
    cases.append(
        Case(name="all zero", inputs={name: np.zeros_like(x) for name, x in first.inputs.items()})
    )
    if _has_masks(graph):
        cases += [
            Case(name=f"masked, {case.name}", inputs=_with_masked_steps(graph, case.inputs, random))
            for case in cases[:-1]
        ]
    return tuple(cases)


def random_rows(graph: Graph, rows: int, *, seed: int = 0) -> dict[str, AnyArray]:
    """So many rows of made-up inputs by name, also where a call takes another number of them.

    Steps are masked here and there, where the model knows masks.
    """
    random = np.random.default_rng(seed)
    free = with_free_batch(graph)
    for steps in _FREE_SIZES:
        sizes = _Sizes(batch=rows, free=steps)
        shapes = tuple(_concrete(entry.spec, sizes) for entry in free.inputs)
        if _fits(free, shapes):
            inputs = _case("rows", free, sizes, random).inputs
            return _with_masked_steps(free, inputs, random)
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    batch: int
    free: int  # what every other free dimension becomes

    def __str__(self) -> str:
        return f"batch {self.batch}, free dimensions {self.free}"


def _possible_sizes(graph: Graph) -> Iterator[_Sizes]:
    """Sizes that shape inference accepts; a window of a convolution may need more steps."""
    seen: set[tuple[tuple[int, ...], ...]] = set()
    for batch, least in ((1, 7), (1, 1), (3, 7), (3, 1)):
        for free in (least, *_FREE_SIZES[1:]):
            sizes = _Sizes(batch=batch, free=free)
            shapes = tuple(_concrete(entry.spec, sizes) for entry in graph.inputs)
            if _fits(graph, shapes):
                if shapes not in seen:
                    seen.add(shapes)
                    yield sizes
                break


def _fits(graph: Graph, shapes: tuple[tuple[int, ...], ...]) -> bool:
    names = [entry.name for entry in graph.inputs]
    try:
        at_shapes(graph, dict(zip(names, shapes, strict=True)))
    except GraphError:
        return False
    return True


def _concrete(spec: TensorSpec, sizes: _Sizes) -> tuple[int, ...]:
    batch = sizes.batch if spec.shape[0] is None else spec.shape[0]
    return (batch, *(sizes.free if size is None else size for size in spec.shape[1:]))


def _case(name: str, graph: Graph, sizes: _Sizes, random: np.random.Generator) -> Case:
    return Case(
        name=name,
        inputs={
            entry.name: _random_array(graph, entry.name, _concrete(entry.spec, sizes), random)
            for entry in graph.inputs
        },
    )


def _random_array(
    graph: Graph, name: str, shape: tuple[int, ...], random: np.random.Generator
) -> AnyArray:
    match graph.specs[name].dtype:
        case DType.FLOAT32:
            if any(state.input == name for state in graph.states):
                return random.uniform(-1, 1, shape).astype(np.float32)
            known = graph.quantization.ranges.edges.get(name) if graph.quantization else None
            if known is not None and known.channel_low.shape == shape[-1:]:
                return random.uniform(known.channel_low, known.channel_high, shape).astype(
                    np.float32
                )
            return random.normal(size=shape).astype(np.float32)
        case DType.INT32:
            return random.integers(0, _tokens(graph, name), size=shape, dtype=np.int32)
        case DType.BOOL:
            return random.random(shape) < 0.8


def _tokens(graph: Graph, edge: str) -> int:
    """How many tokens the smallest table that reads `edge` knows."""
    tables = [layer.table for layer in consumers(graph, edge) if isinstance(layer, Embedding)]
    return min((table.shape[0] for table in tables), default=FEW_TOKENS)


def _has_masks(graph: Graph) -> bool:
    return any(isinstance(layer, NotEqual | AnyNotEqual) for layer in graph.layers)


def _with_masked_steps(
    graph: Graph, inputs: Mapping[str, AnyArray], random: np.random.Generator
) -> dict[str, AnyArray]:
    """Holes everywhere and, with more than one row, a last row without any valid step."""
    masked = {name: array.copy() for name, array in inputs.items()}
    for layer in graph.layers:
        if isinstance(layer, NotEqual | AnyNotEqual) and layer.input in masked:
            array = masked[layer.input]
            holes: npt.NDArray[np.bool_] = random.random(array.shape[:2]) < 0.4
            if len(holes) > 1:
                holes[-1] = True
            array[holes] = layer.value
    return masked
