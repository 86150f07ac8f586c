"""Reads an .onnx file: its operators, in order, become the layers of a graph."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from edgernn.artefact import Source
from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.onnx_file.builder import Builder, free_name
from edgernn.export.onnx_file.folding import FOLDED, Budget, folded, with_free_sizes
from edgernn.export.onnx_file.free_time import with_free_time
from edgernn.export.onnx_file.given import Given
from edgernn.export.onnx_file.layout import BatchElsewhere
from edgernn.export.onnx_file.node import EXPORT_AGAIN, Node
from edgernn.export.onnx_file.operators import OPERATORS, REMEDIES
from edgernn.export.onnx_file.patterns import merged
from edgernn.export.onnx_file.protobuf import array_of, opset_of, parsed
from edgernn.export.onnx_file.states import with_states_apart
from edgernn.export.onnx_file.tidying import last_outputs_only, live
from edgernn.export.onnx_file.values import Array, Atom, Axes, Tensor, Value, is_batch
from edgernn.export.source_model import FilePort, SourceModel
from edgernn.graph import (
    DType,
    Graph,
    GraphError,
    Output,
    TensorSpec,
    without_dead_layers,
)
from edgernn.regular_file import DAMAGE

_TYPES: Final[dict[int, DType]] = {
    onnx.TensorProto.FLOAT: DType.FLOAT32,
    onnx.TensorProto.INT64: DType.INT32,
    onnx.TensorProto.INT32: DType.INT32,
}

#: More inputs than this are not looked at for another place of the batch.
MAX_INPUTS: Final = 64


def read_onnx(path: Path, *, free_time: bool = False) -> SourceModel:
    """The model in an .onnx file; with `free_time` its axis of time is free where nothing needs it.

    Raises ModelFileError if the file is damaged or no ONNX model, UnsupportedLayer if it holds an
    operator, or an option of one, that edgernn does not read.
    """
    model, content = parsed(path)
    try:
        return _read(model, content, path, free_time=free_time)
    except DAMAGE as error:
        raise ModelFileError(
            f"{path.name} is not what an exporter writes ({type(error).__name__}: {error})",
            remedy=EXPORT_AGAIN,
        ) from error


def _read(model: onnx.ModelProto, content: bytes, path: Path, *, free_time: bool) -> SourceModel:
    opset = opset_of(model, path)
    if model.functions:
        raise ModelFileError(
            f"{path.name} defines operators of its own ({model.functions[0].name})",
            remedy=f"{EXPORT_AGAIN}, and leave its optimizer on (optimize=True)",
        )
    folder = path.parent
    arrays = {tensor.name: array_of(tensor, folder) for tensor in model.graph.initializer}
    given = Given(model=model, arrays=arrays, path=path, size=len(content), opset=opset)
    graph, ports, warnings = read_graph(given)
    source = Source(
        file=path.name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
        keras_version="", parameters=graph.parameters, made_by=_maker(model, opset),
    )  # fmt: skip
    made = SourceModel(graph=graph, source=source, warnings=warnings, file=path, ports=ports)
    return with_free_time(given, made, read_graph) if free_time else made


def read_graph(
    given: Given, freed: Collection[tuple[str, int]] = ()
) -> tuple[Graph, dict[str, FilePort], tuple[str, ...]]:
    """The graph, the ports of the file by the graph's names, and warnings.

    freed: axes of inputs (name, axis in the file) that are read as free though the file fixes them.
    Raises ModelFileError and UnsupportedLayer.
    """
    reading = _File(given, freed)
    batch_axes: dict[str, int] = {}
    for _ in range(MAX_INPUTS):
        try:
            return reading.translated(batch_axes)
        except BatchElsewhere as found:  # noqa: PERF203 - each reading shows one more of them
            reading.move_batch(batch_axes, found.atom)
    raise _no_batch(given.path)


def _maker(model: onnx.ModelProto, opset: int) -> str:
    names = {"pytorch": "PyTorch"}
    maker = names.get(model.producer_name, model.producer_name)
    version = model.producer_version
    words = f"{maker} {version}".strip()
    return f"{words}, ONNX opset {opset}" if words else f"ONNX opset {opset}"


def _no_batch(path: Path) -> ModelFileError:
    return ModelFileError(
        f"{path.name} does not show which axis of its inputs is the batch",
        remedy="Put the batch first (batch_first=True) and export the model again",
    )


class _File:
    """One file, read as often as it takes to know which axis of each input is the batch."""

    def __init__(self, given: Given, freed: Collection[tuple[str, int]]) -> None:
        self._freed = frozenset(freed)
        self._given, self._model, self._path = given, given.model, given.path
        self._origins: list[tuple[Atom, str, int]] = []
        model, folder = given.model, given.path.parent
        self._constants: dict[str, Array] = dict(given.arrays)
        for node in model.graph.node:
            if node.op_type == "Constant" and node.domain in ("", "ai.onnx") and node.output:
                self._constants[node.output[0]] = _constant(node, folder)
        self._nodes = live(merged(model.graph.node, self._constants), model.graph.output)
        self._uses = Counter(name for node in self._nodes for name in node.input)
        self._uses.update(entry.name for entry in model.graph.output)

    def move_batch(self, batch_axes: dict[str, int], atom: Atom) -> None:
        """Remembers that the axis `atom` of an input is its batch; raises where it is not one."""
        for known, name, axis in self._origins:
            if known is atom and batch_axes.get(name, 0) == 0 and axis:
                batch_axes[name] = axis
                return
        raise _no_batch(self._path)

    def translated(
        self, batch_axes: dict[str, int]
    ) -> tuple[Graph, dict[str, FilePort], tuple[str, ...]]:
        """The graph, the axes that it has in another order than the file, and warnings."""
        builder = Builder(self._uses)
        budget = Budget(self._given.size)
        values: dict[str, Value] = dict(self._constants)
        ports: dict[str, FilePort] = {}
        warnings: list[str] = []
        self._origins = []
        if any(array.dtype == np.float16 for array in self._constants.values()):
            warnings.append(
                "the model computes in float16; edgernn reads its weights as float32 and computes "
                "in float32, so results differ by the rounding of the original"
            )
        for entry in self._model.graph.input:
            if entry.name not in self._constants:  # old files list their weights, too
                tensor, port = self._input(builder, entry, batch_axes.get(entry.name, 0))
                values[entry.name] = tensor
                ports[tensor.edge] = port
        for proto in self._nodes:
            node = self._node(proto)
            try:
                self._run(builder, node, values, budget)
            except (*DAMAGE, ZeroDivisionError) as error:
                raise node.damaged(f"contradicts itself ({error})") from error
        found = [self._output(builder, entry, values) for entry in self._model.graph.output]
        graph = self._graph(builder, [(wanted, edge) for wanted, edge, _ in found])
        ports |= {
            output.name: port for output, (_, _, port) in zip(graph.outputs, found, strict=True)
        }
        graph, ports, said = with_states_apart(graph, ports)
        warnings += said
        warnings += [
            f"'{port.name}' has its batch on axis {port.permutation[0]} in the file; the exported "
            f"model has it first: its axes are the file's in the order {list(port.permutation)}"
            for port in ports.values()
            if port.moves
        ]
        return graph, ports, tuple(warnings)

    def _input(
        self, builder: Builder, entry: onnx.ValueInfoProto, batch_axis: int
    ) -> tuple[Tensor, FilePort]:
        kind = entry.type.tensor_type
        if not entry.type.HasField("tensor_type") or kind.elem_type not in _TYPES:
            raise ModelFileError(
                f"the input '{entry.name}' is neither float32 nor integers",
                remedy="Export the model in float32: call model.float() before",
            )
        sizes = self._given.sizes(entry)
        if not sizes or any(size is not None and size <= 0 for size in sizes):
            raise ModelFileError(
                f"the input '{entry.name}' has the shape {sizes}",
                remedy="Give the model inputs with a batch axis and at least one element",
            )
        batch_axis = min(batch_axis, len(sizes) - 1)
        free = [None if (entry.name, at) in self._freed else size for at, size in enumerate(sizes)]
        atoms = [
            Atom(size, batch=at == batch_axis, frozen=sizes[at] if size is None else None)
            for at, size in enumerate(free)
        ]
        self._origins += [(atom, entry.name, at) for at, atom in enumerate(atoms)]
        port = FilePort(
            name=entry.name,
            permutation=(batch_axis, *(at for at in range(len(sizes)) if at != batch_axis)),
            dtype=onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
        )
        spec, frozen = (
            TensorSpec(
                shape=tuple(shape[at] for at in port.permutation), dtype=_TYPES[kind.elem_type]
            )
            for shape in (free, sizes)
        )
        edge = builder.add_input(_public(entry.name, "input"), spec, frozen)
        view: Axes = tuple((atom,) for atom in atoms)
        axes = tuple(view[at] for at in port.permutation)
        return Tensor(edge=edge, axes=axes, view=view), port

    def _run(self, builder: Builder, node: Node, values: dict[str, Value], budget: Budget) -> None:
        if node.kind == "Constant":
            return
        if node.domain not in ("", "ai.onnx"):
            raise node.unsupported(
                f"is an operator of the domain '{node.domain}'",
                "Export the model with the standard operators of ONNX",
            )
        missing = [name for name in node.inputs if name and name not in values]
        if missing:
            raise node.damaged(f"reads '{missing[0]}', which nothing wrote")
        arguments: list[Value | None] = [values[name] if name else None for name in node.inputs]
        results = _results(builder, node, arguments, budget)
        builder.shared |= {
            value.edge
            for name, value in zip(node.inputs, arguments, strict=True)
            if isinstance(value, Tensor) and self._uses[name] > 1
            for result in results
            if isinstance(result, Tensor) and result.edge == value.edge
        }
        named = zip(node.outputs, results, strict=False)
        values.update({name: value for name, value in named if name})

    def _node(self, proto: onnx.NodeProto) -> Node:
        given = self._given
        return Node(
            proto, opset=given.opset, torch=given.model.producer_name == "pytorch",
            where=given.where, again=given.again,
        )  # fmt: skip

    def _output(
        self,
        builder: Builder,
        entry: onnx.ValueInfoProto,
        values: dict[str, Value],
    ) -> tuple[str, str, FilePort]:
        """(name, edge, the file's port); the edge has the batch first."""
        value = values.get(entry.name)
        node = self._node(onnx.helper.make_node("Output", [], [entry.name], name=entry.name))
        if not isinstance(value, Tensor):
            raise ModelFileError(
                f"the output '{entry.name}' does not depend on the inputs",
                remedy="Leave it out of what forward() returns",
            )
        batch = [at for at, axis in enumerate(value.view) if is_batch(axis)]
        if len(batch) != 1:
            raise node.unsupported(
                "has no axis for the rows of the batch alone",
                "Return results with a batch axis: leave out squeeze() and view(-1)",
            )
        port = FilePort(
            name=entry.name,
            permutation=(batch[0], *(at for at in range(len(value.view)) if at != batch[0])),
            dtype="float32",
        )
        edge = builder.arranged(value, tuple(value.view[at] for at in port.permutation), node)
        return _public(entry.name, builder.origin(edge)), edge, port

    def _graph(self, builder: Builder, found: list[tuple[str, str]]) -> Graph:
        taken = set(builder.inputs)
        outputs = tuple(Output(name=free_name(name, taken), edge=edge) for name, edge in found)
        try:
            graph = Graph(
                name=self._path.stem,
                inputs=tuple(builder.inputs.values()),
                layers=tuple(builder.layers),
                outputs=outputs,
            )
            return last_outputs_only(without_dead_layers(graph))
        except GraphError as error:
            raise UnsupportedLayer(
                layer=self._path.name, kind="model", where=self._given.where,
                reason=f"cannot be written as layers ({error})", remedy=self._given.again,
            ) from error  # fmt: skip


def _results(
    builder: Builder, node: Node, arguments: list[Value | None], budget: Budget
) -> list[Value]:
    if all(isinstance(value, np.ndarray | None) for value in arguments) and arguments:
        constant = folded(node, arguments, budget)
        if constant is not None:
            return constant if isinstance(constant, list) else [constant]
    sizes = with_free_sizes(node, arguments)
    if sizes is not None:
        return [sizes] * max(1, len(node.outputs))
    reader = OPERATORS.get(node.kind)
    if reader is None:
        raise node.unsupported(
            "computes with data, where edgernn reads it of sizes and constants only"
            if node.kind in FOLDED
            else "is an operator that edgernn does not read",
            REMEDIES.get(node.kind, "Leave it out of the model, or write it with other layers"),
        )
    return reader(builder, node, arguments)


def _constant(node: onnx.NodeProto, folder: Path) -> Array:
    for entry in node.attribute:
        name: str = entry.name
        match name:
            case "value":
                return array_of(entry.t, folder)
            case "value_float":
                return np.array(entry.f, np.float32)
            case "value_int":
                return np.array(entry.i, np.int64)
            case "value_ints":
                return np.array(entry.ints, np.int64)
            case "value_floats":
                return np.array(entry.floats, np.float32)
            case _:
                continue
    raise ModelFileError(
        f"the constant '{node.output[0]}' is of a kind that edgernn does not read",
        remedy=EXPORT_AGAIN,
    )


def _public(name: str, fallback: str) -> str:
    """The file's name for an input or output; exporters number those that have none."""
    return fallback if not name or name.isdigit() else name
