"""What must stand beside a mix of cells: else two layers are mistaken for two kinds of cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgernn.tasks.notation import CELLS, Part, architecture_named, stack_name


def controls_of(name: str) -> tuple[str, ...]:
    """Architectures as deep and as wide as a mix, of one cell each; () for what mixes nothing.

    >>> controls_of("gru-lstm"), controls_of("gru+lstm"), controls_of("conv-gru")
    (('gru-gru', 'lstm-lstm'), ('gru+gru', 'lstm+lstm'), ())
    """
    members = architecture_named(name).members
    if len(set(members)) > 1:
        return tuple(
            "+".join([stack_name(member)] * len(members)) for member in dict.fromkeys(members)
        )
    kinds = dict.fromkeys(part.kind for part in members[0] if part.kind in CELLS)
    if len(kinds) < 2:
        return ()
    return tuple("+".join(stack_name(_only(member, kind)) for member in members) for kind in kinds)


def with_controls(architectures: Sequence[str]) -> tuple[str, ...]:
    """The architectures, then the controls of those that mix cells, each once."""
    controls = [control for name in architectures for control in controls_of(name)]
    return tuple(dict.fromkeys([*architectures, *controls]))


def _only(member: tuple[Part, ...], kind: str) -> tuple[Part, ...]:
    return tuple(replace(part, kind=kind) if part.kind in CELLS else part for part in member)
