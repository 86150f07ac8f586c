"""Fits labelled rows to a model's input, and counts sequences that are cut or padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgernn.devices.runners.outcome import Port
from edgernn.devices.runners.runner import Case
from edgernn.dtype import whole_numbers
from edgernn.errors import DataError
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """How sequences were changed to the fixed length of a model."""

    rows: int
    cut_rows: int  # sequences that lost steps which are no padding
    padded_rows: int  # sequences that got zeros
    steps: int  # of the model
    data_steps: int


def fitted(samples: Samples, port: Port, *, streaming: bool, file: str) -> Samples:
    """The samples with the number of steps of the model's input.

    Raises DataError if they do not fit the input.
    """
    if np.dtype(port.dtype).kind == "i" and samples.x.dtype.kind == "f":
        whole = whole_numbers(samples.x)
        samples = samples if whole is None else replace(samples, x=whole)
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
    """The changes that `fitted` makes to the rows; None if it keeps all real steps and adds none.

    Raises DataError if it would cut every row: the model is not made for such sequences.
    """
    steps, have, rows = port.shape[1], samples.x.shape[1], len(samples)
    if streaming or steps is None or steps == have:
        return None
    if samples.lengths is not None:
        lost = samples.lengths > steps
    else:  # the start is cut; zeros there count as padding, also for tokens
        first, last = samples.nonzero_span()
        lost = first < have - steps
    cut_rows = int(np.count_nonzero(lost))
    padded_rows = rows if have < steps else 0
    if cut_rows == rows:
        if samples.lengths is None and (last - first < steps).any():
            raise DataError(
                f"{file} takes {steps} steps, and the last {steps} of the {have} of "
                f"{samples.name} are not the whole of any sequence",
                remedy="Add an array `lengths` to the .npz: how many steps of each row are "
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
    """One case per row; where the model takes a fixed batch, as many rows as that.

    Row by row, like a device in use: runtimes that quantize at run time choose their scales for
    each call, so a batch would have other results.  The last case of a fixed batch is filled with
    its last row: readers of the outputs stop at the last sample.
    """
    # A stream ends with its last real step: padding would change its states.
    whole = np.full(len(samples.x), samples.x.shape[1])
    ends = samples.real_steps()[1] + 1 if streaming else whole
    for one in samples.outputs if streaming else ():
        if one.target is Target.STEPS:
            answered = one.answered
            ends = np.maximum(ends, answered.shape[1] - answered[:, ::-1].argmax(axis=1))
    batch = port.shape[0] or 1
    cases: list[Case] = []
    for start in range(0, len(samples.x), batch):
        rows = np.minimum(np.arange(start, start + batch), len(samples.x) - 1)
        cases.append({port.name: samples.x[rows, : ends[rows].max()]})
    return cases


def _shape_text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
