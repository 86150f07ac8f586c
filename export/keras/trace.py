"""Runs a model's config symbolically: every call of a layer becomes layers of the graph."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgernn.errors import ModelFileError
from edgernn.export.keras.builder import GraphBuilder
from edgernn.export.keras.call import Call, LayerWeights, Tensor
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.mask_operations import as_mask
from edgernn.export.keras.nodes import RESAVE, CallConfig, TensorRef, references
from edgernn.export.keras.operations import operation
from edgernn.export.keras.spectrograms import SPECTRA
from edgernn.export.keras.symbolic import Unknown
from edgernn.export.keras.text import READ_TEXT, TEXT
from edgernn.export.keras.translations import CLASSES, is_operation
from edgernn.export.keras.version import KerasVersion
from edgernn.graph import FloatArray


class Trace:
    """Translates one model.  `warnings` are sentences for the user."""

    def __init__(
        self,
        keras: KerasVersion,
        weights: Callable[[LayerConfig], LayerWeights],
        builder: GraphBuilder,
    ) -> None:
        self.warnings: list[str] = []
        self._keras = keras
        self._weights = weights
        self._builder = builder
        self._derived: dict[tuple[tuple[str, ...], str], FloatArray] = {}

    def model(self, model: LayerConfig, inputs: Sequence[Tensor], prefix: str) -> list[Tensor]:
        """The results of a Sequential or functional model on `inputs`, in its own order."""
        if "input_layers" in model.options:
            return self._functional(model, inputs, prefix)
        results = list(inputs)
        for layer in model.children.values():
            if layer.kind != "InputLayer":
                arguments = results[0] if len(results) == 1 else results
                results = self._tensors(
                    layer, self._call(layer, (arguments,), {}, prefix + layer.name)
                )
        return results

    def _functional(
        self, model: LayerConfig, inputs: Sequence[Tensor], prefix: str
    ) -> list[Tensor]:
        entries = [ref for _, ref in references(model.options["input_layers"])]
        if len(entries) != len(inputs):
            raise model.damaged(f"has {len(entries)} inputs and is called on {len(inputs)}")
        known: dict[tuple[str, int], list[Any]] = {
            (ref.layer, 0): [tensor] for ref, tensor in zip(entries, inputs, strict=True)
        }
        numbering = _Numbering.of(model, self._keras)
        for layer, number, call in _in_order(model, numbering, known):

            def value(ref: TensorRef) -> Any:
                return _result(model, known, numbering.argument(ref))

            args = tuple(_resolved(argument, value) for argument in call.args)
            kwargs = {key: _resolved(given, value) for key, given in call.kwargs.items()}
            known[layer.name, number] = self._call(layer, args, kwargs, prefix + layer.name)
        results = []
        for _, ref in references(model.options["output_layers"]):
            result = _result(model, known, numbering.output(ref))
            results += self._tensors(model.children[ref.layer], [result])
        return results

    def _tensors(self, layer: LayerConfig, values: Sequence[Any]) -> list[Tensor]:
        """Results that must be tensors.  Raises UnsupportedLayer for an unknown operation's."""
        for value in values:
            if isinstance(value, Unknown):
                raise value.refusal()
            if not isinstance(value, Tensor):
                raise layer.unsupported(
                    "takes a mask for numbers", "Use the mask through layers only"
                )
        return list(values)

    def _call(
        self, layer: LayerConfig, args: tuple[Any, ...], kwargs: Mapping[str, Any], wanted: str
    ) -> list[Any]:
        name = self._builder.unique(wanted)
        if is_operation(layer):
            self._refuse_given(layer, [item for item in _flat(args) if isinstance(item, Tensor)])
            call = self._prepared(layer, name, (), {})
            results = operation(call, args, dict(kwargs))
            return results if isinstance(results, list) else [results]
        if not args and kwargs:  # Keras 3 records `layer(query=x, value=x)` as it was written
            first = next(iter(kwargs))
            args, kwargs = (kwargs[first],), {key: kwargs[key] for key in kwargs if key != first}
        if not args:
            raise layer.damaged("is called without an input")
        inputs = self._tensors(layer, list(_flat(args[0])))
        explicit = self._explicit_masks(layer, name, inputs, kwargs.get("mask"))
        return list(self._run(layer, name, inputs, explicit, kwargs, args[1:]))

    def _refuse_given(self, layer: LayerConfig, inputs: Sequence[Tensor]) -> None:
        """Text and sound are read by the layers that make tokens and features of them only."""
        edges = {tensor.edge for tensor in inputs}
        if layer.kind not in TEXT and edges & self._builder.strings.keys():
            raise layer.unsupported("takes strings", READ_TEXT)
        if layer.kind not in SPECTRA and any(self._builder.is_sound(edge) for edge in edges):
            raise layer.unsupported(
                "takes sound that another layer makes features of",
                "Let it take the features, or give the model an input for each use",
            )

    def _explicit_masks(
        self, layer: LayerConfig, name: str, inputs: Sequence[Tensor], given: Any
    ) -> tuple[str | None, ...] | None:
        if given is None:
            return None
        masks = list(given) if isinstance(given, list | tuple) else [given]
        if all(mask is None for mask in masks):
            return None
        call = self._prepared(layer, name, inputs, {})
        edges = [as_mask(call, mask) for mask in masks]
        return tuple(edges + [None] * (len(inputs) - len(edges)))

    def _run(
        self,
        layer: LayerConfig,
        name: str,
        inputs: Sequence[Tensor],
        explicit: tuple[str | None, ...] | None,
        kwargs: Mapping[str, Any],
        extra: tuple[Any, ...] = (),
    ) -> list[Tensor]:
        inputs = [self._as_masked(tensor) for tensor in inputs]
        implicit = tuple(tensor.mask for tensor in inputs)
        previous = explicit or implicit
        masks = previous
        if explicit is None and self._keras.major >= 3:
            if any(_holds_tensor(value) for value in (*kwargs.values(), *extra)):
                known = CLASSES.get(layer.kind)
                if known is not None and known.is_recurrent and any(implicit):
                    self.warnings.append(
                        f"layer '{layer.name}' in {layer.where} is given an initial state, so "
                        "Keras 3 does not pass the mask of its input on to it; "
                        "neither does the exported model"
                    )
                masks = (None,) * len(inputs)
            if len(inputs) > 1 and self._keras.drops_masks_of_lists:
                previous = (None,) * len(inputs)
        if layer.is_model:
            passed = [
                Tensor(edge=tensor.edge, mask=mask or tensor.mask)
                for tensor, mask in zip(inputs, masks, strict=True)
            ]
            return self.model(layer, passed, f"{name}/")
        self._refuse_given(layer, inputs)
        call = self._prepared(layer, name, inputs, kwargs, masks, previous, extra)
        kind = CLASSES[layer.kind]
        edges = kind.emit(call)
        found = kind.mask(call, edges)
        masks = (*found, *[None] * (len(edges) - len(found)))
        return [Tensor(edge=edge, mask=mask) for edge, mask in zip(edges, masks, strict=True)]

    def _as_masked(self, tensor: Tensor) -> Tensor:
        is_taken = tensor.edge in self._builder.unmasked
        return replace(tensor, mask=None) if is_taken else tensor

    def _prepared(
        self,
        layer: LayerConfig,
        name: str,
        inputs: Sequence[Tensor],
        kwargs: Mapping[str, Any],
        masks: tuple[str | None, ...] = (),
        previous: tuple[str | None, ...] = (),
        extra: tuple[Any, ...] = (),
    ) -> Call:
        def inner(wrapped: LayerConfig, tensors: Sequence[Tensor], unique: str) -> list[Tensor]:
            given = tuple(tensor.mask for tensor in tensors)
            return self._run(wrapped, unique, tensors, given, {})

        return Call(
            layer=layer, name=name, inputs=tuple(inputs), masks=masks, previous=previous,
            kwargs=kwargs, extra=extra, weights=self._weights, keras=self._keras,
            builder=self._builder, derived=self._derived, inner=inner,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbering:
    """The number of the first call of a nested model in references to it.

    A functional model has one call of its own, from when it was built.  Keras 2 counts it in all
    references to a nested model, Keras 3 only among the outputs.
    """

    in_arguments: Mapping[str, int]
    in_outputs: Mapping[str, int]

    @classmethod
    def of(cls, model: LayerConfig, keras: KerasVersion) -> _Numbering:
        outputs = [ref for _, ref in references(model.options["output_layers"])]
        if keras.major >= 3:
            built = {
                name: 1
                for name, layer in model.children.items()
                if layer.is_model and "input_layers" in layer.options
            }
            return cls(in_arguments={}, in_outputs=built)
        least: dict[str, int] = {}
        inside = [
            ref
            for layer in model.children.values()
            for call in layer.calls
            for ref in _refs((call.args, call.kwargs))
        ]
        for ref in (*outputs, *inside):
            if model.children[ref.layer].is_model if ref.layer in model.children else False:
                least[ref.layer] = min(least.get(ref.layer, ref.node), ref.node)
        return cls(in_arguments=least, in_outputs=least)

    def argument(self, ref: TensorRef) -> TensorRef:
        return _shifted(ref, self.in_arguments)

    def output(self, ref: TensorRef) -> TensorRef:
        return _shifted(ref, self.in_outputs)


def _shifted(ref: TensorRef, first: Mapping[str, int]) -> TensorRef:
    node = max(ref.node - first.get(ref.layer, 0), 0)
    return TensorRef(layer=ref.layer, node=node, tensor=ref.tensor)


def _in_order(
    model: LayerConfig, numbering: _Numbering, known: Mapping[tuple[str, int], Any]
) -> Iterator[tuple[LayerConfig, int, CallConfig]]:
    """The calls inside a functional model, each after those whose results it takes."""
    waiting: dict[tuple[str, int], int] = {}
    takers: dict[tuple[str, int], list[tuple[LayerConfig, int, CallConfig]]] = defaultdict(list)
    ready: deque[tuple[LayerConfig, int, CallConfig]] = deque()
    for layer in model.children.values():
        for number, call in enumerate(layer.calls):
            if (layer.name, number) in known:
                continue
            needed = {
                (ref.layer, ref.node)
                for ref in map(numbering.argument, _refs((call.args, call.kwargs)))
            }
            missing = [key for key in needed if key not in known]
            waiting[layer.name, number] = len(missing)
            for key in missing:
                takers[key].append((layer, number, call))
            if not missing:
                ready.append((layer, number, call))
    done = 0
    while ready:
        layer, number, call = ready.popleft()
        yield layer, number, call
        done += 1
        for taker in takers[layer.name, number]:
            key = (taker[0].name, taker[1])
            waiting[key] -= 1
            if waiting[key] == 0:
                ready.append(taker)
    if done < len(waiting):
        stuck = next(name for (name, _), count in waiting.items() if count)
        raise ModelFileError(
            f"layer '{stuck}' in {model.where} needs a result that no layer computes",
            remedy=RESAVE,
        )


def _result(
    model: LayerConfig, known: Mapping[tuple[str, int], Sequence[Any]], ref: TensorRef
) -> Any:
    results = known.get((ref.layer, ref.node))
    if results is None or not 0 <= ref.tensor < len(results):
        raise model.damaged(
            f"refers to result {ref.tensor} of call {ref.node} of '{ref.layer}', which is missing"
        )
    return results[ref.tensor]


def _refs(value: Any) -> Iterator[TensorRef]:
    match value:
        case TensorRef():
            yield value
        case dict():
            for item in value.values():
                yield from _refs(item)
        case list() | tuple():
            for item in value:
                yield from _refs(item)
        case _:
            return


def _resolved(value: Any, lookup: Callable[[TensorRef], Any]) -> Any:
    match value:
        case TensorRef():
            return lookup(value)
        case dict():
            return {key: _resolved(item, lookup) for key, item in value.items()}
        case list() | tuple():
            return [_resolved(item, lookup) for item in value]
        case _:
            return value


def _flat(value: Any) -> Iterator[Any]:
    """A call's first argument as a list; a dict in the order of its keys, as Keras flattens it."""
    match value:
        case dict():
            for key in sorted(value):
                yield from _flat(value[key])
        case list() | tuple():
            for item in value:
                yield from _flat(item)
        case _:
            yield value


def _holds_tensor(value: Any) -> bool:
    return any(isinstance(item, Tensor) for item in _flat(value))
