"""What Python hears in a sound, which the kits' listeners are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgernn import Model
from edgernn.runtime.listening import Deciding, Heard, Listener
from edgernn.runtime.sensing import SensorListener
from tests.edgernn.kits.models import RATE_HZ
from tests.edgernn.runtime.sounds import made_up

#: Low, since the weights are arbitrary: several labels must come.
DECIDING = Deciding(threshold=0.25, smooth=3, pause_s=0.4, every_s=0.05)


def sound_of(seconds: float = 4.0) -> Any:
    return made_up(int(seconds * RATE_HZ), rate_hz=RATE_HZ)


def heard_by_python(model: Path, pcm: Any, deciding: Deciding) -> tuple[list[Heard], Heard]:
    listener = Listener(model=Model(model), rate_hz=RATE_HZ, deciding=deciding)
    return list(listener.feed(pcm)), listener.whole()


def sensed_by_python(model: Path, samples: Any) -> list[Heard]:
    """With the answer for all samples last."""
    listener = SensorListener(Model(model), Deciding(threshold=0.2, smooth=1, pause_s=0.1))
    return [*listener.feed(samples), listener.whole()]
