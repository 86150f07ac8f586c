"""The same artefact on several devices: the number of rows with different answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgernn.measures import split_rows
from edgernn.profile.report import Cell, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The number of rows for which an artefact's answers differ between two devices."""

    file: str
    device: str
    first_device: str
    differing: int
    rows: int


def compared_answers(report: Report) -> tuple[Answers, ...]:
    """Compares each artefact's classes on each device with those on the first device."""
    found = []
    for first, *others in _by_file(report):
        for other in others:
            pairs = list(zip(_answers(first), _answers(other), strict=True))
            found.append(
                Answers(
                    file=first.item.file,
                    device=other.device,
                    first_device=first.device,
                    differing=sum(a != b for a, b in pairs),
                    rows=len(pairs),
                )
            )
    return tuple(found)


def _by_file(report: Report) -> Iterator[list[Cell]]:
    judged = [cell for cell in report.cells if _classes(cell)]
    for key in dict.fromkeys((cell.item.file, cell.item.sha256) for cell in judged):
        yield [cell for cell in judged if (cell.item.file, cell.item.sha256) == key]


def _classes(cell: Cell) -> tuple[int, ...]:
    return cell.predictions.classes if cell.predictions else ()


def _answers(cell: Cell) -> Sequence[object]:
    """A class of each row, step or label; all of a row of sequences: lengths may differ."""
    sizes = cell.predictions.sizes if cell.predictions else ()
    return split_rows(_classes(cell), sizes) if sizes else _classes(cell)
