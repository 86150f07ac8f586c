"""Labelled rows as a model takes them: what fits its input, and what had to be cut or filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgernn.devices.runners.outcome import Port
from edgernn.devices.runners.runner import Case
from edgernn.errors import DataError
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """What was done to sequences to give them the one length that a model takes."""

    rows: int
    cut_rows: int  # lost steps that were no padding
    padded_rows: int  # got zeros
    steps: int  # of the model
    data_steps: int


def fitted(samples: Samples, port: Port, *, streaming: bool, file: str) -> Samples:
    """The samples with as many steps as the model's input wants.

    Raises DataError when they do not fit the input.
    """
    wanted, given = port.shape, samples.x.shape
    takes_tokens, has_tokens = (
        kind != "f" for kind in (np.dtype(port.dtype).kind, samples.x.dtype.kind)
    )
    if takes_tokens != has_tokens:
        names = {True: "tokens", False: "features"}
        raise DataError(
            f"{samples.name} does not fit {file}: input '{port.name}' takes "
            f"{names[takes_tokens]}, the data are {names[has_tokens]}",
            remedy="Use the data that the model was made for",
        )
    own = 1 if len(given) == 2 and not has_tokens else 2  # [N, F] has no steps
    if len(wanted) != len(given) or any(
        size not in (None, have) for size, have in zip(wanted[own:], given[own:], strict=True)
    ):
        raise DataError(
            f"{samples.name} does not fit {file}: input '{port.name}' has shape "
            f"{_shape_text(wanted)}, the data {_shape_text((None, *given[1:]))}",
            remedy="Use the data that the model was made for",
        )
    steps = wanted[1]
    return samples if streaming or steps is None else samples.with_steps(steps)


def refit_of(samples: Samples, port: Port, *, streaming: bool, file: str) -> Refit | None:
    """What `fitted` does to the rows; None where it leaves all real steps, and adds none.

    Raises DataError when it would cut every row: these are not the sequences that the model takes.
    """
    steps, have, rows = port.shape[1], samples.x.shape[1], len(samples)
    if streaming or steps is None or steps == have:
        return None
    if samples.lengths is not None:
        lost = samples.lengths > steps
    else:  # the beginning goes: of tokens too, what is zero there is taken for padding
        first, last = samples.nonzero_span()
        lost = first < have - steps
    cut_rows = int(np.count_nonzero(lost))
    padded_rows = rows if have < steps else 0
    if cut_rows == rows:
        if samples.lengths is None and (last - first < steps).any():
            raise DataError(
                f"{file} takes {steps} steps, and the last {steps} of the {have} of "
                f"{samples.name} are not the whole of any sequence",
                remedy="Say with an array `lengths` in the .npz how many steps of each row are "
                "real, where padding follows them",
            )
        raise DataError(
            f"{file} takes {steps} steps, and every sequence of {samples.name} is longer "
            f"(up to {have})",
            remedy=f"Cut the sequences into pieces of {steps} steps, as the product will",
        )
    if not cut_rows and not padded_rows:
        return None
    return Refit(
        rows=rows, cut_rows=cut_rows, padded_rows=padded_rows, steps=steps, data_steps=have
    )


def cases_of(samples: Samples, port: Port, *, streaming: bool) -> list[Case]:
    """One case per row.

    Row by row, as a device meets them; and runtimes that quantize on the fly choose their scales
    per call, so a batch would give other numbers than the product will.
    """
    # A stream ends with its last real step: its states would go on through the padding.
    whole = np.full(len(samples.x), samples.x.shape[1])
    ends = samples.real_steps()[1] + 1 if streaming else whole
    if streaming and samples.target is Target.STEPS:
        answered = samples.answered
        ends = np.maximum(ends, answered.shape[1] - answered[:, ::-1].argmax(axis=1))
    return [{port.name: samples.x[row : row + 1, :end]} for row, end in enumerate(ends)]


def _shape_text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
