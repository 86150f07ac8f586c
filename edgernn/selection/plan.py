"""What a comparison is asked for, kept in its folder, so that --resume continues the same one."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from edgernn import atomic
from edgernn.errors import DataError, OutputError, WrongOption
from edgernn.selection.contender import Contender, Equal, Job
from edgernn.selection.crossed import FEWEST_SEEDS
from edgernn.tasks.task import Recipe

#: Trainings of a contender on each share of the rows.
MOST_PARTIAL_SEEDS: Final = 3
#: Trainings of a control: enough to see whether a mix is more than its depth.
MOST_CONTROL_SEEDS: Final = 3
_VERSION: Final = 1
_FORMAT: Final = "edgernn-comparison-plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Contenders and trainings.  The first contender is what the others are compared with."""

    data: str  # name
    data_sha256: str
    recipe: Recipe
    groups: dict[Equal, tuple[Contender, ...]]
    seeds: int  # trainings of each contender
    formats: tuple[str, ...]
    schemes: tuple[str, ...]
    shares: tuple[float, ...] = ()  # of the training rows, below 1: how much do more rows help?
    controls: tuple[str, ...] = ()  # architectures that nobody asked for
    narrower: tuple[Contender, ...] = ()  # in int8 as many bytes as the first has in int4

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Of all groups, each once, and what int4 is compared with."""
        grouped = (one for group in self.groups.values() for one in group)
        return tuple(dict.fromkeys((*grouped, *self.narrower)))

    def job(self, contender: Contender, repetition: int, *, share: float = 1.0) -> Job:
        return Job(
            contender=contender,
            recipe=replace(self.recipe, units=contender.units),
            repetition=repetition,
            data_sha256=self.data_sha256,
            share=share,
        )

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is trained in any case, in the order in which it begins: time may be short.

        What was asked for and the narrower model, until they can be compared; their other seeds;
        shares of the rows.
        """
        return (*self.whole_jobs, *self.partial_jobs)

    @property
    def whole_jobs(self) -> tuple[Job, ...]:
        """Trainings on all rows, of what was asked for and of the narrower model."""
        few = range(min(self.seeds, FEWEST_SEEDS))
        rest = range(len(few), self.seeds)
        asked = [one for one in self.contenders if not self.is_control(one)]
        return (
            *(self.job(one, number) for number in few for one in asked),
            *(self.job(one, number) for number in few for one in self.narrower),
            *(self.job(one, number) for number in rest for one in (*asked, *self.narrower)),
        )

    def control_jobs(self, controls: Collection[Contender]) -> tuple[Job, ...]:
        """Trainings of those controls that are needed (edgernn.selection.gains)."""
        return tuple(
            self.job(one, number)
            for number in range(min(self.seeds, MOST_CONTROL_SEEDS))
            for one in self.controls_among
            if one in controls
        )

    @property
    def controls_among(self) -> tuple[Contender, ...]:
        """The contenders that stand beside a mix, and that nobody asked for."""
        return tuple(one for one in self.contenders if one.architecture in self.controls)

    def seeds_of(self, contender: Contender) -> int:
        """How many trainings a contender has."""
        if contender.architecture not in self.controls:
            return self.seeds
        return min(self.seeds, MOST_CONTROL_SEEDS)

    def is_control(self, contender: Contender) -> bool:
        """Whether the comparison can do without it."""
        return contender.architecture in self.controls or contender in self.narrower

    @property
    def partial_jobs(self) -> tuple[Job, ...]:
        """Trainings on shares of the rows, of the two first contenders."""
        return tuple(
            self.job(contender, repetition, share=share)
            for repetition in range(min(self.seeds, MOST_PARTIAL_SEEDS))
            for share in self.shares
            for contender in self.contenders[:2]
        )


def plan_file(folder: Path) -> Path:
    return folder / "plan.json"


def write_plan(folder: Path, plan: Plan) -> None:
    """Raises OutputError."""
    entry = {"format": _FORMAT, "version": _VERSION, **asdict(plan)}
    entry["groups"] = {
        equal.value: [asdict(one) for one in group] for equal, group in plan.groups.items()
    }
    atomic.write_bytes(plan_file(folder), json.dumps(entry, indent=1).encode() + b"\n")


def data_of_plan(folder: Path) -> str | None:
    """The hash of the data that the comparison in `folder` was made with; None: there is none.

    Raises DataError for a file that is no plan.
    """
    path = plan_file(folder)
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return str({_FORMAT: entry}[entry["format"]]["data_sha256"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not the plan of a comparison ({error})", remedy="Give another folder"
        ) from error


@contextmanager
def coordinating(folder: Path) -> Iterator[None]:
    """No second coordinator works in `folder` meanwhile.  Raises OutputError."""
    atomic.make_folder(folder)
    atomic.require_writable(folder / ".lock")
    with (folder / ".lock").open("w") as lock:
        try:
            _lock(lock.fileno())
        except OSError as error:
            raise OutputError(
                f"another comparison or search is running in {folder}",
                remedy="Wait for its end, or give another folder with -o",
            ) from error
        yield


def _lock(handle: int) -> None:
    """Until the file is closed, or its process ends.  Raises OSError where another has the lock."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def require_unsearched(folder: Path, entry: dict[str, object], *, resume: bool) -> None:
    """Keeps what a search was asked for; a folder with another one, or without resume, is refused.

    Raises WrongOption, OutputError.
    """
    path = folder / "search.json"
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        atomic.write_bytes(path, json.dumps(entry, indent=1).encode() + b"\n")
        return
    except ValueError:
        earlier = None
    if not resume:
        raise WrongOption(
            f"{folder} holds a search",
            remedy="Continue it with --resume, or give another folder with -o",
        )
    if not isinstance(earlier, dict) or earlier.get("data_sha256") != entry["data_sha256"]:
        raise WrongOption(
            f"the search in {folder} was made with other data",
            remedy="Give the same data, or another folder with -o",
        )
