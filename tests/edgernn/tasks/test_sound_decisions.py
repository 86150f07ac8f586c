"""A model trained on our front end decides alike on Kaldi's features, and at other gains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgernn.recipe import preset
from edgernn.runtime.audio import features_of
from edgernn.tasks.samples import Samples, ending_together
from edgernn.tasks.split import split
from tests.edgernn.runtime.sounds import Floats, recordings
from tests.edgernn.runtime.test_audio import kaldi
from tests.edgernn.tasks.heard_words import trained_int8

RECIPE = preset("kaldi-fbank40@8000")
STEPS = 60


def rows_of(waveforms: list[Floats], *, gain: float = 1.0) -> Floats:
    scaled = [(waveform * np.float32(gain)).astype(np.float32) for waveform in waveforms]
    return ending_together([features_of(waveform, RECIPE) for waveform in scaled], STEPS)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_no_decision_differs_from_kaldis_and_few_at_a_tenth_of_the_gain(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    found = recordings(every=2)
    names, waveforms = list(found), list(found.values())
    y = np.array([int(Path(name).name[0]) for name in names])
    samples = Samples(
        name="digits",
        x=rows_of(waveforms),
        y=y,
        labels=tuple("0123456789"),
        origins=tuple(names),
        front_end=RECIPE,
    )
    splits = split(samples)
    model = trained_int8(splits, tmp_path, epochs=25)
    assert model.front_end == RECIPE
    tested = [names.index(origin) for origin in splits.test.origins]
    spoken = [waveforms[index] for index in tested]
    ours = model(splits.test.x).argmax(axis=1)
    theirs = ending_together([kaldi(one, 8000, bins=40) for one in spoken], STEPS)
    assert (ours != model(theirs).argmax(axis=1)).sum() == 0
    accuracy = (ours == y[tested]).mean()
    softer = (model(rows_of(spoken, gain=0.1)).argmax(axis=1) == y[tested]).mean()
    assert accuracy > 0.9
    assert softer > accuracy - 0.15  # trained without gains: 35 points less
