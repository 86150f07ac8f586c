"""Labels of sensor streams: the windows and the scaling that numpy makes, through the C library."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from edgernn import Model
from edgernn.errors import DataError, ModelFileError
from edgernn.export.native import lower
from edgernn.recipe import SensorRecipe, rows_text
from edgernn.runtime.listening import Deciding, Heard
from edgernn.runtime.sensing import SensorListener
from edgernn.runtime.shares import shares_of
from tests.edgernn.runtime.sensor_models import LABELS, RECIPE, sensor_content, sensor_graph

EVERY = Deciding(threshold=0.0, smooth=1, pause_s=0.0)
SAMPLES = np.random.default_rng(1).standard_normal((200, 3)).astype(np.float32) * 4
(TABLE_AT,) = struct.unpack_from("<I", sensor_content(), 72)
(RECORD_AT,) = struct.unpack_from("<I", sensor_content(), TABLE_AT + 12)


def by_numpy(model: Model, recipe: SensorRecipe) -> list[Heard]:
    """The label of each window of scaled samples."""
    rows = (SAMPLES + np.array(recipe.add, np.float32)) * np.array(recipe.multiply, np.float32)
    found = []
    for begin in range(0, len(rows) - recipe.window + 1, recipe.hop):
        scores = shares_of(model(rows[None, begin : begin + recipe.window])[0], shares=False)
        best = int(scores.argmax())
        seconds = (begin + recipe.window) / recipe.rate_hz
        found.append(Heard(seconds=seconds, label=LABELS[best], score=float(scores[best])))
    return found


def same(found: list[Heard], expected: list[Heard]) -> bool:
    times = [(one.seconds, one.label) for one in found]
    return times == [(one.seconds, one.label) for one in expected] and np.allclose(
        [one.score for one in found], [one.score for one in expected], atol=1e-6
    )


@pytest.mark.parametrize("hop", [1, 5, 20, 37])
def test_windows_have_the_labels_that_numpy_finds(hop: int) -> None:
    recipe = replace(RECIPE, hop=hop)
    model = Model(sensor_content(recipe))
    assert model.sensors == recipe
    assert model.front_end is None
    listener = SensorListener(model, EVERY)
    expected = by_numpy(model, recipe)
    assert len({round(one.score, 3) for one in expected}) > 1
    assert same(list(listener.feed(SAMPLES)), expected)
    listener.reset()
    pieces = np.split(SAMPLES, [1, 2, 19, 21, 150])
    assert same([one for piece in pieces for one in listener.feed(piece)], expected)
    (last,) = by_numpy(model, replace(recipe, hop=len(SAMPLES)))[:1]
    assert last.seconds == recipe.window / recipe.rate_hz
    assert listener.whole().seconds == len(SAMPLES) / recipe.rate_hz


def test_a_model_of_any_length_runs_sample_by_sample() -> None:
    recipe = replace(RECIPE, window=0, hop=10)
    model = Model(sensor_content(recipe, steps=None))
    found = list(SensorListener(model, EVERY).feed(SAMPLES))
    rows = recipe.rows(SAMPLES)
    for number, one in enumerate(found, 1):
        scores = shares_of(model(rows[None, : 10 * number])[0], shares=False)
        assert (one.label, one.seconds) == (LABELS[int(scores.argmax())], number / 5)
        assert abs(one.score - scores.max()) < 1e-6
    assert len(found) == 20


def test_samples_that_cannot_be_used_are_refused() -> None:
    listener = SensorListener(Model(sensor_content()), EVERY)
    with pytest.raises(DataError, match=r"shape \[200, 2\].*Give \[samples, 3\]: x, y, z"):
        list(listener.feed(SAMPLES[:, :2]))
    for wrong in (np.nan, np.inf, -1e30):
        bad = SAMPLES[:7].copy()
        bad[4, 1] = wrong
        with pytest.raises(DataError, match=r"NaN, infinity .*number 4 of these.*call reset"):
            list(listener.feed(bad))
        with pytest.raises(DataError, match="the stream has ended: a sample holds NaN"):
            list(listener.feed(SAMPLES[:3]))
        with pytest.raises(DataError, match=r"the stream has ended.*Call reset\(\)"):
            listener.whole()
        listener.reset()
    with pytest.raises(DataError, match="fewer samples than a window of 20"):
        listener.whole()


def test_models_of_other_inputs_have_no_sensors() -> None:
    model = Model(lower(sensor_graph(20), metadata={}).content)
    assert model.sensors is None
    with pytest.raises(DataError, match="no front end for sensors"):
        SensorListener(model)


def test_how_often_to_answer_is_refused_as_in_the_kits() -> None:
    with pytest.raises(DataError, match=r"every_s is 0.5, but .*Leave out every_s"):
        SensorListener(Model(sensor_content()), Deciding(every_s=0.5))


@pytest.mark.parametrize(
    ("at", "word", "reason"),
    [
        (16, 16, "do not fit"),  # the feature bit of sound
        (RECORD_AT, 0, "do not fit"),
        (RECORD_AT + 4, 4, "outside|do not fit"),
        (RECORD_AT + 8, 21, "do not fit"),  # windows of other steps than the input
        (RECORD_AT + 12, 0, "do not fit"),
        (RECORD_AT + 16, 4, "outside"),
        (RECORD_AT + 16, 1 << 20, "outside"),
        (RECORD_AT + 20, 1, "kind or version"),
        (RECORD_AT + 64, 0x7FC00000, "do not fit"),  # NaN
    ],
)
def test_a_record_that_leads_astray_is_refused(at: int, word: int, reason: str) -> None:
    content = bytearray(sensor_content())
    struct.pack_into("<I", content, at, word)
    struct.pack_into("<I", content, 12, zlib.crc32(memoryview(content)[16:]))
    with pytest.raises(ModelFileError, match=reason):
        Model(bytes(content))


def test_a_recipe_beside_another_record_is_refused() -> None:
    content = bytearray(sensor_content())
    struct.pack_into("<I", content, RECORD_AT + 12, 3)
    struct.pack_into("<I", content, 12, zlib.crc32(memoryview(content)[16:]))
    with pytest.raises(ModelFileError, match="recipe and the record of its front end differ"):
        _ = Model(bytes(content)).sensors


def test_windows_of_another_length_are_refused_by_the_export() -> None:
    recipe = rows_text(replace(RECIPE, window=30))
    with pytest.raises(DataError, match=r"windows of 20 samples.*of 30.*window = 20"):
        lower(sensor_graph(20), metadata={"front_end": recipe})
    with pytest.raises(DataError, match=r"any number of samples.*windows of 30.*Input\(\(30, 3\)"):
        lower(sensor_graph(None), metadata={"front_end": recipe})
