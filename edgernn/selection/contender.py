"""What is compared: an architecture at a size, and one training of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum

from edgernn.errors import WrongOption
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.task import Recipe


class Equal(str, Enum):
    """What contenders have in common."""

    UNITS = "units"  # as many in each recurrent layer
    BYTES = "bytes"  # as large a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An architecture ("gru", "gru-lstm") with so many units in each recurrent layer.

    >>> Contender(architecture="gru", units=128).name
    'gru-128'
    """

    architecture: str
    units: int

    @property
    def name(self) -> str:
        """In tables and file names."""
        return f"{self.architecture}-{self.units}"


class Role(str, Enum):
    """What a training is for: it decides which rows train, and which are scored."""

    COMPARED = "compared"  # validation rows drawn anew, scored on the test rows
    SEARCHED = "searched"  # validation rows drawn anew, scored on them: the test stays unseen
    CONFIRMED = "confirmed"  # scored on a fold that neither trains nor ends the training
    FINAL = "final"  # the data's own parts, scored on the validation rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training.  Its seed follows from what is trained, not from who trains it or when."""

    contender: Contender
    recipe: Recipe  # `units` as the contender's
    repetition: int  # from 0
    data_sha256: str
    share: float = 1.0  # of the training rows
    role: Role = Role.COMPARED

    @property
    def key(self) -> str:
        """The name of its files: the same for the same training of the same data."""
        settings = {
            "architecture": self.contender.architecture,
            **asdict(self.recipe),
            "repetition": self.repetition,
            "data": self.data_sha256,
        }
        if self.share != 1.0:
            settings["share"] = self.share
        if self.role is not Role.COMPARED:
            settings["role"] = self.role.value
        if self.members:
            settings["members"] = [one.key for one in self.members]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def members(self) -> tuple[Job, ...]:
        """Of an ensemble that is compared: the trainings whose mean it is; () for others.

        They are the very trainings of the contenders that stand alone: with the same repetition,
        and of two equal members, two repetitions.  So no two repetitions of an ensemble share one.

        >>> [(one.contender.name, one.repetition) for one in repetition_1_of_gru_and_lstm.members]
        [('gru-128', 1), ('lstm-128', 1)]
        >>> [(one.contender.name, one.repetition) for one in repetition_1_of_gru_and_gru.members]
        [('gru-128', 2), ('gru-128', 3)]
        """
        names = architecture_named(self.contender.architecture).member_names
        if self.role is not Role.COMPARED or len(names) < 2:
            return ()
        return tuple(
            replace(
                self,
                contender=replace(self.contender, architecture=name),
                repetition=names.count(name) * self.repetition + names[:place].count(name),
            )
            for place, name in enumerate(names)
        )

    @property
    def seed(self) -> int:
        """Of the weights, the order of rows, and the validation split; below 2³¹."""
        return int(self.key[:8], 16) >> 1


def parsed_models(models: str | Sequence[str]) -> tuple[str, ...]:
    """Architectures (edgernn.tasks.notation) in "gru,lstm,gru-lstm" or in a list, each once.

    Raises DataError for one that does not exist, WrongOption for fewer than two.
    """
    given = models.split(",") if isinstance(models, str) else models
    names = tuple(dict.fromkeys(architecture_named(name).name for name in given))
    if len(names) < 2:
        raise WrongOption(
            f"a comparison needs two architectures, and {len(names)} is given",
            remedy="Name two or more: --models gru,lstm",
        )
    return names


def parsed_equals(equal: str | Sequence[str]) -> tuple[Equal, ...]:
    """Each once, units first.  Raises WrongOption for anything but "units" and "bytes"."""
    given = equal.split(",") if isinstance(equal, str) else equal
    try:
        wanted = {Equal(one.strip()) for one in given}
    except ValueError as error:
        raise WrongOption(
            f"contenders cannot be made equal by '{','.join(given)}'",
            remedy="Choose units, bytes, or units,bytes",
        ) from error
    return tuple(one for one in Equal if one in wanted)
