"""Loops over time that a model's author unrolled by hand become one recurrent layer again.

`for t in range(T): y, states = cell(x[:, t], states)` is read as T layers of one step.  Where each
of them takes the next step of one sequence and the states of the one before, with the same weights,
they are one layer over this sequence: smaller files, faster kernels, and a model that can stream.
What is no such loop (a decoder that is fed with its own answers) stays as it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgernn.graph import (
    Concatenate,
    Graph,
    Layer,
    Lstm,
    Recurrent,
    Reshape,
    Slice,
    as_float32,
    with_edges,
    without_dead_layers,
)


def rolled(graph: Graph) -> Graph:
    """The same function, with one layer for each loop.

    Cells that are stacked are found one after the other: the outputs of the first are the steps
    of the second.
    """
    while (loop := _first_loop(graph)) is not None:
        graph = _joined_again(_as_layer(graph, loop))
    return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loop:
    """Layers of one step each, in the order in which they run over `sequence`."""

    units: tuple[Recurrent, ...]
    sequence: str
    first: int  # the smallest step that they take
    backwards: bool


def _first_loop(graph: Graph) -> _Loop | None:
    writers = {edge: layer for layer in graph.layers for edge in layer.writes}
    steps = {
        layer.name: step
        for layer in graph.layers
        if isinstance(layer, Recurrent) and (step := _step_of(layer, graph, writers)) is not None
    }
    for layer in graph.layers:
        if layer.name not in steps or not isinstance(layer, Recurrent):
            continue
        units, way = [layer], 0
        sequence, at = steps[layer.name]
        while (following := _next(graph, units[-1], steps)) is not None:
            where, then = steps[following.name]
            if where != sequence or abs(then - at) != 1 or (way and then - at != way):
                break
            way, at = then - at, then
            units.append(following)
        if len(units) > 1 and _keeps_states(graph, units):
            first = min(steps[unit.name][1] for unit in units)
            return _Loop(
                units=tuple(units), sequence=sequence, first=first, backwards=way < 0
            )  # fmt: skip
    return None


def _step_of(layer: Recurrent, graph: Graph, writers: dict[str, Layer]) -> tuple[str, int] | None:
    """The sequence and the step of it that the layer takes alone; None for anything else."""
    if layer.mask is not None or layer.return_sequences or layer.stateful:
        return None
    shaped = writers.get(layer.input)
    if isinstance(shaped, Slice):  # x[:, t : t + 1], which a layer takes
        return _of_step(shaped, graph, layer)
    if not isinstance(shaped, Reshape) or graph.specs[layer.input].shape[1] != 1:
        return None
    taken = writers.get(shaped.input)
    return _of_step(taken, graph, layer) if isinstance(taken, Slice) and taken.squeeze else None


def _of_step(taken: Slice, graph: Graph, layer: Recurrent) -> tuple[str, int] | None:
    spec = graph.specs[taken.input]
    if taken.axis != 1 or graph.specs[layer.input].shape[1] != 1:
        return None
    if spec.rank != 3 or spec.shape[2] != layer.features:
        return None
    if taken.start >= 0:
        return taken.input, taken.start
    return None if spec.shape[1] is None else (taken.input, spec.shape[1] + taken.start)


def _next(graph: Graph, unit: Recurrent, steps: dict[str, tuple[str, int]]) -> Recurrent | None:
    """The layer that goes on from the states of `unit`."""
    for layer in graph.layers:
        if layer.name not in steps or not isinstance(layer, type(unit)):
            continue
        goes_on = layer.initial_h in (unit.state_h, unit.output)
        if isinstance(unit, Lstm) and isinstance(layer, Lstm):
            goes_on = goes_on and layer.initial_c == unit.state_c
        if goes_on and _computes_alike(unit, layer):
            return layer
    return None


def _computes_alike(one: Recurrent, other: Recurrent) -> bool:
    """Whether both are calls of one cell."""
    mine, theirs = one.weights, other.weights
    same_weights = mine.keys() == theirs.keys() and all(
        mine[name] is theirs[name]
        or np.array_equal(as_float32(mine[name]), as_float32(theirs[name]))
        for name in mine
    )
    return same_weights and all(
        getattr(one, field, None) == getattr(other, field, None)
        for field in ("activation", "recurrent_activation", "reset_after", "go_backwards")
    )


def _keeps_states(graph: Graph, units: list[Recurrent]) -> bool:
    """Whether nobody else reads a cell state before the last: a layer over time shows only that."""
    inner = {unit.state_c for unit in units[:-1] if isinstance(unit, Lstm)}
    others = [layer for layer in graph.layers if layer not in units]
    read = {edge for layer in others for edge in layer.reads}
    return not inner & (read | {output.edge for output in graph.outputs})


def _as_layer(graph: Graph, loop: _Loop) -> Graph:
    """One layer instead of the units, and slices of its outputs under the names of theirs."""
    first, last, count = loop.units[0], loop.units[-1], len(loop.units)
    taken = {edge for layer in graph.layers for edge in (layer.name, *layer.writes)}
    names = (f"{first.name}/{part}" for part in ("steps", "over_time"))
    steps, output = (_free(name, taken) for name in names)
    part = Slice(
        name=steps, input=loop.sequence, output=steps, axis=1,
        start=loop.first, stop=loop.first + count,
    )  # fmt: skip
    is_whole = graph.specs[loop.sequence].shape[1] == count
    whole = replace(
        first, input=loop.sequence if is_whole else steps, output=output, return_sequences=True,
        go_backwards=loop.backwards, state_h=last.state_h,
    )  # fmt: skip
    if isinstance(whole, Lstm) and isinstance(last, Lstm):
        whole = replace(whole, state_c=last.state_c)
    behind = count if is_whole else 0
    answers = [
        Slice(name=unit.name if unit is not first else _free(f"{first.name}/first", taken),
              input=output, output=unit.output, axis=1, start=position - behind, squeeze=True)
        for position, unit in enumerate(loop.units)  # -1 is the newest, which a stream has
    ]  # fmt: skip
    # A state before the last is the output of that step.
    shown = {unit.state_h: unit.output for unit in loop.units[:-1]}
    layers: list[Layer] = []
    for layer in graph.layers:
        if layer is first:
            layers += [part, whole, *answers]
        elif layer not in loop.units:
            layers.append(with_edges(layer, shown))
    outputs = [replace(one, edge=shown.get(one.edge, one.edge)) for one in graph.outputs]
    return without_dead_layers(replace(graph, layers=tuple(layers), outputs=tuple(outputs)))


def _free(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "'"
    taken.add(wanted)
    return wanted


def _joined_again(graph: Graph) -> Graph:
    """A sequence that is cut into its steps and stacked again is the sequence."""
    writers = {edge: layer for layer in graph.layers for edge in layer.writes}
    whole: dict[str, str] = {}
    layers: list[Layer] = []
    for given in graph.layers:
        layer = with_edges(given, whole)
        source = _stacked_steps(layer, graph, writers)
        if source is None:
            layers.append(layer)
        else:
            whole[layer.writes[0]] = whole.get(source, source)
    outputs = [replace(one, edge=whole.get(one.edge, one.edge)) for one in graph.outputs]
    return without_dead_layers(replace(graph, layers=tuple(layers), outputs=tuple(outputs)))


def _stacked_steps(layer: Layer, graph: Graph, writers: dict[str, Layer]) -> str | None:
    """The sequence of which `layer` joins all steps in their order."""
    if not isinstance(layer, Concatenate) or layer.axis not in (1, -2):
        return None
    if graph.specs[layer.output].rank != 3:
        return None
    sources: list[str] = []
    for position, edge in enumerate(layer.inputs):
        shaped = writers.get(edge)
        taken = writers.get(shaped.input) if isinstance(shaped, Reshape) else None
        if not isinstance(taken, Slice) or not taken.squeeze or taken.axis != 1:
            return None
        if taken.start % len(layer.inputs) != position or graph.specs[edge].shape[1] != 1:
            return None
        sources.append(taken.input)
    if len(set(sources)) != 1 or graph.specs[sources[0]] != graph.specs[layer.output]:
        return None
    return sources[0]
