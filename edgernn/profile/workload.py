"""The inputs of artefacts in a profile: the user's rows, or made-up sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edgernn.devices.runners.outcome import Port
from edgernn.devices.runners.runner import Case
from edgernn.errors import DataError
from edgernn.graph.tensor import AnyArray, Shape
from edgernn.profile.candidates import Candidate
from edgernn.profile.float_reference import References
from edgernn.scoring.fitting import cases_of, fitted
from edgernn.tasks.samples import Samples

DEFAULT_STEPS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workload:
    """The inputs of the models."""

    samples: Samples | None = None
    metric: str | None = None  # to put first, instead of the usual one of the target
    steps: int = DEFAULT_STEPS  # of made-up sequences, where a model leaves their length free
    weighs: bool = True  # memory too, in a process of its own
    answers: bool = True  # to all samples; else only the first row is timed
    references: References = field(default_factory=References)

    def case(self, candidate: Candidate, ports: Sequence[Port]) -> Case:
        """The arguments of a timed call: the first row of the data, or made up.

        `ports` are the model's inputs as its runtime reports them.  Raises DataError if the data do
        not fit them.
        """
        samples = self.samples
        if samples is not None:
            port = data_port(candidate, ports, samples)
            streaming = candidate.item.streaming
            first = samples.rows(np.array([0]), name=samples.name)
            first = fitted(first, port, streaming=streaming, file=candidate.item.file)
            return cases_of(first, port, streaming=streaming)[0]
        random = np.random.default_rng(0)
        return {
            port.name: _made_up(port, self.steps, random) for port in data_ports(candidate, ports)
        }


def called_shape(x: AnyArray, candidate: Candidate) -> Shape:
    """The shape of one call: a streaming model takes one step of the sequence."""
    return (x.shape[0], 1, *x.shape[2:]) if candidate.item.streaming else x.shape


def data_ports(candidate: Candidate, ports: Sequence[Port]) -> list[Port]:
    """The inputs without the states."""
    state_inputs = {state.input for state in candidate.states}
    return [port for port in ports if port.name not in state_inputs]


def data_port(candidate: Candidate, ports: Sequence[Port], samples: Samples) -> Port:
    """The input that the samples are for.  Raises DataError if there are several."""
    found = data_ports(candidate, ports)
    if len(found) != 1:
        names = ", ".join(port.name for port in found)
        raise DataError(
            f"{candidate.item.file} takes {len(found)} inputs ({names}); {samples.name} has one",
            remedy="Profile it without --data",
        )
    return found[0]


def _made_up(port: Port, steps: int, random: np.random.Generator) -> AnyArray:
    """Batch 1; ones for integers, since token 0 may mean padding."""
    free = [1, steps, *([1] * len(port.shape))]
    shape = [free[axis] if size is None else size for axis, size in enumerate(port.shape)]
    dtype = np.dtype(port.dtype)
    if dtype.kind == "f":
        return random.normal(size=shape).astype(dtype)
    return np.ones(shape, dtype)
