"""Sound that tests make features of: made up, and real speech where it is at hand."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Floats = npt.NDArray[np.float32]
_SPEECH = Path(os.environ.get("EDGERNN_SPEECH", Path(__file__).parents[4] / "shared" / "data"))


def made_up(samples: int, *, rate_hz: int, seed: int = 0) -> npt.NDArray[np.int16]:
    """Tones that rise, steps, noise and silence, as 16-bit samples."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / rate_hz
    tone = 0.4 * np.sin(2 * np.pi * (200 + rate_hz / 8 * t) * t) + 0.05
    noise = rng.standard_normal(samples) * 0.3 * (np.sin(2 * np.pi * 1.5 * t) > 0)
    noise += rng.standard_normal(samples) * 0.003  # every microphone has some
    sound = np.clip(tone * (np.sin(2 * np.pi * 2.3 * t) > -0.5) + noise, -1, 1)
    sound[samples // 3 : samples // 3 + rate_hz // 10] = 0  # switched off
    return np.asarray(sound * 32767, np.int16)


def recordings(every: int) -> dict[str, Floats]:
    """Each `every`th recording of ten spoken digits, 8 kHz in -1..1; skips where there are none."""
    archive = _SPEECH / "fsdd.tar.xz"
    if not archive.exists():
        pytest.skip("recorded speech is not at hand (EDGERNN_SPEECH: a folder with fsdd.tar.xz)")
    soundfile = pytest.importorskip("soundfile")
    found: dict[str, Floats] = {}
    with tarfile.open(archive) as tar:  # in its order: going back would unpack it again
        for number, member in enumerate(entry for entry in tar if entry.isfile()):
            content = tar.extractfile(member)
            if number % every or content is None:
                continue
            found[member.name], rate_hz = soundfile.read(
                io.BytesIO(content.read()), dtype="float32"
            )
            assert rate_hz == 8000
    return found
