"""Long recordings, and when something was said in them: a label track of Audacity beside each.

recordings/validation/kitchen.wav
recordings/validation/kitchen.txt     12.30<tab>12.95<tab>yes
recordings/test/car.wav               no .txt: nothing is said in it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn.errors import DataError
from edgernn.regular_file import read_bytes

_PARTS: Final = ("validation", "test")
_LAYOUT: Final = (
    "Make folders validation and test of .wav files, each with a label track of Audacity (.txt) "
    "where something is said in it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was said, and when."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    path: Path
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledStreams:
    """Recordings to choose a threshold with, and others to try it on."""

    name: str
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What is said in any of them."""
        both = (*self.validation, *self.test)
        return tuple(sorted({event.label for one in both for event in one.events}))


def read_label_tracks(folder: Path) -> LabelledStreams:
    """The recordings below `folder`, their sound unread.

    Without folders validation and test, every second recording in the order of names is for the
    validation.
    Raises DataError for fewer than two recordings, for one of the two folders without the other,
    and for a label track that is damaged or has no recording of its name.
    """
    parts = [folder / part for part in _PARTS]
    there = [part.name for part in parts if part.is_dir()]
    if len(there) == 1:
        (missing,) = set(_PARTS).difference(there)
        raise DataError(
            f"{folder} has a folder {there[0]} and none named {missing}", remedy=_LAYOUT
        )
    if there:
        validation, test = (_wav_files(part) for part in parts)
    else:
        files = _wav_files(folder)
        validation, test = files[0::2], files[1::2]
    if not validation or not test:
        raise DataError(
            f"{folder} has {len(validation) + len(test)} .wav files for a validation and a test",
            remedy=_LAYOUT,
        )
    _require_recordings(folder)
    return LabelledStreams(
        name=folder.resolve().name,
        validation=tuple(map(_recording, validation)),
        test=tuple(map(_recording, test)),
    )


def _wav_files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*.wav") if not path.name.startswith("."))


def _require_recordings(folder: Path) -> None:
    """A label track without its recording would be words that nobody misses."""
    for track in sorted(folder.rglob("*.txt")):
        if not track.with_suffix(".wav").exists() and _is_label_track(track):
            raise DataError(
                f"{track} is a label track without a recording",
                remedy="Give it the name of its recording (.txt, not .wav), or remove it",
            )


def _is_label_track(track: Path) -> bool:
    """Other texts may lie beside recordings, such as a licence."""
    try:
        return bool(_events(track))
    except DataError:
        return False


def _recording(path: Path) -> Recording:
    track = path.with_suffix(".txt")
    return Recording(path=path, events=_events(track) if track.exists() else ())


def _events(track: Path) -> tuple[Event, ...]:
    try:
        lines = read_bytes(track).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{track} is no label track ({error})", remedy=_LAYOUT) from error
    # A line that begins with a backslash has the frequencies of the label above it.
    events = [
        _event(line, f"{track}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("\\")
    ]
    return tuple(sorted(events, key=lambda event: event.start_s))


def _event(line: str, where: str) -> Event:
    parts = line.split("\t", 2)
    try:
        start_s, end_s, label = float(parts[0]), float(parts[1]), parts[2].strip()
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{where}: a line is a start and an end in seconds and a label, with tabs between",
            remedy="Export the labels from Audacity, or write them so: 12.30<tab>12.95<tab>yes",
        ) from error
    if not (0 <= start_s <= end_s < math.inf) or not label:
        raise DataError(
            f"{where}: {start_s:g} s to {end_s:g} s, label '{label}'",
            remedy="Give a start from 0 on, an end that is not before it, and a label",
        )
    return Event(start_s=start_s, end_s=end_s, label=label)
