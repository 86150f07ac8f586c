"""Listens to long recordings: false alarms and misses at a threshold chosen on others of them.

A threshold is chosen on one part of the recordings: of those that keep the false alarms below a
wanted rate, the one with the fewest misses.  The other part shows what it is worth.  Decisions are
those of the C library's listener (smoothing, refractory time), so an app makes the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.profile.alarms import Alarms, Tally
from edgernn.runtime.listening import Deciding, Listener, Pause
from edgernn.tasks.label_tracks import LabelledStreams, Recording
from edgernn.tasks.recordings import read_waveform

if TYPE_CHECKING:
    from edgernn.runtime import Model

#: A decision counts for an event until so long after its end: the scores are of what came before.
LATE_S: Final = 1.0
#: A label track may go beyond its recording by so much: programs round.
_ROUNDED_S: Final = 0.1
#: Labels that mean that nothing was said, by their usual names; so do those with a first "_".
BACKGROUND: Final = frozenset({"background", "noise", "other", "silence", "unknown"})
#: Whole percents, then finer: a sure model gives nearly all of its scores to one label.
THRESHOLDS: Final = (
    *(percent / 100 for percent in range(1, 100)),
    *(0.993, 0.995, 0.997, 0.998, 0.999, 0.9993, 0.9995),
)
_PIECE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scored:
    """Mean scores of one recording: the best label of each, its score and time."""

    recording: Recording
    seconds: npt.NDArray[np.float64]  # [N]
    best: npt.NDArray[np.int64]  # [N]
    score: npt.NDArray[np.float64]  # [N]
    length_s: float
    rate_hz: int


def alarms_of(
    model: Model,
    streams: LabelledStreams,
    *,
    sha256: str,
    wanted_per_hour: float = 1.0,
    background: Sequence[str] | None = None,
    deciding: Deciding | None = None,
) -> Alarms:
    """Listens to all recordings, chooses a threshold and tries it.

    background: labels that mean that nothing was said; None: those with usual names.
    deciding: all but its threshold.
    Raises DataError for a model that cannot listen, for labels that it does not have, and for
    recordings that cannot be read.
    """
    deciding = deciding or Deciding()
    quiet = _background(model, background)
    _require_known(model, streams, quiet)
    validation, test = (
        [_scored(model, one, deciding) for one in part]
        for part in (streams.validation, streams.test)
    )

    def tally(part: Sequence[_Scored], threshold: float) -> Tally:
        chosen = replace(deciding, threshold=threshold)
        return _sum([_tally(one, chosen, model.labels, quiet) for one in part])

    threshold = _chosen(lambda one: tally(validation, one), wanted_per_hour)
    return Alarms(
        file=model.name,
        sha256=sha256,
        recordings=streams.name,
        wanted_per_hour=wanted_per_hour,
        threshold=threshold,
        smooth=deciding.smooth,
        pause_s=deciding.pause_s,
        background=quiet,
        validation=tally(validation, threshold),
        test=tally(test, threshold),
    )


def _background(model: Model, named: Sequence[str] | None) -> tuple[str, ...]:
    if named is None:
        return tuple(
            label
            for label in model.labels
            if label.strip("_").lower() in BACKGROUND or label[:1] == "_"
        )
    unknown = [label for label in named if label not in model.labels]
    if unknown:
        raise DataError(
            f"{model.name} has no label '{unknown[0]}'",
            remedy=f"Its labels are {', '.join(model.labels)}",
        )
    return tuple(named)


def _require_known(model: Model, streams: LabelledStreams, quiet: Sequence[str]) -> None:
    if not model.labels:
        raise DataError(
            f"{model.name} has no names of classes to compare with label tracks",
            remedy="Export it with --labels",
        )
    words = [label for label in model.labels if label not in quiet]
    unknown = [label for label in streams.labels if label not in words]
    if unknown:
        raise DataError(
            f"the label tracks of {streams.name} name '{unknown[0]}', which {model.name} does not "
            "report",
            remedy=f"Its words are {', '.join(words)}; leave other ones out of the label tracks",
        )


def _scored(model: Model, recording: Recording, deciding: Deciding) -> _Scored:
    waveform, rate_hz = read_waveform(recording.path)
    length_s = len(waveform) / rate_hz
    late = next((event for event in recording.events if event.end_s > length_s + _ROUNDED_S), None)
    if late is not None:
        raise DataError(
            f"{recording.path} has {length_s:.2f} s, its label track goes to {late.end_s:.2f} s",
            remedy="Give each recording its own label track",
        )
    listener = Listener(model=model, rate_hz=rate_hz, deciding=deciding)
    piece, seconds, scores = max(1, int(rate_hz * _PIECE_S)), [], []
    for at in range(0, len(waveform), piece):
        for one in listener.scores(waveform[at : at + piece]):
            scores.append(one)
            seconds.append(listener.seconds)
    if scores and len(scores[0]) != len(model.labels):
        raise DataError(
            f"{model.name} has {len(scores[0])} classes and names for {len(model.labels)} of them",
            remedy="Export it with one of --labels for each class",
        )
    means = _means(np.reshape(scores, (len(scores), len(model.labels))), deciding.smooth)
    best = means.argmax(axis=1)
    return _Scored(
        recording=recording,
        seconds=np.array(seconds[len(seconds) - len(means) :]),
        best=best,
        score=means[np.arange(len(means)), best],
        length_s=length_s,
        rate_hz=model.audio().recipe.rate_hz,
    )


def _means(scores: npt.NDArray[np.float64], smooth: int) -> npt.NDArray[np.float64]:
    """[N, C] to [N - smooth + 1, C]: each the mean of the last `smooth` scores."""
    count = max(0, len(scores) - smooth + 1)
    return np.asarray(np.mean([scores[at : at + count] for at in range(smooth)], axis=0))


def _heard(
    scored: _Scored, deciding: Deciding, labels: Sequence[str], quiet: Sequence[str]
) -> Iterator[tuple[float, str]]:
    """(seconds, word) of each decision that is no background."""
    pause = Pause(deciding=deciding, rate_hz=scored.rate_hz, labels=labels)
    for at in np.flatnonzero(scored.score >= deciding.threshold).tolist():
        best, seconds = int(scored.best[at]), float(scored.seconds[at])
        if pause.passes(best, seconds, float(scored.score[at])) and labels[best] not in quiet:
            yield seconds, labels[best]


def _tally(
    scored: _Scored, deciding: Deciding, labels: Sequence[str], quiet: Sequence[str]
) -> Tally:
    """A word heard from an event's start to LATE_S after its end is the event's; again, it is no
    false alarm.
    """
    events, false_alarms = scored.recording.events, 0
    found: set[int] = set()
    for seconds, word in _heard(scored, deciding, labels, quiet):
        matching = [
            number
            for number, event in enumerate(events)
            if event.label == word and event.start_s <= seconds <= event.end_s + LATE_S
        ]
        false_alarms += not matching
        found.update([number for number in matching if number not in found][:1])
    return Tally(
        hours=scored.length_s / 3600,
        events=len(events),
        missed=len(events) - len(found),
        false_alarms=false_alarms,
    )


def _sum(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        hours=sum(one.hours for one in tallies),
        events=sum(one.events for one in tallies),
        missed=sum(one.missed for one in tallies),
        false_alarms=sum(one.false_alarms for one in tallies),
    )


def _chosen(tally: Callable[[float], Tally], wanted_per_hour: float) -> float:
    """The fewest misses within the wanted rate, then the fewest false alarms.

    Where no threshold keeps the rate, the fewest false alarms, then the fewest misses.  Of those
    that are alike the middle one: at their edges, new recordings would soon be heard otherwise.
    """
    tallies = {threshold: tally(threshold) for threshold in THRESHOLDS}
    kept = {at: one for at, one in tallies.items() if one.per_hour <= wanted_per_hour}
    if kept:
        order = {at: (one.missed, one.false_alarms) for at, one in kept.items()}
    else:
        order = {at: (one.false_alarms, one.missed) for at, one in tallies.items()}
    best = min(order.values())
    alike = [at for at in order if order[at] == best]
    return alike[len(alike) // 2]
