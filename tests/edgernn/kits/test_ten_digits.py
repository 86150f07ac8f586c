"""Ten recorded digits through a fake microphone: the page shows the labels that Python hears.

The model is trained here, on the recordings of the Free Spoken Digit Dataset, which are no part of
this project: without them the test is skipped.
"""

from __future__ import annotations

import os
import tarfile
import wave
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import edgernn
from edgernn import Model
from edgernn.cli import edgernn as program
from edgernn.kits import package
from edgernn.runtime.listening import Listener
from tests.edgernn.kits.chromium import chromium, served
from tests.edgernn.runtime.toolchain import tool
from tests.edgernn.tasks.test_recordings import FSDD

RATE_HZ: Final = 8000
WORDS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
)  # fmt: skip
SPEAKER: Final = "lucas"
OF_TEST: Final = 5  # the recordings 0 to 4 of each word and speaker are the data set's test

LOGGED = "[...document.querySelectorAll('#log li')].map((item) => item.firstChild.textContent)"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not FSDD.exists(), reason=f"there is no {FSDD.name}"),
    # Keras 3.15 converts TensorFlow's tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def read(path: Path) -> Any:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def write(path: Path, samples: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())


def of_a_stream(recordings: Path, folder: Path) -> None:
    """Seconds as a listener gets them: a word that is just over, and seconds without one.

    Of those, some hold the beginning of a word and some a word that is long over.
    """
    random = np.random.default_rng(1)

    def second(word: Any, after: int) -> Any:
        sound = random.normal(0, 10 ** random.uniform(0, 2), 2 * RATE_HZ)
        end = len(sound) - after
        word = word[-end:]
        sound[end - len(word) : end] += word
        return sound[-RATE_HZ:]

    for index, path in enumerate(sorted(recordings.glob("*.wav"))):
        digit, _, number = path.stem.split("_")
        if int(number) < OF_TEST:
            continue
        word = read(path)
        write(folder / WORDS[int(digit)] / path.name, second(word, int(random.integers(0, 2400))))
        if index % 5 == 0:
            begun = word[: int(len(word) * random.uniform(0.1, 0.4))]
            write(folder / "_other" / f"begun-{path.name}", second(begun, 0))
        if index % 5 == 1:
            write(
                folder / "_other" / f"over-{path.name}",
                second(word, int(random.integers(5600, 7800))),
            )
        if index % 10 == 2:
            write(folder / "_other" / f"none-{path.name}", second(word[:0], 0))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fsdd")
    with tarfile.open(FSDD) as archive:
        archive.extractall(folder, filter="data")
    return folder / "recordings"


@pytest.fixture(scope="module")
def words(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """words.int8.ernn: an int8 GRU of ten digits, and of all else as _other."""
    folder = tmp_path_factory.mktemp("words")
    of_a_stream(recordings, folder / "stream")
    before = Path.cwd()
    os.chdir(folder)
    try:
        train = ["train", "stream/", "--cell", "gru", "--units", "64", "--epochs", "30"]
        program.main([*train, "-o", "words.keras"], standalone_mode=False)
        loaded = edgernn.load("words.keras")
        loaded.export("out/", to=["native"], scheme="int8", calibrate="words.calibration.npz")
    finally:
        os.chdir(before)
    return folder / "out" / "words.int8.ernn"


def spoken(recordings: Path) -> list[Any]:
    """Test recordings of one speaker, zero to nine."""
    return [read(recordings / f"{digit}_{SPEAKER}_0.wav") for digit in range(10)]


def with_pauses(words: list[Any]) -> Any:
    """One stream: a second of faint noise before each word and after the last."""
    random = np.random.default_rng(0)

    def pause() -> Any:
        return random.integers(-3, 4, RATE_HZ).astype(float)

    return np.concatenate([*(part for word in words for part in (pause(), word)), pause()])


def offline(model: Path, word: Any) -> str:
    """The label of one recording by itself."""
    listener = Listener(model=Model(model), rate_hz=RATE_HZ)
    for _ in listener.feed(word.astype(np.int16)):
        pass
    return listener.whole().label


def test_the_page_shows_the_labels_that_python_hears(
    recordings: Path, words: Path, tmp_path: Path
) -> None:
    for name in ("clang", "wasm-ld"):
        tool(name)
    digits = spoken(recordings)
    expected = [offline(words, word) for word in digits]
    assert expected == list(WORDS)
    package(words, target="web", folder=tmp_path / "web", demo=True)
    write(tmp_path / "microphone.wav", with_pauses(digits))
    with (
        served(tmp_path / "web") as address,
        chromium(tmp_path, microphone=tmp_path / "microphone.wav") as page,
    ):
        page.open(f"{address}/demo/?start", width=400, height=990)
        page.wait_for(f"{LOGGED}.length >= {len(expected)}", seconds=90)
        assert page.value(LOGGED)[::-1] == expected
        assert page.value("document.documentElement.scrollWidth") == 400
        assert page.value("document.getElementById('problem').textContent") == ""
        picture = Path(os.environ.get("EDGERNN_PICTURES", tmp_path)) / "listening.png"
        page.picture(picture)
        assert picture.stat().st_size > 10_000
