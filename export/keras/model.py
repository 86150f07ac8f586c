"""The last step of reading a Keras model: from config and weights to a graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.keras.builder import ONE_USE, GraphBuilder, Vocabularies, no_vocabulary
from edgernn.export.keras.call import LayerWeights, Tensor
from edgernn.export.keras.config import MODEL_KINDS, LayerConfig, walk
from edgernn.export.keras.nodes import RESAVE, references
from edgernn.export.keras.spectrograms import without_turns
from edgernn.export.keras.text import READ_TEXT, TEXT
from edgernn.export.keras.trace import Trace
from edgernn.export.keras.unrolled import rolled
from edgernn.export.keras.version import KerasVersion
from edgernn.export.keras.whole_numbers import of_type
from edgernn.export.sound_input import sound_recipe
from edgernn.graph import DType, Graph, GraphError, Output, TensorSpec, without_dead_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A model's graph, before it is known where the model came from."""

    graph: Graph
    warnings: tuple[str, ...]


@contextmanager
def config_errors() -> Iterator[None]:
    """Turns errors while a config is read into ModelFileError: the model is damaged.

    Encloses all code that reads a config; the cause is kept for a bug report.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise ModelFileError(
            f"the model's config is not what Keras writes ({type(error).__name__}: {error})",
            remedy=RESAVE,
        ) from error
    except RecursionError as error:
        raise ModelFileError("the model's config is nested too deeply", remedy=RESAVE) from error


def translate(
    model: LayerConfig,
    keras: KerasVersion,
    weights: Callable[[LayerConfig], LayerWeights],
    vocabularies: Vocabularies = no_vocabulary,
) -> Translated:
    """The graph of a whole model.

    Raises UnsupportedLayer and ModelFileError.
    """
    builder = GraphBuilder(vocabularies)
    trace = Trace(keras, weights, builder)
    inputs = [Tensor(edge=_added(builder, entry)) for entry in _inputs(model, keras)]
    results = trace.model(model, inputs, "")
    for unread in builder.unread_strings:
        raise UnsupportedLayer(
            layer=unread,
            kind="InputLayer",
            where=model.where,
            reason="takes strings",
            remedy=READ_TEXT,
        )
    outputs: list[Output] = []
    taken = {tensor.edge for tensor in inputs}
    for name, tensor in zip(_output_names(model, len(results)), results, strict=True):
        if builder.is_sound(tensor.edge):
            raise UnsupportedLayer(
                layer=name,
                kind="InputLayer",
                where=model.where,
                reason="is an output of the model beside features that are made of it",
                remedy="Leave this output out",
            )
        unique = _unique(name, taken)
        taken.add(unique)
        outputs.append(Output(name=unique, edge=tensor.edge))
    try:
        graph = builder.graph(model.name, tuple(outputs))
        if sound_recipe(graph) is not None:
            graph = without_turns(graph)
        graph = rolled(without_dead_layers(graph))
    except GraphError as error:  # the shapes fitted, before an Embedding made tokens of an input
        raise UnsupportedLayer(
            layer=model.name,
            kind=model.kind,
            where=model.where,
            reason=f"uses an input as numbers that is tokens elsewhere ({error})",
            remedy=ONE_USE,
        ) from error
    warnings = (*trace.warnings, *_precision_warnings(model), *_class_warnings(model))
    return Translated(graph=graph, warnings=tuple(dict.fromkeys(warnings)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Argument:
    name: str
    spec: TensorSpec
    declared: str  # its type
    is_text: bool = False


def _added(builder: GraphBuilder, entry: _Argument) -> str:
    if entry.is_text:
        return builder.add_strings(entry.name, entry.spec.shape)
    return builder.add_input(entry.name, entry.spec, entry.declared)


def _dtype(declared: str) -> DType:
    if declared == "bool":
        return DType.BOOL
    return DType.FLOAT32 if of_type(declared) is None else DType.INT32


def _inputs(model: LayerConfig, keras: KerasVersion) -> list[_Argument]:
    if "input_layers" in model.options:
        found = []
        for _, ref in references(model.options["input_layers"]):
            layer = model.children.get(ref.layer)
            if layer is None or layer.kind != "InputLayer":
                raise model.damaged(f"names '{ref.layer}' as an input, which is none")
            found.append(_argument(layer, layer.name))
        return found
    layers = list(model.children.values())
    if not layers:
        raise ModelFileError(f"the model '{model.name}' has no layers", remedy=RESAVE)
    first = layers[0]
    if first.kind == "InputLayer":
        return [_argument(first, first.name)]
    if _shape(first) is not None:  # Keras 2: the first layer has the input shape
        return [_argument(first, f"{first.name}_input")]
    if first.is_model:
        return _inputs(first, keras)
    shape = model.options.get("build_input_shape")
    if shape is None:
        raise ModelFileError(
            f"the model '{model.name}' has no input shape: it was never called or built",
            remedy="Begin it with keras.Input(shape), or call it once, and save it again",
        )
    named = first.with_option("batch_input_shape", shape)
    return [_argument(named, f"{first.name}_input")]


def _shape(layer: LayerConfig) -> Any:
    for option in ("batch_shape", "batch_input_shape"):
        if layer.options.get(option) is not None:
            return layer.options[option]
    return None


def _argument(layer: LayerConfig, name: str) -> _Argument:
    shape = _shape(layer)
    if isinstance(shape, dict):
        shape = shape.get("items")
    valid = (
        isinstance(shape, list | tuple)
        and len(shape) >= 1
        and all(size is None or (type(size) is int and 0 < size < 1 << 31) for size in shape)
    )
    if not valid:
        raise layer.damaged(f"has the input shape {shape!r}")
    for option in ("sparse", "ragged"):
        if layer.options.get(option):
            raise layer.unsupported(f"takes {option} tensors", "Use a dense input")
    dtype = layer.options.get("dtype")
    spec = TensorSpec(shape=tuple(shape), dtype=_dtype(str(dtype)))
    return _Argument(name=name, spec=spec, declared=str(dtype), is_text=_is_text(layer))


def _is_text(layer: LayerConfig) -> bool:
    """Whether it is an input of strings: declared, or the first layer of a model without inputs."""
    dtype = layer.options.get("dtype")
    if isinstance(dtype, dict) and isinstance(dtype.get("config"), dict):
        dtype = dtype["config"].get("name")
    return dtype == "string" or layer.kind in TEXT


def _output_names(model: LayerConfig, count: int) -> list[str]:
    """The keys of a dict of outputs, otherwise the names of the layers that compute them."""
    if "output_layers" in model.options:
        return [key or ref.layer for key, ref in references(model.options["output_layers"])]
    return [list(model.children)[-1]] * count


def _unique(name: str, taken: set[str]) -> str:
    unique, number = name, 0
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


#: Types that no layer computes in.  Keras 2 gave a first layer its input's: int32 for an Embedding.
_OF_INPUTS: Final = re.compile(r"u?int\d+|bool|string")


def _precision_warnings(model: LayerConfig) -> list[str]:
    """Models that compute in another precision than float32."""
    policies: set[str] = set()
    for layer in walk(model):
        policy = layer.options.get("dtype", "float32")
        if isinstance(policy, dict) and isinstance(policy.get("config"), dict):
            policy = policy["config"].get("name")
        is_of_input = _OF_INPUTS.fullmatch(str(policy)) is not None
        if layer.kind != "InputLayer" and not layer.is_operation and not is_of_input:
            policies.add(str(policy))
    return [
        f"the model computes in {policy}; edgernn reads its weights as float32 and computes in "
        "float32, so results differ by the rounding of the original"
        for policy in sorted(policies - {"float32", "None"})
    ]


def _class_warnings(model: LayerConfig) -> list[str]:
    """Warns about classes derived from Model: only the layers in their config are exported."""
    return [
        f"'{layer.name}' is of the class '{layer.kind}'; edgernn follows the layers that its "
        "config lists and does not know whether its Python code does anything else"
        for layer in walk(model)
        if layer.is_model and layer.kind not in MODEL_KINDS
    ]
