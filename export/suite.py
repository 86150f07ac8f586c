"""All calls that one graph is checked with, made once for all of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgernn.export.batches import MASKED_SIZES, Batch, batches, has_masks
from edgernn.export.carried import sequences_of
from edgernn.export.cases import Case, make_cases, random_rows
from edgernn.export.rows import Examples, Origin, row_calls, row_cases
from edgernn.graph import AnyArray, Graph


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Suite:
    """The calls of one graph.

    decisive: those whose mean error decides about an integer scheme.  others: corners, which only
    have to be right.  again: batches of the same rows, run behind all others in the same session.
    origin: where the numbers of the decisive ones come from.  sequences: of a model of steps, for
    which a file gets its own states back.
    """

    decisive: tuple[Case, ...]
    others: tuple[Case, ...]
    again: tuple[Batch, ...]
    origin: Origin
    has_masks: bool
    sequences: tuple[Case, ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        return (*self.others, *self.decisive)

    @property
    def inputs(self) -> list[Mapping[str, AnyArray]]:
        """The arguments of all calls."""
        return [call.inputs for call in (*self.cases, *self.again)]


def suite_for(graph: Graph, original: Graph, examples: Examples | None, *, integer: bool) -> Suite:
    """The calls that check `graph`, made from the float model `original`.

    Made-up inputs show wrong gates, masks and shapes, and float files are held to them whatever
    they are.  Integer schemes were made for numbers such as the `examples`: made-up ones would ask
    for what lies outside of their ranges, and serve only where there are no others.
    """
    made_up = make_cases(graph)
    if examples is None:
        return Suite(
            decisive=made_up,
            others=(),
            again=batches(graph, random_rows(graph, max(MASKED_SIZES))),
            origin=Origin.MADE_UP,
            has_masks=has_masks(graph),
        )
    arguments = row_calls(original, examples)
    return Suite(
        decisive=row_cases(graph, arguments),
        others=() if integer else made_up,
        again=batches(graph, arguments),
        origin=examples.origin,
        sequences=sequences_of(original, examples),
        has_masks=has_masks(graph),
    )
