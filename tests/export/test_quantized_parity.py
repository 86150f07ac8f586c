"""Every model of the zoo in every scheme with fewer bits, on every back end.

One way into edgernn serves (test_parity.py tries them all).  Nothing may crash; what is refused is
refused with a typed error, and what answers stays close to Keras.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import pytest

from edgernn.errors import CalibrationError, EdgernnError, UnsupportedLayer
from edgernn.export.integer_bits import Certainty, certainties
from edgernn.export.keras.object import from_keras
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.verify import relative_error
from edgernn.graph import AnyArray, Graph
from edgernn.reference import integer
from edgernn.scheme import Scheme
from tests.formats import RUN
from tests.zoo import CASES
from tests.zoo.case import Case
from tests.zoo.inputs import draw
from tests.zoo.prepare import Prepared, prepared
from tests.zoo.refusals import refuser
from tests.zoo.runtimes import open_session, prepared_graph, run_calls

#: Results call by call, output by output.
Answers: TypeAlias = Sequence[Sequence[AnyArray]]

CALIBRATION_ROWS: Final = 16

#: Random rows drive this one's exponential states to infinity.
CANNOT_BE_CALIBRATED: Final = frozenset({"lstm-activation_exponential"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far from Keras: the largest error over max(1, scale), the mean error over the scale."""

    largest: float
    mean: float


#: Weights of these models are larger than training leaves them, and units are few, so that single
#: errors show.  A wrong gate, mask or scale gives 0.1 and more.
BOUNDS: Final = {
    Scheme.FLOAT16: Bounds(largest=0.003, mean=0.002),
    Scheme.DYNAMIC: Bounds(largest=0.08, mean=0.015),
    Scheme.INT8: Bounds(largest=0.08, mean=0.04),
}

#: The order of float sums.
ROUNDING: Final = 2e-5
#: Native dynamic layers multiply states of 8 bits, where the reference has floats: half a step.
STATES_OF_8_BITS: Final = 0.01

#: Who computes what the integer reference does, and how far apart they may be.
APART: Final[Mapping[Scheme, Mapping[str, float]]] = {
    Scheme.FLOAT16: dict.fromkeys(RUN, ROUNDING),
    Scheme.DYNAMIC: {"native": STATES_OF_8_BITS},
    Scheme.INT8: {"native": ROUNDING},
}


def apart_at_most(scheme: Scheme, backend: str, small: Graph) -> float:
    """Layers that lack an integer plan are dynamic ones in an int8 model, too."""
    drawn = Certainty.OPEN in certainties(small).values()
    return max(APART[scheme][backend], STATES_OF_8_BITS if drawn else 0.0)


def model_of(case: Case) -> Prepared:
    return prepared(case, case.generations[0])


@lru_cache(maxsize=2)
def read_graph(case: Case) -> Graph:
    return from_keras(model_of(case).model).graph


def graph_of(case: Case) -> Graph:
    """What the exporter quantizes."""
    return prepared_graph(read_graph(case))


def calibration_data(case: Case, graph: Graph) -> dict[str, AnyArray]:
    """Random rows, and those that are asked for: what integers have to cover was seen."""
    states = {state.input for state in graph.states}
    entries = [entry for entry in graph.inputs if entry.name not in states]
    specs = [((None, *entry.spec.shape[1:]), entry.spec.dtype.value) for entry in entries]
    random = draw(replace(case, batch=CALIBRATION_ROWS), specs, seed=1)
    return {
        entry.name: np.concatenate([drawn, *(call[index] for call in model_of(case).inputs)])
        for index, (entry, drawn) in enumerate(zip(entries, random, strict=True))
    }


def quantized(case: Case, scheme: Scheme) -> Graph:
    graph = graph_of(case)
    if scheme is not Scheme.INT8:
        return quantize(graph, None, scheme)
    return quantize(graph, calibrate(graph, calibration_data(case, graph)), scheme)


def answers_of(session: Any, case: Case, graph: Graph) -> Answers:
    outputs = [output.name for output in read_graph(case).outputs]
    return run_calls(session, graph, model_of(case).inputs, outputs=outputs)


def largest_error(actual: Answers, expected: Answers) -> float:
    return max(
        relative_error(here, there)
        for call, wanted in zip(actual, expected, strict=True)
        for here, there in zip(call, wanted, strict=True)
    )


def mean_error(actual: Answers, expected: Answers) -> float:
    """The worst output's, over all calls, relative to its scale; a NaN of Keras (the mean of no
    step) has to be one.
    """
    by_output = zip(zip(*actual, strict=True), zip(*expected, strict=True), strict=True)
    errors = []
    for calls in by_output:
        here, there = (np.concatenate([np.nan_to_num(x).ravel() for x in side]) for side in calls)
        scale = max(float(np.abs(there).max(initial=0.0)), 1e-6)
        errors.append(float(np.abs(here - there).mean()) / scale)
    return max(errors)


def is_close(case: Case, small: Graph, scheme: Scheme, backend: str) -> str:
    """What is wrong with the back end's answers; empty if nothing is."""
    answers = answers_of(open_session(backend, small), case, small)
    expected = model_of(case).expected
    largest, mean, bounds = largest_error(answers, expected), mean_error(answers, expected), BOUNDS
    if not largest <= bounds[scheme].largest or not mean <= bounds[scheme].mean:
        return f"{backend} is off by {largest:.3f}, {mean:.3f} on average"
    if backend in APART[scheme]:
        defined = answers_of(lambda arrays: integer.run(small, arrays), case, small)
        apart = largest_error(answers, defined)
        if not apart <= apart_at_most(scheme, backend, small):
            return f"{backend} is {apart:.1e} away from the integer reference"
    return ""


@pytest.mark.parametrize("scheme", list(BOUNDS), ids=lambda scheme: scheme.value)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_model_of_fewer_bits_answers_about_as_keras_does(case: Case, scheme: Scheme) -> None:
    if refuser(case.name, case.generations[0], "reader"):
        with pytest.raises(UnsupportedLayer):
            graph_of(case)
        return
    if scheme is Scheme.INT8 and case.name in CANNOT_BE_CALIBRATED:
        with pytest.raises(CalibrationError, match="returns NaN or infinity"):
            quantized(case, scheme)
        return
    small = quantized(case, scheme)
    faults: Mapping[str, str] = {
        backend: is_close(case, small, scheme, backend)
        for backend in RUN
        if not refuser(case.name, case.generations[0], backend)
    }
    assert not any(faults.values()), "; ".join(filter(None, faults.values()))
    for backend in RUN:
        if backend not in faults:
            with pytest.raises(EdgernnError):
                answers_of(open_session(backend, small), case, small)
