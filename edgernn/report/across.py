"""The same artefact on several devices: does it say the same everywhere?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edgernn.profile.report import Cell, Report
from edgernn.units import listed

#: More that agree are only counted.
MOST_NAMED: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How many rows of the data an artefact answers differently on two devices."""

    file: str
    device: str
    first_device: str
    differing: int
    rows: int


def compared_answers(report: Report) -> tuple[Answers, ...]:
    """Each artefact's classes on each device against those on the first that has some."""
    found = []
    for first, *others in _by_file(report):
        for other in others:
            pairs = zip(_classes(first), _classes(other), strict=True)
            found.append(
                Answers(
                    file=first.item.file,
                    device=other.device,
                    first_device=first.device,
                    differing=sum(a != b for a, b in pairs),
                    rows=len(_classes(first)),
                )
            )
    return tuple(found)


def sentences_across(report: Report) -> Iterator[str]:
    """What differs, artefact by artefact; what does not, in one sentence for each device."""
    answers = compared_answers(report)
    for one in answers:
        if one.differing:
            yield (
                f"{one.file} answers {one.differing} of {one.rows:,} rows differently on "
                f"{one.device} than on {one.first_device}."
            )
    for devices in dict.fromkeys((one.device, one.first_device) for one in answers):
        both = [one for one in answers if (one.device, one.first_device) == devices]
        same = [one for one in both if not one.differing]
        if same:
            everything = len(same) == len(both) > MOST_NAMED
            names = f"All {len(same)} artefacts" if everything else listed([s.file for s in same])
            verb = "answers" if len(same) == 1 else "answer"
            yield f"{names} {verb} all {same[0].rows:,} rows on {devices[0]} as on {devices[1]}."


def _by_file(report: Report) -> Iterator[list[Cell]]:
    judged = [cell for cell in report.cells if _classes(cell)]
    for key in dict.fromkeys((cell.item.file, cell.item.sha256) for cell in judged):
        yield [cell for cell in judged if (cell.item.file, cell.item.sha256) == key]


def _classes(cell: Cell) -> tuple[int, ...]:
    return cell.predictions.classes if cell.predictions else ()
