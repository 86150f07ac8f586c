"""From a network that others trained to phones, in each format and scheme.

`make golden` says 1,000 words; the suite says fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from edgernn import reference
from edgernn.errors import DownloadError
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model, float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.export.source_model import SourceModel
from edgernn.graph import Ranges
from edgernn.scheme import Scheme
from edgernn.stats import paired_difference
from tests.edgernn.tasks.reference_data import missing_data
from tests.golden import pronunciation
from tests.golden.pronunciation import Dictionary, Phones
from tests.zoo.runtimes import open_file

#: Phones wrong, of 100, that a scheme may add.
MOST_POINTS = 0.3
#: Fewer words than this tell 0.3 points from luck only by an interval.
ENOUGH_WORDS = 1_000
CALIBRATION_WORDS = 128

FORMS = {
    "onnx": ("onnx", {}),
    "onnx-scan": ("onnx", {"gru": "scan"}),
    "tflite": ("tflite", {}),
    "native": ("native", {}),
}


class Setting(NamedTuple):
    models: Mapping[str, SourceModel]  # "encoder", "decoder"
    ranges: Mapping[str, Ranges]
    examples: Mapping[str, Examples]
    right: Dictionary
    words: tuple[str, ...]
    said: tuple[Phones, ...]  # by Keras


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Setting:
    folder = tmp_path_factory.mktemp("pronunciation")
    try:
        right = pronunciation.dictionary()
        pronunciation.save_keras_models(folder)
    except DownloadError as error:
        missing_data(str(error))
    # Every so-manyth word, from all over the alphabet; those of one length fit into one array.
    ordered = sorted(right)
    of_eight = [word for word in ordered if len(word) == 8]
    calibration = of_eight[:: len(of_eight) // CALIBRATION_WORDS][:CALIBRATION_WORDS]
    others = sorted(set(ordered) - set(calibration))
    wanted = request.config.getoption("--golden-words")
    words = tuple(others[:: len(others) // wanted][:wanted])
    models = {name: read_model(folder / f"{name}.keras") for name in ("encoder", "decoder")}
    examples = examples_of(models, calibration)
    ranges = {
        name: calibrate(float_graph(model.graph), examples[name].inputs)
        for name, model in models.items()
    }
    said = pronunciation.say_with_keras(folder, words)
    return Setting(models, ranges, examples, right, words, said)


def examples_of(models: Mapping[str, SourceModel], words: list[str]) -> dict[str, Examples]:
    """Letters for the encoder; for the decoder what it is fed with while the words are said."""
    encode, decode = (
        partial(reference.run, float_graph(models[name].graph)) for name in ("encoder", "decoder")
    )
    heard: list[pronunciation.Arrays] = []
    for word in words:
        pronunciation.say(word, encode, decode, heard=heard)
    letters = np.concatenate([pronunciation.letters_of(word) for word in words])
    return {
        "encoder": Examples(inputs={"letters": letters}),
        "decoder": Examples(
            inputs={
                name: np.concatenate([inputs[name] for inputs in heard])
                for name in ("phone", "state")
            }
        ),
    }


def say_all(setting: Setting, form: str, scheme: Scheme, folder: Path) -> list[Phones]:
    """Exports both models, checks included, and runs the files word by word."""
    backend, options = FORMS[form]
    sessions = {}
    for name, model in setting.models.items():
        request = Request(
            backends=(backend,),
            scheme=scheme,
            ranges=setting.ranges[name] if scheme is Scheme.INT8 else None,
            examples=setting.examples[name],
            options={backend: options},
        )
        (artefact,) = export_model(model, folder, request)
        sessions[name] = open_file(backend, (folder / artefact.name).read_bytes())
    encode, decode = sessions["encoder"], sessions["decoder"]
    return [pronunciation.say(word, encode, decode) for word in setting.words]


def errors_of(setting: Setting, said: tuple[Phones, ...] | list[Phones]) -> npt.NDArray[np.int64]:
    return pronunciation.errors(zip(setting.words, said, strict=True), setting.right)


def test_the_network_says_most_phones_right(setting: Setting) -> None:
    """A wrong order of gates or letters would say none."""
    wrong, phones = errors_of(setting, setting.said).sum(axis=0)
    assert len(setting.words) >= 100
    assert 0.05 < wrong / phones < 0.15


@pytest.mark.parametrize("form", ["onnx", "tflite", "native"])
def test_float_files_say_what_keras_says(setting: Setting, form: str, tmp_path: Path) -> None:
    assert tuple(say_all(setting, form, Scheme.FLOAT32, tmp_path)) == setting.said


@pytest.mark.parametrize("scheme", [Scheme.DYNAMIC, Scheme.INT8])
@pytest.mark.parametrize("form", FORMS)
def test_integers_say_hardly_any_phone_more_wrong(
    setting: Setting,
    form: str,
    scheme: Scheme,
    tmp_path: Path,
    record_property: pytest.RecordProperty,  # type: ignore[name-defined]
) -> None:
    said = say_all(setting, form, scheme, tmp_path)
    exact, given = errors_of(setting, setting.said), errors_of(setting, said)
    phones = exact[:, 1].mean() / 100
    added = paired_difference(given[:, 0], exact[:, 0])
    points, interval = added.estimate / phones, added.interval
    same = float(np.mean([here == there for here, there in zip(said, setting.said, strict=True)]))
    assert interval is not None
    low, high = (bound / phones for bound in interval)
    record_property(
        "figure",
        f"pronunciation, {form} {scheme.value}: {points:+.2f} points of phones wrong "
        f"({low:+.2f} to {high:+.2f}), {same:.1%} of {len(setting.words):,} words said alike",
    )
    assert same >= 0.9
    allowed = points if len(setting.words) >= ENOUGH_WORDS else low
    assert allowed <= MOST_POINTS, f"{points:.2f} points more phones are wrong"
