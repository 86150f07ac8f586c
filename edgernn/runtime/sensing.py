"""Labels as samples of sensors come, decided by the C library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from edgernn.errors import DataError
from edgernn.runtime.library import OK, ffi, lib, status_text
from edgernn.runtime.listening import Deciding, Heard
from edgernn.runtime.shares import label_of

if TYPE_CHECKING:
    from edgernn.graph import AnyArray
    from edgernn.runtime.model import Model

_ALIGNMENT = 64
_MOST = 1e18  # as in c/ernn_sensor.c


class SensorListener:
    """Turns one stream of samples into labels.  One listener serves one thread.

    A model with a fixed number of steps answers for each full window, every `hop` samples of its
    recipe; one with a free number runs sample by sample.

    >>> listener = SensorListener(model)
    >>> for heard in listener.feed(samples):  # [n, channels], as they come
    ...     print(heard.seconds, heard.label)

    Raises DataError for a model without a front end for sensors, for one whose output is not one
    score for each class, and for a `deciding.every_s` that was given: the file says how often.
    """

    def __init__(self, model: Model, deciding: Deciding | None = None) -> None:
        recipe = model.sensors
        if recipe is None:
            raise DataError(
                f"{model.name} has no front end for sensors",
                remedy="Export it with --front-end recipe.toml, which names the channels, the rate "
                "and the scaling of its training",
            )
        self.model, self.recipe = model, recipe  # the model keeps the file's bytes
        chosen = deciding or Deciding()
        if chosen.every_s != Deciding().every_s:
            raise DataError(
                f"every_s is {chosen.every_s:g}, but a model of sensors answers as often as its "
                "file says",
                remedy="Leave out every_s",
            )
        options = ffi.new(
            "ernn_listening *",
            {
                "threshold": chosen.threshold,
                "smooth": chosen.smooth,
                "pause_s": chosen.pause_s,
                "every_s": 0,
            },
        )
        size, made = ffi.new("size_t *"), ffi.new("ernn_listener **")
        rate = recipe.rate_hz
        self._check(lib.ernn_listener_size(model.handle, rate, options, size))
        room = np.zeros(size[0] + _ALIGNMENT, np.uint8)
        self._arena = room[-room.ctypes.data % _ALIGNMENT :]
        arena = ffi.from_buffer(self._arena)
        self._check(lib.ernn_listener_init(made, model.handle, rate, options, arena, size[0]))
        self._listener = made[0]
        self._ended = ""  # why
        self._heard, self._decided = ffi.new("ernn_heard *"), ffi.new("int *")

    def feed(self, samples: AnyArray) -> Iterator[Heard]:
        """The labels that these samples complete.  samples: [n, channels] of numbers.

        Raises DataError for another shape, and for a sample with NaN or infinity.
        """
        given = np.ascontiguousarray(samples, np.float32)
        if given.ndim != 2 or given.shape[1] != self.recipe.width:
            raise DataError(
                f"the samples have the shape {list(given.shape)}",
                remedy=f"Give [samples, {self.recipe.width}]: {', '.join(self.recipe.channels)}",
            )
        self._require_open()
        place, at = ffi.from_buffer("float[]", given), 0
        while at < len(given):
            at += lib.ernn_listener_feed_f32(
                *(self._listener, place + at * given.shape[1], len(given) - at),
                *(self._heard, self._decided),
            )
            if self._decided[0]:
                yield self._named()
            elif at < len(given):
                raise self._refusal(at, given[at])

    def _refusal(self, at: int, sample: AnyArray) -> DataError:
        """What ends the stream at this sample of those that were given."""
        if (np.abs(sample) <= _MOST).all():
            self._ended = status_text(lib.ernn_listener_status(self._listener))
        else:
            self._ended = "a sample holds NaN, infinity or a number beyond 1e18"
        return DataError(
            f"{self._ended}: number {at} of these, {sample.tolist()}",
            remedy="Leave it out or repair it, and call reset() before a new stream",
        )

    def whole(self) -> Heard:
        """The answer for the last window.  Raises DataError where none was full."""
        status = lib.ernn_listener_whole(self._listener, self._heard)
        if status != OK:
            self._require_open()
            window = self.recipe.window
            raise DataError(
                f"there are fewer samples than a window of {window}"
                if window
                else "there is no sample yet",
                remedy="Give more samples",
            )
        return self._named()

    def reset(self) -> None:
        """Forgets the samples: the next one is the first of a stream."""
        self._check(lib.ernn_listener_reset(self._listener))
        self._ended = ""

    def _require_open(self) -> None:
        if self._ended:
            raise DataError(
                f"the stream has ended: {self._ended}", remedy="Call reset() before a new stream"
            )

    def _named(self) -> Heard:
        heard = self._heard[0]
        label = label_of(self.model, heard.label)
        return Heard(seconds=heard.seconds, label=label, score=heard.score)

    def _check(self, status: Any) -> None:
        if status != OK:
            raise DataError(f"{self.model.name}: {status_text(status)}")
