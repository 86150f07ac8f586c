"""What the formats make of a hard model: errors against Keras itself on fresh rows.

float32 agrees with Keras up to rounding, in each format.  int8 and dynamic are decided as the check
of an export decides, on rows that calibration did not see, and measured on others.  A model that
can be one of single steps is tried as that, too: whole sequences, its states handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgernn.artefact import Verification, VerificationStatus
from edgernn.errors import EdgernnError, UnsupportedLayer, VerificationError
from edgernn.export.in_scheme import float_graph, quantized, with_fine_layers
from edgernn.export.keras.object import from_keras
from edgernn.export.mean_error import near_on_average
from edgernn.export.noise import shares_a_unit, spread
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples, Origin
from edgernn.export.suite import Suite, suite_for
from edgernn.export.verify import largest, relative_error
from edgernn.graph import Graph, Ranges, batch_size
from edgernn.reference import run_calls
from edgernn.reference.arguments import with_zero_states
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming
from tests.formats import RUN
from tests.zoo.hard_models import STEPS, HardModel, free_twin, hard_model, take_back_the_scale
from tests.zoo.runtimes import Session, open_session

CALIBRATION, KEPT, FRESH = 48, 24, 36
TOTAL: Final = CALIBRATION + KEPT + FRESH
_KEPT: Final = slice(CALIBRATION, CALIBRATION + KEPT)
_FRESH: Final = slice(CALIBRATION + KEPT, TOTAL)

#: Of the output's scale.  Where float32 itself is worse (an offset of 50 units that a kernel takes
#: back costs 50 last bits), twice what Keras loses against its own float64.
FLOAT_ERROR: Final = 1e-5
_SMALLEST_SCALE: Final = 0.01

#: Mean |error| on fresh rows, of the outputs' standard deviation.
NOISE: Final = 0.05

Answers = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """outcome: "passed", "refused" (for noise), a typed refusal's class, or what is wrong.

    decided: the mean error that the check saw; error: the one on fresh rows.
    """

    seed: int
    traits: tuple[str, ...]
    what: str  # scheme, back end, "step"
    outcome: str
    error: float
    decided: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Subject:
    """A model, as it was read and calibrated, and what Keras says to its fresh rows."""

    seed: int
    made: HardModel
    graph: Graph
    ranges: Ranges
    names: tuple[str, ...]
    shared: dict[str, bool]
    wanted: Answers  # call by call

    def calls(self, rows: slice) -> list[dict[str, Any]]:
        """Calls of the model's own batch (one row, where it is free), states of zeros."""
        arrays = self.examples(rows)
        batch = batch_size(self.graph) or 1
        return [
            with_zero_states(
                self.graph, {name: array[at : at + batch] for name, array in arrays.items()}
            )
            for at in range(0, rows.stop - rows.start, batch)
        ]

    def examples(self, rows: slice) -> dict[str, Any]:
        return by_name(self.graph, self.made, rows)

    def found(self, what: str, outcome: str, error: float = 0.0, decided: float = 0.0) -> Found:
        return Found(
            seed=self.seed, traits=self.made.traits, what=what, outcome=outcome, error=error,
            decided=decided,
        )  # fmt: skip

    def noise(self, given: Answers) -> float:
        return max(
            spread(exact, shared=self.shared[name]).noise(exact, [one[name] for one in given]).mean
            for name in self.names
            for exact in [[one[name] for one in self.wanted]]
        )

    def off(self, given: Answers, wanted: Answers) -> float:
        """The largest error of all calls, of the output's largest number."""
        return max(
            relative_error(here[name], there[name], scale=scale)
            for name in self.names
            for scale in [max(largest(one[name], at_least=_SMALLEST_SCALE) for one in wanted)]
            for here, there in zip(given, wanted, strict=True)
        )


def findings(seed: int) -> Iterator[Found]:
    """All that is found in the model of this seed."""
    subject = _subject(seed)
    yield from _of_floats(subject)
    kept = Examples(inputs=subject.examples(_KEPT), origin=Origin.KEPT_BACK)
    for scheme in (Scheme.INT8, Scheme.DYNAMIC):
        request = with_fine_layers(
            subject.graph, Request(scheme=scheme, ranges=subject.ranges, examples=kept)
        )
        for backend in RUN:
            small = quantized(subject.graph, request, backend)
            yield _of_few_bits(subject, small, scheme.value, backend)
            try:
                step = to_streaming(small)
            except UnsupportedLayer:
                continue
            yield _of_few_bits(subject, step, f"step {scheme.value}", backend)


def _subject(seed: int) -> _Subject:
    made = hard_model(seed, TOTAL)
    take_back_the_scale(made)
    read = from_keras(made.model).graph
    graph = float_graph(read)
    names = tuple(output.name for output in read.outputs)
    own = batch_size(graph) is None and "mixed precision" not in made.traits
    oracle = made.model if own else free_twin(made, seed, policy="float32")
    return _Subject(
        seed=seed,
        made=made,
        graph=graph,
        ranges=calibrate(graph, by_name(graph, made, slice(0, CALIBRATION))),
        names=names,
        shared={out.name: shares_a_unit(graph, out.edge) for out in graph.outputs},
        wanted=keras_answers(oracle, made, names, batch_size(graph)),
    )


def by_name(graph: Graph, made: HardModel, rows: slice) -> dict[str, Any]:
    states = {state.input for state in graph.states}
    names = [entry.name for entry in graph.inputs if entry.name not in states]
    return {name: array[rows] for name, array in zip(names, made.rows, strict=True)}


def keras_answers(model: Any, made: HardModel, names: Sequence[str], batch: int | None) -> Answers:
    """What Keras says to the fresh rows, in calls of `batch` rows, of one where that is free."""
    given = [array[_FRESH] for array in made.rows]
    said = model(given[0] if len(given) == 1 else given, training=False)
    said = [one.numpy() for one in (said if isinstance(said, list) else [said])]
    return [
        {name: one[at : at + (batch or 1)] for name, one in zip(names, said, strict=True)}
        for at in range(0, FRESH, batch or 1)
    ]


def _of_floats(subject: _Subject) -> Iterator[Found]:
    calls = subject.calls(_FRESH)
    answers = {"reference": run_calls(subject.graph, calls)}
    for backend in RUN:
        try:
            session = open_session(backend, subject.graph)
        except EdgernnError as refusal:
            yield subject.found(f"float32 {backend}", type(refusal).__name__)
            continue
        answers[backend] = [dict(session(call)) for call in calls]
    exact: Answers | None = None
    for backend, given in answers.items():
        error, limit = subject.off(given, subject.wanted), FLOAT_ERROR
        if not error <= limit:
            if exact is None:
                twin = free_twin(subject.made, subject.seed, policy="float64")
                exact = keras_answers(twin, subject.made, subject.names, batch_size(subject.graph))
            error = subject.off(given, exact)
            limit = max(limit, 2 * subject.off(subject.wanted, exact))
        outcome = "passed" if error <= limit else "differs from Keras"
        yield subject.found(f"float32 {backend}", outcome, error)


def _of_few_bits(subject: _Subject, small: Graph, scheme: str, backend: str) -> Found:
    what, steps = f"{scheme} {backend}", scheme.startswith("step")
    try:
        session = open_session(backend, small)
    except EdgernnError as refusal:
        return subject.found(what, type(refusal).__name__)
    original = to_streaming(subject.graph) if steps else subject.graph
    kept = Examples(inputs=subject.examples(_KEPT), origin=Origin.KEPT_BACK)
    suite = suite_for(small, original, kept, integer=True)
    calls = subject.calls(_FRESH)
    given = [_steps(session, small, call) if steps else dict(session(call)) for call in calls]
    error = subject.noise(given)
    try:
        decided = _decided(subject, suite, original, session)
    except VerificationError:
        return subject.found(what, "refused", error)
    if decided.status is not VerificationStatus.PASSED:
        return subject.found(what, decided.status.value, error, decided.mean_error or 0.0)
    outcome = "passed" if error <= NOISE else "noisy and passed"
    return subject.found(what, outcome, error, decided.mean_error or 0.0)


def _decided(subject: _Subject, suite: Suite, original: Graph, session: Session) -> Verification:
    """What the check of an export says; it raises VerificationError."""
    cases = suite.decisive
    expected = run_calls(original, [case.inputs for case in cases])
    return near_on_average(
        "the file",
        cases,
        [session(case.inputs) for case in cases],
        expected,
        shared=[name for name, shared in subject.shared.items() if shared],
    )


def _steps(session: Session, step: Graph, whole: dict[str, Any]) -> dict[str, Any]:
    """The answers to the last step of a sequence, all steps handed over in turn."""
    states = {state.input: state.output for state in step.states}
    sizes = {entry.name: entry.spec.shape for entry in step.inputs}
    now = with_zero_states(
        step, {name: whole[name][:, :1] if _is_cut(sizes[name], whole[name]) else whole[name]
               for name in sizes if name not in states}
    )  # fmt: skip
    answer: dict[str, Any] = {}
    for at in range(STEPS):
        for name in sizes.keys() - states.keys():
            if _is_cut(sizes[name], whole[name]):
                now[name] = whole[name][:, at : at + 1]
        answer = dict(session(now))
        now |= {given: answer[left] for given, left in states.items()}
    return answer


def _is_cut(size: tuple[int | None, ...], whole: Any) -> bool:
    return whole.ndim > 1 and size[1] == 1 and whole.shape[1] == STEPS
