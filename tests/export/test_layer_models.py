"""Random models over images, attention, cells, folds and operations, against Keras itself.

float32 agrees to 1e-5 of the scale in every format.  int8 stays within 5 % of the outputs' spread
on rows that neither calibration nor the check saw, where the check lets it pass.
"""

# It prints what was found.
# ruff: noqa: T201

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pytest

from edgernn.artefact import VerificationStatus
from edgernn.errors import CalibrationError, UnsupportedLayer, VerificationError
from edgernn.export.cases import Case
from edgernn.export.in_scheme import Written, with_fine_layers
from edgernn.export.keras.object import from_keras
from edgernn.export.mean_error import INTEGER_TOLERANCE, near_on_average
from edgernn.export.noise import shares_a_unit, spread
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.export.verify import relative_error
from edgernn.formats import FORMATS
from edgernn.graph import Graph
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.formats import RUN
from tests.zoo.layer_models import LayerModel, layer_model
from tests.zoo.runtimes import open_session

#: Keras says so where a layer behind a masked one takes the mask off: these models are to show it.
pytestmark = pytest.mark.filterwarnings("ignore:.*an input with a mask attached:UserWarning")

CALIBRATION, KEPT, FRESH = 48, 24, 36
FLOAT_ERROR: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """outcome: "passed", "refused", "noisy" (the check stops it), "undecided" (it hardly varies),
    or what is wrong.
    """

    seed: int
    traits: tuple[str, ...]
    what: str  # scheme and back end
    outcome: str
    error: float = 0.0
    reason: str = ""


def arguments(graph: Graph, made: LayerModel, rows: slice) -> dict[str, Any]:
    names = [entry.name for entry in graph.inputs]
    return {name: array[rows] for name, array in zip(names, made.rows, strict=True)}


def of_keras(made: LayerModel, rows: slice) -> list[Any]:
    said = made.model([array[rows] for array in made.rows], training=False)
    return [np.asarray(one) for one in (said if isinstance(said, list | tuple) else [said])]


def findings(seed: int) -> Iterator[Found]:
    made = layer_model(seed, CALIBRATION + KEPT + FRESH)
    kept = slice(CALIBRATION, CALIBRATION + KEPT)
    fresh = slice(CALIBRATION + KEPT, CALIBRATION + KEPT + FRESH)

    def found(what: str, outcome: str, error: float = 0.0, reason: str = "") -> Found:
        return Found(
            seed=seed, traits=made.traits, what=what, outcome=outcome, error=error, reason=reason
        )

    try:
        graph = float_graph(from_keras(made.model).graph)
    except UnsupportedLayer as refusal:
        yield found("reader", "refused", reason=str(refusal))
        return
    names = [output.name for output in graph.outputs]
    asked = arguments(graph, made, fresh)
    wanted = dict(zip(names, of_keras(made, fresh), strict=True))
    first = arguments(graph, made, slice(0, CALIBRATION))
    decisive = arguments(graph, made, kept)
    expected = run(graph, decisive)
    try:
        ranges = calibrate(graph, first)
    except CalibrationError as refusal:
        yield found("calibration", "refused", reason=str(refusal))
        return
    shared = {out.name: shares_a_unit(graph, out.edge) for out in graph.outputs}

    def noise(session: Any, given: dict[str, Any], exact: dict[str, Any]) -> float:
        said = session(given)
        means = [
            spread([exact[name]], shared=shared[name]).noise([exact[name]], [said[name]]).mean
            for name in names
        ]
        return max(means)

    def checked(given: dict[str, Any], exact: dict[str, Any]) -> str | None:
        """Why a file is not handed over as passed, by the check of an export; None where it is."""
        units = [name for name in names if shared[name]]
        case = Case(name="kept", inputs=decisive)
        try:
            verdict = near_on_average("file", [case], [given], [exact], shared=units)
        except VerificationError:
            return "noisy"
        return None if verdict.status is VerificationStatus.PASSED else "undecided"

    asked_for = Request(scheme=Scheme.INT8, ranges=ranges, examples=Examples(inputs=decisive))
    small = Written(graph=graph, request=with_fine_layers(graph, asked_for))  # as it is exported
    for backend in ("reference", *RUN):
        what = f"float32 {backend}"
        try:
            session = open_session(backend, graph)
        except UnsupportedLayer as refusal:
            yield found(what, "refused", reason=str(refusal))
            continue
        said = session(asked)
        error = max(relative_error(said[name], wanted[name]) for name in names)
        yield found(what, "passed" if error <= FLOAT_ERROR else "differs from Keras", error)
        if backend == "reference":
            continue
        session = open_session(backend, small.for_format(FORMATS[backend]))
        what = f"int8 {backend}"
        verdict = checked(dict(session(decisive)), dict(expected))
        if verdict is not None:
            yield found(what, verdict)
            continue
        error = noise(session, asked, wanted)
        outcome = "passed" if error <= INTEGER_TOLERANCE else "noisy and passed"
        yield found(what, outcome, error)


def judged(all_found: Sequence[Found]) -> None:
    """Prints what was found; fails for wrong numbers, and where too much is refused."""
    counts = Counter((one.what, one.outcome) for one in all_found)
    print(
        "\n".join(f"{what}: {outcome} {count}" for (what, outcome), count in sorted(counts.items()))
    )
    reasons = Counter((one.what, one.reason.partition(" ")[2]) for one in all_found if one.reason)
    print(
        "\n".join(
            f"{count} x {what}: {why[:160]}" for (what, why), count in reasons.most_common(12)
        )
    )
    wrong = [one for one in all_found if one.outcome in ("differs from Keras", "noisy and passed")]
    assert not wrong, "\n".join(map(str, wrong))
    by_reader = [one for one in all_found if one.what == "reader"]
    models = len({one.seed for one in all_found})
    assert len(by_reader) <= 0.05 * models, "\n".join(map(str, by_reader))


@pytest.mark.parametrize("seeds", [(0, 1, 2, 75, 82, 166)], ids=["6_models"])
def test_models_of_these_layers_answer_as_keras_does(seeds: Sequence[int]) -> None:
    judged([one for seed in seeds for one in findings(seed)])


@pytest.mark.long
@pytest.mark.parametrize("start", range(0, 200, 25))
def test_200_models_of_these_layers_answer_as_keras_does(start: int) -> None:
    judged([one for seed in range(start, start + 25) for one in findings(seed)])
