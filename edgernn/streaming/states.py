"""Turns the states of stateful layers into inputs and outputs of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edgernn.graph import (
    DType,
    Graph,
    Gru,
    Input,
    Layer,
    Lstm,
    Output,
    Recurrent,
    Shape,
    SimpleRnn,
    State,
    TensorSpec,
)


@dataclass(slots=True, kw_only=True)
class Ports:
    """The inputs, outputs and states of a graph under construction, with unique names."""

    inputs: list[Input]
    outputs: list[Output]
    states: list[State]
    taken: set[str] = field(default_factory=set)  # every edge and output

    @classmethod
    def of(cls, graph: Graph) -> Ports:
        return cls(
            inputs=list(graph.inputs),
            outputs=list(graph.outputs),
            states=list(graph.states),
            taken={*graph.specs, *(output.name for output in graph.outputs)},
        )

    def unique(self, wanted: str) -> str:
        """Reserves and returns `wanted`, or the first free one of wanted_2, wanted_3, ..."""
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name

    def new_state(self, wanted: str, shape: Shape, dtype: DType = DType.FLOAT32) -> str:
        """Adds an input for the state after the previous call; `hand_on` must follow."""
        name = self.unique(wanted)
        self.inputs.append(Input(name=name, spec=TensorSpec(shape=shape, dtype=dtype)))
        return name

    def hand_on(self, state: str, edge: str) -> None:
        """Makes `edge` the input `state` of the next call.

        An output of that edge is the state's, unless callers would then get no result.
        """
        used = {known.output for known in self.states}
        results = [output for output in self.outputs if output.name not in used]
        free = [output.name for output in results if output.edge == edge and len(results) > 1]
        name = free[0] if free else self.unique(f"{state}_out")
        if not free:
            self.outputs.append(Output(name=name, edge=edge))
        self.states.append(State(input=state, output=name))

    def is_state(self, edge: str) -> bool:
        return any(state.input == edge for state in self.states)


def state_fields(layer: Recurrent) -> tuple[tuple[str, str], ...]:
    """(field of the initial state, field of the final state) for h, and for c of an LSTM."""
    both = (("initial_h", "state_h"), ("initial_c", "state_c"))
    return both if isinstance(layer, Lstm) else both[:1]


def expose_states(graph: Graph) -> Graph:
    """Makes the states of stateful layers inputs and outputs, because a file stores no states.

    A stateful layer with an initial state starts each call from that state, as in Keras, and has
    no state of its own.
    """
    ports = Ports.of(graph)
    layers = [
        _exposed(layer, graph, ports)
        if isinstance(layer, SimpleRnn | Gru | Lstm) and layer.stateful
        else layer
        for layer in graph.layers
    ]
    return with_ports(graph, layers, ports)


def _exposed(layer: Recurrent, graph: Graph, ports: Ports) -> Layer:
    if layer.initial_h is not None:
        return replace(layer, stateful=False)
    batch = graph.specs[layer.input].shape[0]
    given: dict[str, str] = {}
    for initial, final in state_fields(layer):
        wanted = f"{layer.name}_{initial[-1]}"
        given[initial] = ports.new_state(wanted, (batch, layer.units))
        ports.hand_on(given[initial], getattr(layer, final))
    return replace(layer, stateful=False, **given)  # type: ignore[arg-type]


def with_ports(graph: Graph, layers: Sequence[Layer], ports: Ports) -> Graph:
    return replace(
        graph,
        inputs=tuple(ports.inputs),
        layers=tuple(layers),
        outputs=tuple(ports.outputs),
        states=tuple(ports.states),
    )
