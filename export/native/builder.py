"""Collects ops and constants by name, then orders and numbers them for the file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from edgernn.errors import UnsupportedLayer
from edgernn.export.native import packing
from edgernn.export.native.edges import refused
from edgernn.export.native.records import (
    AXIS_ARGUMENTS,
    CHOICE_KINDS,
    IMAGE_KINDS,
    MAX_RECORDS,
    NONE,
    OP_ARGUMENTS,
    OP_OUTPUTS,
    PRODUCT_KINDS,
    Constant,
    EdgeForm,
    Feature,
    FileImage,
    FrontEndKind,
    FrontEndRecord,
    Op,
    OpKind,
    Packing,
    PortRecord,
    argument_bits,
    edge_record,
    op_record,
)
from edgernn.export.sound_input import FRONT_END, TEXT_FRONT_END, sound_input
from edgernn.graph import DType, Graph, Layer, Output, QTensor, TensorSpec, Weight
from edgernn.graph.quantized import Accumulation, Product
from edgernn.recipe import SensorRecipe, record_of, rows_of_text, text_record
from edgernn.recipe.sensor import SENSOR_VERSION
from edgernn.recipe.tables import SOUND_RECORD_VERSION
from edgernn.recipe.text import TEXT_VERSION


class Builder:
    """An .ernn file under construction."""

    def __init__(self) -> None:
        self.forms: dict[str, EdgeForm] = {}
        self.specs: Mapping[str, TensorSpec] = {}  # of the graph's edges
        self.folds: dict[str, int] = {}  # how many axes of an edge are in its first one
        self.folded_from: dict[str, tuple[str, ...]] = {}  # and the edges they were folded from
        self.ops: list[Op] = []
        self.constants: list[Constant] = []
        self.features = Feature(0)
        self.in_float: Collection[str] = ()  # layers whose int8 weights are widened
        self._constant_numbers: dict[Constant, int] = {}

    def constant(self, constant: Constant) -> int:
        """Returns the constant's number; equal constants (of a shared layer) are stored once."""
        number = self._constant_numbers.setdefault(constant, len(self.constants))
        if number == len(self.constants):
            self.constants.append(constant)
            if constant.packing is Packing.NIBBLES:
                self.features |= Feature.NIBBLES
        return number

    def matrix(self, weight: Weight, *, gates: int = 1, in_integers: bool = True) -> int:
        """Weights of a float layer: bytes are multiplied in integers where the layer allows it."""
        if in_integers and isinstance(weight, QTensor) and packing.is_dynamic(weight):
            self.features |= Feature.DYNAMIC
            return self.constant(packing.dynamic(weight, gates=gates))
        return self.constant(packing.matrix(weight, gates=gates))

    def stays_in_float(self, layer: Layer) -> bool:
        """Whether integers are too coarse for the layer, whatever its weights are stored as."""
        return layer.name in self.in_float

    def optional(self, constant: Constant | None) -> int:
        return NONE if constant is None else self.constant(constant)

    def multiplies_bytes(self, layer: str, product: Product | Accumulation, bits: int) -> None:
        """Records an integer product whose other operand has `bits`.

        Raises ValueError for pairs of weights whose products with bytes would not fit 16 bits:
        quantization creates none.  Weights of 4 bits are multiplied as nibbles, which always fit.
        """
        self.features |= Feature.INTEGER
        if bits == 8:
            self.features |= Feature.PAIRS_SAFE
            if not product.pairs_safe and product.bits != packing.NIBBLE_BITS:
                raise ValueError(f"layer '{layer}' multiplies bytes, but its pairs are not safe")

    def temporary(self, base: str, form: EdgeForm) -> str:
        """A new edge between the ops of one layer."""
        name = f"{base}/{len(self.forms)}"
        while name in self.forms:
            name += "'"
        self.forms[name] = form
        return name

    def op(
        self,
        kind: OpKind,
        name: str,
        inputs: Sequence[str | None],
        outputs: Sequence[str | None],
        arguments: Sequence[int | float] = (),
    ) -> None:
        if kind in IMAGE_KINDS or any(arguments[OP_ARGUMENTS - AXIS_ARGUMENTS :]):
            self.features |= Feature.IMAGES
        if kind in PRODUCT_KINDS:
            self.features |= Feature.ATTENTION
        if kind in CHOICE_KINDS:
            self.features |= Feature.CHOICES
        self.ops.append(
            Op(kind=kind, name=name, inputs=inputs, outputs=outputs, arguments=arguments)
        )


def file_image(
    builder: Builder, graph: Graph, ports: Sequence[Output], metadata: Mapping[str, str]
) -> FileImage:
    """The records of the file, numbered.  `ports` are the outputs with the builder's edges.

    Raises UnsupportedLayer for more records than the format allows.
    """
    inputs = [entry.name for entry in graph.inputs]
    ops = _without_unread_outputs(_ordered(builder, inputs), {port.edge for port in ports})
    numbers = {name: position for position, name in enumerate(inputs)}
    for op in ops:
        for edge in op.outputs:
            if edge is not None:
                numbers[edge] = len(numbers)
    if max(len(numbers), len(ops), len(builder.constants)) > MAX_RECORDS:
        raise _too_many(graph)
    slots = _slots(ops, {port.edge for port in ports})
    front_ends = _front_ends(graph, metadata)
    features = builder.features
    for front_end in front_ends:
        features |= front_end.kind.feature
    output_position = {output.name: position for position, output in enumerate(ports)}
    fed_by = {state.input: 1 + output_position[state.output] for state in graph.states}
    return FileImage(
        edges=[
            edge_record(builder.forms[edge], slot=slots.get(edge), is_input=edge in inputs)
            for edge in numbers
        ],
        ops=[(op.name, _record(op, numbers)) for op in ops],
        constants=builder.constants,
        inputs=[
            PortRecord(edge=numbers[name], name=name, state=fed_by.get(name, 0)) for name in inputs
        ],
        outputs=[PortRecord(edge=numbers[port.edge], name=port.name) for port in ports],
        texts=[*_labels(metadata), *_kept(metadata).items(), *_shapes(graph)],
        front_ends=front_ends,
        slots=len(set(slots.values())),
        features=features,
    )


def _record(op: Op, numbers: Mapping[str, int]) -> bytes:
    return op_record(
        op.kind,
        [NONE if edge is None else numbers[edge] for edge in op.inputs],
        [NONE if edge is None else numbers[edge] for edge in op.outputs],
        [argument_bits(argument) for argument in op.arguments],
    )


def _front_ends(graph: Graph, metadata: Mapping[str, str]) -> list[FrontEndRecord]:
    """How inputs are made of text, and the recipe for sound among the metadata, as records."""
    names = [entry.name for entry in graph.inputs]
    found = [
        FrontEndRecord(
            kind=FrontEndKind.TEXT,
            version=TEXT_VERSION,
            input=position,
            data=text_record(entry.text),
        )
        for position, entry in enumerate(graph.inputs)
        if entry.text is not None
    ]
    text = metadata.get(FRONT_END)
    if text is not None:
        recipe = rows_of_text(text, where=graph.name)
        is_sensor = isinstance(recipe, SensorRecipe)
        found.append(
            FrontEndRecord(
                kind=FrontEndKind.SENSOR if is_sensor else FrontEndKind.SOUND,
                version=SENSOR_VERSION if is_sensor else SOUND_RECORD_VERSION,
                input=names.index(sound_input(graph, recipe).name),
                data=record_of(recipe),
            )
        )
    return found


def _kept(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata without the vocabulary: the record has all of it."""
    return {key: value for key, value in metadata.items() if key != TEXT_FRONT_END}


def _labels(metadata: Mapping[str, str]) -> list[tuple[str, str]]:
    return [("", str(label)) for label in json.loads(metadata.get("labels", "[]"))]


def _shapes(graph: Graph) -> list[tuple[str, str]]:
    """Of inputs and outputs that are more than rows of features, without the batch."""
    specs = {entry.name: entry.spec for entry in graph.inputs} | graph.output_specs
    shapes = {
        name: spec.shape[1:]
        for name, spec in specs.items()
        if spec.rank > (3 if spec.dtype is DType.FLOAT32 else 2)
    }
    return [("shapes", json.dumps(shapes))] if shapes else []


def _ordered(builder: Builder, inputs: Iterable[str]) -> list[Op]:
    """Moves ops that run once for a sequence to the end, unless an op of a step needs them.

    The runtime can then take a sequence in parts, or step by step.
    """
    body = [op for op in builder.ops if _takes_sequence(builder, op)]
    head = [op for op in builder.ops if not _takes_sequence(builder, op)]
    written = set(inputs)
    for op in body:
        if not written.issuperset(edge for edge in op.inputs if edge is not None):
            return builder.ops
        written.update(edge for edge in op.outputs if edge is not None)
    return body + head


def _takes_sequence(builder: Builder, op: Op) -> bool:
    return any(builder.forms[edge].is_sequence for edge in op.inputs if edge is not None)


def _without_unread_outputs(ops: Sequence[Op], results: set[str]) -> list[Op]:
    """Only recurrent layers have unread outputs: states.  One output is always kept."""
    read = results.union(edge for op in ops for edge in op.inputs if edge is not None)
    trimmed = []
    for op in ops:
        kept = [edge if edge in read else None for edge in op.outputs]
        if not any(kept):
            kept = [op.outputs[0], *[None] * (len(op.outputs) - 1)]
        trimmed.append(
            Op(
                kind=op.kind,
                name=op.name,
                inputs=op.inputs,
                outputs=[*kept, *[None] * (OP_OUTPUTS - len(kept))],
                arguments=op.arguments,
            )
        )
    return trimmed


def _slots(ops: Sequence[Op], results: set[str]) -> dict[str, int]:
    """A buffer for each edge; it is used again after the last op that reads the edge."""
    last_read: dict[str, int] = {}
    for position, op in enumerate(ops):
        for edge in (*op.inputs, *op.outputs):
            if edge is not None:
                last_read[edge] = len(ops) if edge in results else position
    slots: dict[str, int] = {}
    free_after: list[int] = []  # for each slot: the last op that reads its content
    for position, op in enumerate(ops):
        for edge in op.outputs:
            if edge is None:
                continue
            slot = next(
                (number for number, last in enumerate(free_after) if last < position),
                len(free_after),
            )
            if slot == len(free_after):
                free_after.append(0)
            free_after[slot] = last_read[edge]
            slots[edge] = slot
    return slots


def _too_many(graph: Graph) -> UnsupportedLayer:
    return refused(
        graph.name,
        "model",
        f"has more than {MAX_RECORDS} layers, tensors or weights",
        "Split the model",
    )
