"""Sound in: the rows of Keras' own MelSpectrogram and STFTSpectrogram, and their answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import DataError, UnsupportedLayer, VerificationError, WrongOption
from edgernn.export.cases import make_cases
from edgernn.export.examples import read_examples
from edgernn.export.keras.object import from_keras
from edgernn.export.made_up_sounds import sounds_of
from edgernn.graph import Transpose
from edgernn.recipe import SoundRecipe
from edgernn.reference import run_calls
from edgernn.runtime.audio import FrontEnd, features_of
from tests.edgernn.runtime.sounds import made_up

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SOUND = made_up(12_000, rate_hz=8000).astype(np.float32) / 32768
MEL = {"fft_length": 512, "sequence_stride": 160, "sequence_length": 400, "num_mel_bins": 24,
       "sampling_rate": 8000, "top_db": 300}  # fmt: skip


@pytest.fixture(scope="module")
def keras() -> Any:
    pytest.importorskip("tensorflow")
    return pytest.importorskip("keras")


def mel_model(
    keras: Any, samples: int | None = 12_000, turn: str = "permute", **options: Any
) -> Any:
    sound = keras.Input((samples,), name="sound")
    x = keras.layers.MelSpectrogram(name="mel", **{**MEL, **options})(sound)
    if turn == "permute":
        x = keras.layers.Permute((2, 1))(x)
    elif turn == "swapaxes":
        x = keras.ops.swapaxes(x, 1, 2)
    elif turn == "transpose":
        x = keras.ops.transpose(x, (0, 2, 1))
    x = keras.layers.Rescaling(0.05)(x)
    if turn == "image":
        x = keras.layers.Conv2D(3, 3, strides=2)(keras.ops.expand_dims(x, -1))
        x = keras.layers.GlobalAveragePooling2D()(x)
    else:
        spread = keras.initializers.RandomNormal(stddev=0.5, seed=1)
        x = keras.layers.GRU(6, kernel_initializer=spread)(x)
    spread = keras.initializers.RandomNormal(stddev=2.0, seed=2)
    x = keras.layers.Dense(4, activation="softmax", kernel_initializer=spread)(x)
    return keras.Model(sound, x)


def stft_model(keras: Any, samples: int | None = 12_000, **options: Any) -> Any:
    sound = keras.Input((samples, 1), name="sound")
    x = keras.layers.STFTSpectrogram(name="stft", trainable=False, **options)(sound)
    if options.get("expand_dims"):
        return keras.Model(sound, keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(sound, keras.layers.GRU(6)(x))


def recipe_of(model: Any) -> SoundRecipe:
    (entry,) = from_keras(model).graph.inputs
    assert entry.sound is not None
    return entry.sound


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": None, "sequence_length": 401},
        {"sequence_length": None, "fft_length": 256},
        {"window": "hamming", "sequence_length": 512},
        {"window": None},
        {"sequence_stride": 600},
        {"sequence_stride": 3},
        {"min_freq": 0.0, "max_freq": 3500.0},
        {"mag_exp": 1.0, "min_power": 1e-5, "ref_power": 0.25},
    ],
    ids=str,
)
def test_each_row_of_a_recording_is_that_of_mel_spectrogram(keras: Any, options: Any) -> None:
    model = mel_model(keras, **options)
    expected = np.asarray(model.get_layer("mel")(SOUND[None]))[0].T
    rows = features_of(SOUND, recipe_of(model))
    assert rows.shape == expected.shape
    assert (expected.max() - expected.min()) > 30
    assert np.abs(rows - expected).max() < 1e-3 * 10 / np.log(10)  # decibels


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_energies_without_a_logarithm_are_those_of_keras(keras: Any, power: float) -> None:
    model = mel_model(keras, power_to_db=False, mag_exp=power)
    expected = np.asarray(model.get_layer("mel")(SOUND[None]))[0].T
    rows = features_of(SOUND, recipe_of(model))
    assert np.abs(rows - expected).max() < 1e-5 * expected.max()


def test_any_pieces_of_the_sound_give_the_same_rows(keras: Any) -> None:
    for options in ({"window": None, "sequence_length": 401}, {}, {"sequence_stride": 600}):
        recipe = recipe_of(mel_model(keras, **options))
        at_once = FrontEnd(recipe).feed(SOUND[:3000])
        for size in (1, 7, 160, 401):
            front_end = FrontEnd(recipe)
            pieces = [
                front_end.feed(SOUND[at : min(3000, at + size)]) for at in range(0, 3000, size)
            ]
            assert np.array_equal(np.concatenate(pieces), at_once)
        assert len(at_once) == recipe.frames(3000)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"frame_length": 200, "frame_step": 80, "window": "hamming", "periodic": True},
        {"scaling": "spectrum", "fft_length": 512},
        {"scaling": None, "window": "blackman", "frame_step": 100},
    ],
    ids=str,
)
def test_the_rows_of_a_recording_are_those_of_stft_spectrogram(keras: Any, options: Any) -> None:
    model = stft_model(keras, **options)
    expected = np.asarray(model.get_layer("stft")(SOUND[None, :, None]))[0]
    rows = features_of(SOUND, recipe_of(model))
    assert rows.shape == expected.shape
    loud = expected > expected.max() - 7  # Keras adds up products in float32: noise 70 dB below
    assert loud.mean() > 0.3
    assert np.abs(rows - expected)[loud].max() < 0.01


@pytest.mark.parametrize("turn", ["permute", "swapaxes", "transpose"])
def test_turned_axes_cost_nothing(keras: Any, turn: str) -> None:
    graph = from_keras(mel_model(keras, turn=turn)).graph
    assert not [layer for layer in graph.layers if isinstance(layer, Transpose)]
    (entry,) = graph.inputs
    assert (entry.name, entry.spec.shape) == ("sound", (None, 76, 24))
    (free,) = from_keras(mel_model(keras, None, turn=turn)).graph.inputs
    assert free.spec.shape == (None, None, 24)


MODELS: dict[str, dict[str, Any]] = {
    "permute": {},
    "any length": {"samples": None},
    "top_db": {"top_db": 40},
    "image": {"turn": "image"},
    "energies": {"power_to_db": False, "mag_exp": 1.0},
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_sound_gets_the_answer_of_keras(keras: Any, options: Any, tmp_path: Path) -> None:
    model = mel_model(keras, **options)
    model.save(tmp_path / "words.keras")
    made = edgernn.load(tmp_path / "words.keras").export(
        tmp_path / "out", to="native", verify=False
    )
    opened = edgernn.Model(made["native"].path)
    assert opened.front_end == recipe_of(model)
    for sound in (SOUND, np.roll(SOUND, 3000), 0.1 * SOUND):
        rows = features_of(sound, opened.front_end)
        answer, expected = opened(rows[None])[0], np.asarray(model(sound[None]))[0]
        assert np.abs(answer - expected).max() < 1e-3
        assert answer.argmax() == expected.argmax()


def test_sounds_calibrate_as_their_rows_do(keras: Any, tmp_path: Path) -> None:
    read = edgernn.load(mel_model(keras))
    sounds = np.stack([np.roll(SOUND, 500 * shift) for shift in range(12)])
    recipe = read.model.graph.inputs[0].sound
    assert recipe is not None
    rows = np.stack([features_of(sound, recipe) for sound in sounds])
    files = [
        read.export(tmp_path / name, to="native", scheme="int8", calibrate=given, verify=False)[
            "native"
        ].path
        for name, given in (("sounds", sounds), ("rows", rows), ("named", {"sound": sounds}))
    ]
    assert len({path.read_bytes() for path in files}) == 1


def test_sounds_in_arrays_are_of_16_bits_or_floats_up_to_1(keras: Any) -> None:
    sound = keras.Input((12_000,), name="sound")
    other = keras.Input((3,), name="other")
    features = keras.layers.GRU(4)(keras.layers.MelSpectrogram(**MEL)(sound))
    graphs = [
        from_keras(model).graph
        for model in (mel_model(keras), keras.Model([sound, other], [features, other]))
    ]
    recipe = graphs[0].inputs[0].sound
    assert recipe is not None
    pcm = np.stack([np.round(np.roll(SOUND, 500 * shift) * 32768) for shift in range(4)])
    rows = np.stack([features_of(one, recipe) for one in (pcm / 32768).astype(np.float32)])
    for graph in graphs:
        entry = graph.inputs[0]
        beside = {one.name: np.ones((4, 3), np.float32) for one in graph.inputs[1:]}
        for given in (pcm.astype(np.int16), pcm / 32768, rows):
            found = read_examples({entry.name: given, **beside}, graph).inputs[entry.name]
            assert np.array_equal(found, rows)
        with pytest.raises(DataError, match=r"calibration data.*divide 16-bit PCM by 32768"):
            read_examples({entry.name: pcm, **beside}, graph)
        with pytest.raises(DataError, match=r"type int32. Give int16, or float32"):
            read_examples({entry.name: pcm.astype(np.int32), **beside}, graph)


def test_made_up_sounds_go_to_keras_and_their_rows_to_the_graph(keras: Any) -> None:
    for model in (mel_model(keras, top_db=40), stft_model(keras, None, mode="psd")):
        graph = from_keras(model).graph
        cases, sounds = sounds_of(graph, make_cases(graph))
        answers = run_calls(graph, [case.inputs for case in cases])
        for answer, given in zip(answers, sounds, strict=True):
            (found,) = answer.values()
            assert np.allclose(found, np.asarray(model(given["sound"])), atol=1e-3)


@pytest.mark.long
def test_keras_is_asked_about_sounds_and_a_wrong_front_end_is_noticed(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgernn.export.keras import spectrograms

    edgernn.load(stft_model(keras)).export(
        tmp_path / "out", to="native", front_end="own@8000", against_keras=True
    )
    mel_model(keras, top_db=40).save(tmp_path / "words.keras")
    edgernn.load(tmp_path / "words.keras").export(tmp_path / "out", to="native", against_keras=True)
    monkeypatch.setitem(spectrograms._WINDOWS, "hann", "hamming")
    with pytest.raises(VerificationError, match="what edgernn reads"):
        edgernn.load(tmp_path / "words.keras").export(
            tmp_path / "out", to="native", against_keras=True
        )


@pytest.mark.parametrize(
    "options",
    [{"mode": "log"}, {"mode": "magnitude"}, {"mode": "psd"}, {"expand_dims": True}],
    ids=str,
)
def test_the_rate_of_stft_spectrogram_is_asked_for(
    keras: Any, options: Any, tmp_path: Path
) -> None:
    model = stft_model(keras, **options)
    read = edgernn.load(model)
    with pytest.raises(WrongOption, match=r"how many samples a second.*own@16000"):
        read.export(tmp_path, to="native")
    made = read.export(tmp_path, to="native", front_end="own@8000", verify=False)
    opened = edgernn.Model(made["native"].path)
    assert opened.front_end is not None
    assert opened.front_end.rate_hz == 8000
    answer = opened(features_of(SOUND, opened.front_end)[None])[0]
    assert np.allclose(answer, np.asarray(model(SOUND[None, :, None]))[0], atol=2e-3)


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        ({"window": [0.5] * 400}, r"window of its own \(window\)"),
        ({"sequence_length": 401}, r"401 samples \(sequence_length\).*even"),
        ({"mag_exp": 1.5}, r"1.5 \(mag_exp\). Use mag_exp=2"),
        ({"fft_length": 500}, r"\(fft_length\).*power of two"),
        ({"num_mel_bins": 300}, r"\(num_mel_bins\)"),
        ({"sequence_stride": 1}, r"\(sequence_stride\).*at least 2"),
        ({"min_power": 0.0, "mag_exp": 1.0}, r"\(min_power\)"),
        ({"samples": None, "top_db": 80}, r"the loudest.*top_db=80.*keras.Input\(\(16000,\)\)"),
    ],
    ids=[
        "window",
        "odd",
        "mag_exp",
        "fft_length",
        "num_mel_bins",
        "sequence_stride",
        "min_power",
        "top",
    ],
)
def test_what_no_front_end_can_follow_is_refused_by_its_argument(
    keras: Any, options: Any, saying: str
) -> None:
    with pytest.raises(UnsupportedLayer, match=saying):
        from_keras(mel_model(keras, **options))


def test_the_remedies_for_top_db_work(keras: Any) -> None:
    with pytest.raises(UnsupportedLayer) as refused:
        from_keras(mel_model(keras, None, top_db=80))
    harmless = float(str(refused.value).rpartition("top_db=")[2].partition(",")[0])
    assert 100 < harmless < 200
    assert recipe_of(mel_model(keras, None, top_db=harmless)).clip_samples == 0
    loud = np.sign(SOUND - np.float32(0.05))
    loud[4000:8000] = 0
    made = [
        np.asarray(keras.layers.MelSpectrogram(**{**MEL, "top_db": top_db})(loud[None]))
        for top_db in (300, harmless, 80)
    ]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert recipe_of(mel_model(keras, 16_000, top_db=80)).clip_samples == 16_000


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        ({"mode": "angle"}, "phase"),
        ({"padding": "same"}, "padding='same'.*padding='valid'"),
        ({"window": "bartlett"}, "window of its own"),
        ({"frame_length": 10, "fft_length": 16}, "fft_samples is 16"),
    ],
    ids=str,
)
def test_an_stft_that_no_front_end_can_follow_is_refused(
    keras: Any, options: Any, saying: str
) -> None:
    with pytest.raises(UnsupportedLayer, match=saying):
        from_keras(stft_model(keras, **options))


def test_trained_kernels_are_refused(keras: Any) -> None:
    model = stft_model(keras)
    layer = model.get_layer("stft")
    real, imaginary = layer.get_weights()
    layer.set_weights([real + 0.001, imaginary])
    with pytest.raises(UnsupportedLayer, match=r"trained its kernels.*trainable=False"):
        from_keras(model)


def test_sound_that_something_else_reads_is_refused(keras: Any) -> None:
    sound = keras.Input((12_000,))
    mel = keras.layers.MelSpectrogram(**MEL)
    features = keras.layers.Flatten()(mel(sound))
    for before in (True, False):
        other = keras.layers.Dense(3)(sound)
        parts = [other, features] if before else [features, other]
        with pytest.raises(UnsupportedLayer, match="features of"):
            from_keras(keras.Model(sound, keras.layers.Concatenate()(parts)))
    with pytest.raises(UnsupportedLayer, match="output of the model"):
        from_keras(keras.Model(sound, [features, sound]))
    louder = keras.layers.Rescaling(2.0)(sound)
    with pytest.raises(UnsupportedLayer, match="else than an input"):
        from_keras(keras.Model(sound, mel(louder)))


def test_another_front_end_than_the_models_own_is_refused(keras: Any, tmp_path: Path) -> None:
    read = edgernn.load(mel_model(keras))
    with pytest.raises(WrongOption, match="than the model makes itself"):
        read.export(tmp_path, front_end="kaldi-fbank24@8000")
