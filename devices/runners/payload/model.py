"""Calls of a model with states: carries states over and feeds sequences step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .arrays import Array, Arrays


class Model:
    """A session with states {a: b}: output `b` of one call is input `a` of the next.

    States start as zeros.  A streaming model takes a few steps (`time`, usually 1) a call; a whole
    sequence is fed to it step by step, and each output gets a time axis: [B, steps, ...].
    """

    def __init__(self, session: Any, request: Mapping[str, Any]) -> None:
        """`session`: a Session, or only its ports if another program makes the calls."""
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
        """All outputs of one case, real-valued."""
        results = [self.result(self._made(row)) for row in self.rows(case)]
        return self.joined(results)

    def rows(self, case: Mapping[str, Array]) -> list[Arrays]:
        """The case, or its rows one by one for a model of fixed batch 1."""
        batch = next(iter(case.values())).shape[0]
        if batch > 1 and all(t.shape[:1] == (1,) for t in self.data_inputs):
            return [{n: x[i : i + 1] for n, x in case.items()} for i in range(batch)]
        return [dict(case)]

    def calls(self, case: Mapping[str, Array]) -> Iterator[Arrays]:
        """The arguments of each call of a case, except the states that are carried over."""
        return self._steps(case) if self.streaming else iter([dict(case)])

    def result(self, calls: Sequence[Arrays]) -> Arrays:
        """Joins the outputs of a row's calls; real-valued."""
        state_outputs = {b for _, b in self.states}
        return {
            name: self.outputs[name].real(
                np.stack([call[name] for call in calls], 1)
                if self.streaming and name not in state_outputs
                else last
            )
            for name, last in calls[-1].items()
        }

    def joined(self, rows: Sequence[Arrays]) -> Arrays:
        """Joins the outputs of a case's rows."""
        if len(rows) == 1:
            return rows[0]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def first_step(self, case: Mapping[str, Array]) -> Arrays:
        """The case, or for a streaming model the part of it that one call takes."""
        return next(self.calls(case))

    def _made(self, row: Mapping[str, Array]) -> list[Arrays]:
        made: list[Arrays] = []
        carried: Arrays = {name: row[name] for name, _ in self.states if name in row}
        for part in self.calls(row):
            made.append(self.session.call(self.feeds({**part, **carried})))
            carried = {a: made[-1][b] for a, b in self.states}
        return made

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
