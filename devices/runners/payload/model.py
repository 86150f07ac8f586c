"""What a call means for a model with states: what is carried over, what is fed step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .arrays import Array, Arrays
from .sessions import Session


class Model:
    """A session and what its states mean: the output `b` of one call is the input `a` of the next.

    States start as zeros.  A streaming model takes a few steps (`time`, usually 1) a call; a whole
    sequence is fed to it step by step, and each output gets a time axis: [B, steps, ...].
    """

    def __init__(self, session: Session, request: Mapping[str, Any]) -> None:
        self.session = session
        self.states = [(str(a), str(b)) for a, b in request["states"]]
        self.streaming = bool(request["streaming"])
        state_inputs = {a for a, _ in self.states}
        self.inputs = {t.name: t for t in session.inputs}
        self.outputs = {t.name: t for t in session.outputs}
        self.data_inputs = [t for t in session.inputs if t.name not in state_inputs]

    def feeds(self, case: Mapping[str, Array]) -> Arrays:
        """The arguments of the first call: `case` in the model's types, missing states as zeros."""
        feeds = {name: self.inputs[name].stored(x) for name, x in case.items()}
        batch = next(iter(feeds.values())).shape[0]
        for name, _ in self.states:
            if name not in feeds:
                shape = [batch if size is None else size for size in self.inputs[name].shape]
                zero_point = self.inputs[name].zero_point
                feeds[name] = np.full(shape, zero_point, self.inputs[name].dtype)
        return feeds

    def run(self, case: Mapping[str, Array]) -> Arrays:
        """All outputs of one case, real-valued.

        A model of fixed batch 1 is given the rows of a larger batch one by one.
        """
        batch = next(iter(case.values())).shape[0]
        if batch > 1 and all(t.shape[:1] == (1,) for t in self.data_inputs):
            rows = [self.run({n: x[i : i + 1] for n, x in case.items()}) for i in range(batch)]
            return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        results = self._stream(case) if self.streaming else self.session.call(self.feeds(case))
        return {name: self.outputs[name].real(x) for name, x in results.items()}

    def first_step(self, case: Mapping[str, Array]) -> Arrays:
        """The case, or for a streaming model the part of it that one call takes."""
        return next(self._steps(case)) if self.streaming else dict(case)

    def _stream(self, case: Mapping[str, Array]) -> Arrays:
        state_outputs = {b for _, b in self.states}
        steps: list[Arrays] = []
        carried: Arrays = {name: case[name] for name, _ in self.states if name in case}
        for part in self._steps(case):
            results = self.session.call(self.feeds({**part, **carried}))
            carried = {a: results[b] for a, b in self.states}
            steps.append(results)
        return {
            name: last if name in state_outputs else np.stack([step[name] for step in steps], 1)
            for name, last in steps[-1].items()
        }

    def _steps(self, case: Mapping[str, Array]) -> Iterator[Arrays]:
        time = {t.name: t.shape[1] or 1 for t in self.data_inputs if len(t.shape) > 1}
        count = max(case[name].shape[1] // taken for name, taken in time.items())
        for name, taken in time.items():
            if case[name].shape[1] not in (taken, count * taken):
                raise ValueError(
                    f"input '{name}' has {case[name].shape[1]} steps; a call takes {taken}"
                )
        for i in range(count):
            yield {
                t.name: x[:, i * time[t.name] : (i + 1) * time[t.name]]
                if t.name in time and x.shape[1] != time[t.name]
                else x
                for t, x in ((t, case[t.name]) for t in self.data_inputs)
            }
