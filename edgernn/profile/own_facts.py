"""What a model file says of itself, where no manifest lies beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgernn.errors import DataError, ModelFileError
from edgernn.export import backend_named
from edgernn.export.contents import Damaged
from edgernn.export.sound_input import FRONT_END, TEXT_FRONT_END
from edgernn.formats import Format
from edgernn.recipe import FrontEndRecipe, rows_of_text, text_of
from edgernn.scheme import Scheme

#: In the metadata of each file that edgernn wrote.
_OURS = "source_sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFacts:
    """Names of the classes, the scheme ("unknown"), and how sound or text goes in."""

    labels: tuple[str, ...] = ()
    scheme: str = "unknown"
    front_end: FrontEndRecipe | None = None


def own_facts(path: Path, content: bytes, found: Format) -> OwnFacts:
    """What the file's own metadata say; nothing for a file of others, or one that is damaged.

    A damaged file is refused by the runtime that opens it.
    Raises ModelFileError where the metadata cannot be used.
    """
    try:
        metadata = backend_named(found.name).read_contents(content).metadata
    except Damaged:
        return OwnFacts()
    if _OURS not in metadata:
        return OwnFacts()
    try:
        return OwnFacts(
            labels=_labels(metadata),
            scheme=Scheme(metadata.get("scheme", "")).value,
            front_end=_front_end(metadata, where=path.name),
        )
    except (DataError, ValueError, TypeError, RecursionError) as error:
        reason = error.what if isinstance(error, DataError) else error
        raise ModelFileError(
            f"{path}: its metadata cannot be used ({reason})",
            remedy="Export the model again, or update edgernn if a newer one made it",
        ) from error


def _labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    found = json.loads(metadata.get("labels", "[]"))
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise DataError("the labels are no list of texts")
    return tuple(found)


def _front_end(metadata: Mapping[str, str], *, where: str) -> FrontEndRecipe | None:
    if FRONT_END in metadata:
        return rows_of_text(metadata[FRONT_END], where=where)
    if TEXT_FRONT_END in metadata:
        return text_of({**json.loads(metadata[TEXT_FRONT_END])})
    return None
