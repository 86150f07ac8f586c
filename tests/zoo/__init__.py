"""The zoo: generated Keras models that cover every layer kind and cell option edgernn reads.

A case says how to build a model and what to feed it; Keras itself says what comes out.  The parity
test compares every reader and every back end with that.
"""

from __future__ import annotations

from typing import Final

from tests.zoo import (
    attention,
    bidirectional,
    elements,
    elementwise,
    images,
    merging,
    operations,
    practice,
    recurrent,
    seq2seq,
    stacks,
    structure,
    time_distributed,
    windows,
)
from tests.zoo.case import Case

CASES: Final[tuple[Case, ...]] = tuple(
    case
    for module in (
        recurrent,
        bidirectional,
        stacks,
        seq2seq,
        time_distributed,
        windows,
        images,
        elementwise,
        merging,
        attention,
        structure,
        operations,
        elements,
        practice,
    )
    for case in module.cases()
)
