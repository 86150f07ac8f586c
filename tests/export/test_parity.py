"""Every model of the zoo, read in every way, on every back end: what Keras answers, they answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from edgernn.errors import UnsupportedLayer
from edgernn.export.keras.file import read_model
from edgernn.export.keras.object import from_keras
from edgernn.export.source_model import SourceModel
from edgernn.export.verify import relative_error
from edgernn.graph import Graph, fingerprint
from tests.zoo import CASES
from tests.zoo.case import Case, Generation
from tests.zoo.prepare import Prepared, Route, prepared
from tests.zoo.refusals import refuser
from tests.zoo.runtimes import TARGETS, open_session, prepared_graph, run_calls

#: max |difference| / max(1, max |output|).  float32 sums in another order differ by a few 1e-7.
TOLERANCE: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One model: a case built by one generation of Keras."""

    case: Case
    generation: Generation

    def __str__(self) -> str:
        return f"{self.case.name}-{self.generation.value}"


VARIANTS: Final = tuple(
    Variant(case=case, generation=generation) for case in CASES for generation in case.generations
)


#: Errors by model, back end and graph.
KNOWN: dict[tuple[Variant, str, str], float] = {}


@lru_cache(maxsize=2 * len(Route))
def graph_of(variant: Variant, route: Route) -> Graph:
    """What the reader makes of the model.  Raises UnsupportedLayer where it has to."""
    model = prepared(variant.case, variant.generation)
    assert model.is_telling
    return read(model, route).graph


def read(model: Prepared, route: Route) -> SourceModel:
    if route is Route.OBJECT:
        return from_keras(model.model)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{route.value}"
        path.write_bytes(model.files[route])
        return read_model(path)


def worst_error(variant: Variant, route: Route, target: str) -> float:
    """Over all calls and outputs.  Routes that lead to one graph lead to one file."""
    read_graph = graph_of(variant, route)
    key = (variant, target, fingerprint(read_graph))
    if key not in KNOWN:
        model = prepared(variant.case, variant.generation)
        graph = prepared_graph(read_graph)
        outputs = [output.name for output in read_graph.outputs]
        answers = run_calls(open_session(target, graph), graph, model.inputs, outputs=outputs)
        KNOWN[key] = max(
            relative_error(actual, expected)
            for call, wanted in zip(answers, model.expected, strict=True)
            for actual, expected in zip(call, wanted, strict=True)
        )
    return KNOWN[key]


@pytest.mark.parametrize(
    ("variant", "target"),
    [
        pytest.param(variant, target, id=f"{variant}-{target}")
        for variant in VARIANTS
        for target in TARGETS
    ],
)
def test_a_model_answers_as_keras_does_by_every_route(
    variant: Variant,
    target: str,
    record_property: pytest.RecordProperty,  # type: ignore[name-defined]
) -> None:
    refusing = refuser(variant.case.name, variant.generation, target)
    errors = {}
    for route in Route:
        if refusing is None:
            errors[route.value] = worst_error(variant, route, target)
            continue
        with pytest.raises(UnsupportedLayer) as refusal:
            worst_error(variant, route, target)
        assert refusal.value.layer
        assert refusal.value.where
        assert refusal.value.remedy
    entry = {"target": target, "model": str(variant), "routes": len(Route)}
    if refusing is not None:
        record_property("parity", {**entry, "refused": refusing})
        return
    record_property("parity", {**entry, "error": max(errors.values())})
    assert {route: error for route, error in errors.items() if not error <= TOLERANCE} == {}
