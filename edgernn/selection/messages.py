"""Lines of JSON between the coordinator and its workers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from edgernn.errors import TrainingFailed
from edgernn.scheme import Scheme
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.work import Forms
from edgernn.tasks.task import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train, score and write down one job."""

    job: Job
    forms: Forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How many bytes would the files of a contender have?"""

    contender: Contender
    recipe: Recipe
    forms: Forms
    role: Role = Role.SEARCHED  # of the trainings that will have so many bytes


Order: TypeAlias = Train | Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of an order.  `error` is a sentence, "" where all went well."""

    bytes: dict[str, int]  # by form; {} for a training, whose result is a file
    error: str = ""
    remedy: str = ""
    diverged: bool = False  # that is the error

    def require_success(self) -> None:
        """Raises TrainingDiverged or TrainingFailed with the answer's sentence."""
        if self.error:
            kind = TrainingDiverged if self.diverged else TrainingFailed
            raise kind(self.error, remedy=self.remedy)


class TrainingDiverged(TrainingFailed):
    """A training did what its recipe says, and its loss left the range of numbers."""


def order_line(order: Order) -> str:
    """One line, without its end."""
    return json.dumps({"order": type(order).__name__, **asdict(order)})


def read_order(line: str) -> Order:
    entry: dict[str, Any] = json.loads(line)
    forms = Forms(
        formats=tuple(entry["forms"]["formats"]),
        schemes=tuple(Scheme(name) for name in entry["forms"]["schemes"]),
    )
    if entry["order"] == Train.__name__:
        job = entry["job"]
        return Train(
            job=Job(
                contender=Contender(**job["contender"]),
                recipe=Recipe(**job["recipe"]),
                repetition=job["repetition"],
                data_sha256=job["data_sha256"],
                share=job["share"],
                role=Role(job["role"]),
            ),
            forms=forms,
        )
    return Measure(
        contender=Contender(**entry["contender"]),
        recipe=Recipe(**entry["recipe"]),
        forms=forms,
        role=Role(entry["role"]),
    )


def answer_line(answer: Answer) -> str:
    """One line, without its end."""
    return json.dumps(asdict(answer))


def read_answer(line: str) -> Answer:
    return Answer(**json.loads(line))
