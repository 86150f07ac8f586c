"""Labels as sound comes: rows from the front end, scores from the model, then decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edgernn.errors import DataError
from edgernn.runtime.shares import Scores, are_shares, label_of, shares_of

if TYPE_CHECKING:
    from edgernn.graph import AnyArray
    from edgernn.recipe import SoundRecipe
    from edgernn.runtime.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """When scores become a label."""

    threshold: float = 0.8  # of the mean score
    smooth: int = 3  # how many scores the mean is of
    pause_s: float = 1.0  # until the same label can come again
    every_s: float = 0.1  # between two scores of sound; sensors: as the file says


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A label, at the time of the last sample that it was decided from."""

    seconds: float
    label: str
    score: float


@dataclass(slots=True, kw_only=True)
class Pause:
    """Lets a score become a label: above the threshold, and not the same label again too soon.

    A label that begins with an underscore never passes: it stands for silence, or for all else.

    rate_hz: samples a second of the front end; times are compared in whole samples, as in C.
    """

    deciding: Deciding
    rate_hz: int
    labels: Sequence[str]
    _last: tuple[int, float] | None = field(init=False, default=None)  # label, seconds

    def passes(self, label: int, seconds: float, score: float) -> bool:
        silent = label < len(self.labels) and self.labels[label].startswith("_")
        if silent or score < self.deciding.threshold:
            return False
        if self._last is not None and self._last[0] == label:
            passed = round((seconds - self._last[1]) * self.rate_hz)
            if passed + 0.5 < self.deciding.pause_s * self.rate_hz:
                return False
        self._last = (label, seconds)
        return True


@dataclass(slots=True, kw_only=True)
class Listener:
    """Turns one stream of sound into labels.

    A model with a free number of steps runs step by step.  One with a fixed number runs over the
    last rows, with zeros in front where there are fewer, as in its training (silence, where the
    recipe has clip_samples).  A label that begins
    with an underscore, such as _silence_ or _unknown_, is never reported.

    >>> listener = Listener(model=model, rate_hz=16000)
    >>> for heard in listener.feed(samples):
    ...     print(heard.label)

    Raises DataError for a model without a front end for sound, and for one whose output is not one
    score for each class.
    """

    model: Model
    rate_hz: int
    deciding: Deciding = field(default_factory=Deciding)
    _audio: Any = field(init=False)
    _session: Any = field(init=False)
    _steps: int = field(init=False)
    _are_shares: bool = field(init=False)
    _before: AnyArray = field(init=False)  # the row in front of those there are
    _rows: list[AnyArray] = field(init=False, default_factory=list)
    _recent: list[Scores] = field(init=False, default_factory=list)
    _recent_step: Scores | None = field(init=False, default=None)
    _count: int = field(init=False, default=0)
    _is_due: bool = field(init=False, default=False)
    _pause: Pause = field(init=False)

    def __post_init__(self) -> None:
        self._audio = self.model.audio(self.rate_hz)
        (port,) = _one(self.model.free_inputs, "inputs", self.model.name)
        (output,) = _one(self.model.free_outputs, "outputs", self.model.name)
        if output.is_sequence and port.steps != 1:
            raise DataError(
                f"{self.model.name} has an answer for each step, not one for the sound",
                remedy="Give a model whose last recurrent layer has return_sequences=False",
            )
        self._steps = 0 if self.model.is_streaming and port.steps in (None, 0, 1) else port.steps
        if not self._steps and not self.model.is_streaming:
            raise DataError(
                f"{self.model.name} looks ahead and takes any number of steps: it cannot tell when "
                "a sound ends",
                remedy="Give the model's input a fixed number of steps",
            )
        self._are_shares = are_shares(self.model)
        self._pause = Pause(
            deciding=self.deciding, rate_hz=self._audio.recipe.rate_hz, labels=self.model.labels
        )
        self._session = None if self._steps else self.model.session()
        if self._steps:
            self._before = _before(self._audio.recipe)

    def feed(self, samples: AnyArray) -> Iterator[Heard]:
        """The labels that these samples complete.  samples: [n], int16 or float32 in -1..1."""
        for scores in self.scores(samples):
            self._recent = [*self._recent, scores][-self.deciding.smooth :]
            if len(self._recent) < self.deciding.smooth:
                continue
            mean = np.mean(self._recent, axis=0)
            best = int(mean.argmax())
            if self._pause.passes(best, self.seconds, float(mean[best])):
                yield self._named(mean)

    def scores(self, samples: AnyArray) -> Iterator[Scores]:
        """The shares of the classes, [C], every `every_s`; `seconds` is the time of each.

        Where a stride leaves that step without scores, those of the next step that has some.

        samples: as of `feed`.
        """
        recipe = self._audio.recipe
        every = max(1, round(1000 * self.deciding.every_s / recipe.hop_ms))
        for row in self._audio.feed(samples):
            self._count += 1
            self._is_due |= self._count % every == 0
            scores = self._after(row)
            if scores is not None and self._is_due:
                self._is_due = False
                yield scores

    def whole(self) -> Heard:
        """The answer for all sound so far, or its last part where the model's steps are fixed.

        Raises DataError where the sound was shorter than one window.
        """
        self.require_rows()
        scores = self._window() if self._recent_step is None else self._recent_step
        return self._named(scores)

    def require_rows(self) -> None:
        """Raises DataError where the sound was too short for an answer."""
        if not self._count or (self._session is not None and self._recent_step is None):
            raise DataError(
                "the sound is shorter than one window of the front end",
                remedy="Give a longer recording",
            )

    @property
    def seconds(self) -> float:
        """Sound so far, up to the end of the last row."""
        recipe = self._audio.recipe
        samples = (self._count - 1) * recipe.hop_samples + recipe.first_samples
        return float(samples / recipe.rate_hz)

    def _after(self, row: AnyArray) -> Scores | None:
        if self._session is not None:
            scores = self._session.step(row)
            if scores is None:  # the first windows are not full yet, or a stride leaves it out
                return None
            self._recent_step = self._shares(scores)
            return self._recent_step
        self._rows = [*self._rows, row][-self._steps :]
        return self._window() if self._is_due else None

    def _window(self) -> Scores:
        window = np.empty((1, self._steps, self._audio.recipe.width), np.float32)
        window[0] = self._before
        window[0, self._steps - len(self._rows) :] = self._rows
        return self._shares(self.model(window)[0])

    def _shares(self, scores: AnyArray) -> Scores:
        return shares_of(scores, shares=self._are_shares)

    def _named(self, scores: Scores) -> Heard:
        best = int(scores.argmax())
        label = label_of(self.model, best)
        return Heard(seconds=self.seconds, label=label, score=float(scores[best]))


def _before(recipe: SoundRecipe) -> AnyArray:
    """The row in front of the first: zeros, or silence where recordings are filled up with it."""
    from edgernn.runtime.audio import FrontEnd

    if not recipe.clip_samples:
        return np.zeros(recipe.width, np.float32)
    silence = np.zeros(recipe.first_samples, np.float32)
    first: AnyArray = FrontEnd(recipe).feed(silence)[0]
    return first


def listen(listener: Listener, pieces: Iterable[AnyArray]) -> Iterator[Heard]:
    """The labels of a stream, as its pieces come."""
    for piece in pieces:
        yield from listener.feed(piece)


def _one(ports: list[Any], kind: str, name: str) -> list[Any]:
    if len(ports) != 1:
        raise DataError(
            f"{name} has {len(ports)} {kind}", remedy="Give a model of sound with one of each"
        )
    return ports
