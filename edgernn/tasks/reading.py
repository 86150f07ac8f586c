"""How tables and folders become sequences, as a training records it and a profile repeats it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from edgernn.errors import DataError
from edgernn.tasks.samples import Split
from edgernn.tasks.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Options of reading data; model and data are read alike in training, export and profile."""

    target: tuple[str, ...] = ()  # columns of a table that are to be predicted
    kind: Target | None = None  # what y means, where its values can be read in several ways
    window: int = 48  # lines of a table without sequences that predict what follows
    horizon: int = 1  # lines that are predicted then
    hold_out: str | None = None  # origins of the test rows

    def with_target(self, text: str | None) -> Reading:
        """With what a person names as the target: a kind ("numbers"), or columns of a table.

        >>> AS_IT_IS.with_target("load,price").target
        ('load', 'price')
        """
        if not text:
            return self
        if text in {kind.value for kind in Target}:
            return replace(self, kind=Target(text))
        return replace(self, target=tuple(name.strip() for name in text.split(",")))

    def recorded_for(self, spec: str) -> Reading:
        """What a training recorded, for other data: columns are those of a table only."""
        whole, _, part = spec.rpartition(":")
        names = (spec, whole if part in {split.value for split in Split} else spec)
        is_table = any(name.lower().endswith(".csv") for name in names)
        return self if is_table else replace(self, target=())

    def require_no_table(self, data: str) -> None:
        """Raises DataError where an option is for tables, and the data are none."""
        if self.target:
            raise DataError(
                f"{data} has no columns, so --target cannot name one",
                remedy="Leave --target out: y of an .npz and the folders of recordings say it",
            )


AS_IT_IS: Final = Reading()
