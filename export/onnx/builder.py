"""Collects ONNX nodes and constants, and writes them in the oldest opset that has all of them.

Some operators take a parameter as an attribute in old opsets and as an input in new ones
(`Squeeze` and its axes).  A node therefore stores such parameters separately until the whole
model, and so the opset, is known.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from edgernn.graph import AnyArray

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto

#: A value of the ONNX graph: an input, an initializer or a node's result.
Value: TypeAlias = str

ABSENT: Final[Value] = ""

MICROSOFT: Final = "com.microsoft"
EDGERNN: Final = "org.edgernn"  # the operators of edgernn/runtime/ort

# Element types, as TensorProto numbers them.
FLOAT: Final = 1
INT32: Final = 6
INT64: Final = 7
BOOL: Final = 9

# ONNX Runtime starts at opset 7.  IR 4 is the first where a constant need not be an input too.
OLDEST_OPSET: Final = 7
OLDEST_IR: Final = 4

# The first opset in which an operator has the form used here; OLDEST_OPSET if not listed.
_SINCE: Final[Mapping[str, int]] = {
    "ConstantOfShape": 9,
    "CumSum": 11,
    "DequantizeLinear": 13,  # per channel
    "DynamicQuantizeLinear": 11,
    "Einsum": 12,
    "Erf": 9,
    "Expand": 8,
    "GatherND": 12,  # batch_dims
    "Max": 8,  # broadcasting
    "Mean": 8,
    "MatMulInteger": 10,
    "Min": 8,
    "QuantizeLinear": 10,
    "Range": 11,
    "Scan": 9,
    "Shrink": 9,
    "Sign": 9,
    "Sum": 8,
    "TopK": 11,  # sorts on request, ties by index
    "Where": 9,
}

# (operator, parameter) -> opset from which the parameter is an input.
_INPUT_FROM: Final[Mapping[str, int]] = {
    "Clip": 11,
    "Pad": 11,
    "ReduceL1": 18,
    "ReduceMax": 18,
    "ReduceMean": 18,
    "ReduceSum": 13,
    "Slice": 10,
    "Split": 13,
    "Squeeze": 13,
    "Unsqueeze": 13,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The inner graph of a Scan.  It can read outer values, so constants stay outside."""

    nodes: tuple[_Node, ...]
    inputs: tuple[tuple[Value, int], ...]  # with their element types
    outputs: tuple[tuple[Value, int], ...]


Attribute: TypeAlias = (
    int | float | str | bytes | Sequence[int] | Sequence[float] | Sequence[str] | Body
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    kind: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    name: str
    domain: str
    attributes: Mapping[str, Attribute]
    parameters: Mapping[str, AnyArray]  # attributes before _INPUT_FROM[kind], inputs after


@dataclass(slots=True, kw_only=True)
class Builder:
    """A mutable ONNX graph under construction; `write` ends it."""

    reserved: frozenset[str]  # names of the model's inputs and outputs, never given to a value
    opset: int = OLDEST_OPSET
    domains: set[str] = field(default_factory=set)  # of operators that are not ONNX's own
    _nodes: list[_Node] = field(default_factory=list)
    _constants: dict[Value, AnyArray] = field(default_factory=dict)
    _by_content: dict[Hashable, Value] = field(default_factory=dict)
    _count: int = 0

    def op(
        self, kind: str, *inputs: Value, name: str = "", **attributes: Attribute | AnyArray
    ) -> Value:
        """Adds a node of one output, and names that output.

        An attribute that is an array is an input in newer opsets.
        """
        return self.ops(kind, *inputs, outputs=(True,), name=name, attributes=attributes)[0]

    def op_once(self, kind: str, *inputs: Value, **attributes: int) -> Value:
        """Adds a node with one output; equal calls return the same node."""
        key = (kind, inputs, tuple(attributes.items()))
        if key not in self._by_content:
            added = self.ops(kind, *inputs, outputs=(True,), attributes=attributes)
            self._by_content[key] = added[0]
        return self._by_content[key]

    def ops(
        self,
        kind: str,
        *inputs: Value,
        outputs: Sequence[bool],
        name: str = "",
        domain: str = "",
        attributes: Mapping[str, Attribute | AnyArray] = MappingProxyType({}),
    ) -> tuple[Value, ...]:
        """Adds a node; an output that is not wanted (False) is absent."""
        if domain:
            self.domains.add(domain)
        else:
            self.needs(_SINCE.get(kind, OLDEST_OPSET))
        names = tuple(self.fresh() if wanted else ABSENT for wanted in outputs)
        self._nodes.append(
            _Node(
                kind=kind,
                inputs=inputs,
                outputs=names,
                name=name,
                domain=domain,
                attributes={k: v for k, v in attributes.items() if not isinstance(v, np.ndarray)},
                parameters={k: v for k, v in attributes.items() if isinstance(v, np.ndarray)},
            )
        )
        return names

    def body(
        self,
        inputs: Sequence[int],
        make: Callable[[Sequence[Value]], Sequence[tuple[Value, int]]],
    ) -> Body:
        """An inner graph: `make` gets its inputs (of these element types), returns its outputs.

        All nodes that `make` adds are part of it; constants are not.
        """
        outer, self._nodes = self._nodes, []
        names = tuple(self.fresh() for _ in inputs)
        try:
            outputs = tuple(make(names))
            nodes = tuple(self._nodes)
        finally:
            self._nodes = outer
        return Body(nodes=nodes, inputs=tuple(zip(names, inputs, strict=True)), outputs=outputs)

    def needs(self, opset: int) -> None:
        """Raises the model's opset to at least `opset`."""
        self.opset = max(self.opset, opset)

    def constant(self, array: AnyArray) -> Value:
        """A small constant; equal ones are stored once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        return self.constant_once(key, lambda: array)

    def constant_once(self, key: Hashable, make: Callable[[], AnyArray]) -> Value:
        """A constant with a key: `make` is called only if the key is new."""
        if key not in self._by_content:
            value = self.fresh()
            self._constants[value] = make()
            self._by_content[key] = value
        return self._by_content[key]

    def fresh(self) -> Value:
        """An unused name; short, since each is stored several times."""
        while True:
            name = _base26(self._count)
            self._count += 1
            if name not in self.reserved:
                return name

    def rename(self, value: Value, name: str) -> None:
        """Gives a node's result its public name."""

        def renamed(values: tuple[Value, ...]) -> tuple[Value, ...]:
            return tuple(name if old == value else old for old in values)

        self._nodes = [
            _with_values(node, renamed(node.inputs), renamed(node.outputs))
            if value in node.inputs or value in node.outputs
            else node
            for node in self._nodes
        ]

    def is_result(self, value: Value) -> bool:
        """Whether a node computes the value (it is neither an input nor a constant)."""
        return any(value in node.outputs for node in self._nodes)

    def write(self, graph: GraphProto, results: Iterable[Value]) -> None:
        """Adds the nodes and initializers that the results need, in the form of the final opset.

        The builder is empty afterwards: constants are released one by one, so that a large model
        is not kept in memory longer than necessary.
        """
        needed = set(results)
        kept: list[_Node] = []
        for node in reversed(self._nodes):
            if needed.intersection(node.outputs):
                kept.append(node)
                needed.update(_read_by(node))
        graph.node.extend(self._as_proto(node) for node in reversed(kept))
        used = needed.union(*(_names_read(node) for node in graph.node))
        for name in list(self._constants):
            array = self._constants.pop(name)
            if name in used:
                _fill(graph.initializer.add(), name, array)

    def _as_proto(self, node: _Node) -> NodeProto:
        from onnx import helper

        inputs = list(node.inputs)
        attributes: dict[str, Any] = dict(node.attributes)
        if node.parameters and self.opset >= _INPUT_FROM[node.kind]:
            inputs += [self.constant(array) for array in node.parameters.values()]
        else:
            attributes.update({key: array.tolist() for key, array in node.parameters.items()})
        while inputs and inputs[-1] == ABSENT:
            inputs.pop()
        bodies = {k: v for k, v in attributes.items() if isinstance(v, Body)}
        attributes.update({key: self._body_as_proto(body) for key, body in bodies.items()})
        outputs = list(node.outputs)
        while outputs[-1] == ABSENT:
            outputs.pop()
        return helper.make_node(
            node.kind, inputs, outputs, node.name or None, domain=node.domain or None, **attributes
        )

    def _body_as_proto(self, body: Body) -> GraphProto:
        from onnx import helper

        nodes = [self._as_proto(node) for node in body.nodes]
        return helper.make_graph(nodes, "step", _values(body.inputs), _values(body.outputs))


def _read_by(node: _Node) -> set[Value]:
    """The values that the node reads, and those that a body in it reads."""
    bodies = [value for value in node.attributes.values() if isinstance(value, Body)]
    inner = (_read_by(step) for body in bodies for step in body.nodes)
    return set(node.inputs).union(*inner)


def _names_read(node: NodeProto) -> set[str]:
    """Like _read_by, with the parameters that have become inputs."""
    inner = (_names_read(step) for entry in node.attribute for step in entry.g.node)
    return set(node.input).union(*inner)


def _values(entries: Sequence[tuple[Value, int]]) -> list[ValueInfoProto]:
    from onnx import helper

    return [helper.make_tensor_value_info(name, element, None) for name, element in entries]


def _with_values(node: _Node, inputs: tuple[Value, ...], outputs: tuple[Value, ...]) -> _Node:
    return replace(node, inputs=inputs, outputs=outputs)


def _base26(number: int) -> str:
    digits = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        digits = chr(ord("a") + digit) + digits
    return digits


def _fill(tensor: TensorProto, name: str, array: AnyArray) -> None:
    from onnx import helper

    tensor.name = name
    tensor.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor.dims.extend(array.shape)
    tensor.raw_data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
