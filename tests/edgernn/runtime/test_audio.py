"""Our front end against those that people train with, and what it says to unusable sound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.signal

from edgernn.errors import DataError
from edgernn.recipe import SoundRecipe, preset
from edgernn.runtime.audio import FrontEnd, features_of
from tests.edgernn.runtime.sounds import Floats, made_up, recordings

#: The largest differences from each library's own numbers, in natural logarithms.
KALDI_LOG_MEL = 1e-3
KALDI_MFCC = 3e-3
TENSORFLOW_LOG_MEL = 1e-3


def floats(samples: int, *, rate_hz: int, seed: int = 0) -> Floats:
    return made_up(samples, rate_hz=rate_hz, seed=seed).astype(np.float32) / np.float32(32768)


def kaldi(waveform: Floats, rate_hz: int, *, bins: int, coefficients: int = 0) -> Floats:
    """kaldi-native-fbank's rows without dither."""
    fbank: Any = pytest.importorskip("kaldi_native_fbank")
    options = fbank.MfccOptions() if coefficients else fbank.FbankOptions()
    options.frame_opts.samp_freq = rate_hz
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = bins
    options.mel_opts.low_freq = 20.0
    if coefficients:
        options.num_ceps, options.use_energy = coefficients, False
    rows = fbank.OnlineMfcc(options) if coefficients else fbank.OnlineFbank(options)
    rows.accept_waveform(rate_hz, waveform)
    rows.input_finished()
    return np.stack([rows.get_frame(index) for index in range(rows.num_frames_ready)])


def largest(ours: Floats, theirs: Any) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max())


def test_speech_has_kaldis_log_mel_and_mfcc() -> None:
    frames = 0
    for waveform in recordings(every=12).values():
        ours = features_of(waveform, preset("kaldi-fbank40@8000"))
        assert largest(ours, kaldi(waveform, 8000, bins=40)) < KALDI_LOG_MEL
        cepstra = features_of(waveform, preset("kaldi-mfcc13@8000"))
        theirs = kaldi(waveform, 8000, bins=23, coefficients=13)
        assert largest(cepstra, theirs) < KALDI_MFCC
        frames += len(ours)
    assert frames > 9_000


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
def test_any_rate_has_kaldis_log_mel(rate_hz: int) -> None:
    waveform = floats(rate_hz, rate_hz=rate_hz)
    ours = features_of(waveform, preset(f"kaldi-fbank40@{rate_hz}"))
    assert largest(ours, kaldi(waveform, rate_hz, bins=40)) < KALDI_LOG_MEL


@pytest.mark.parametrize("name", ["tf-mel40@16000", "tf-mel40@8000", "tf-mfcc13@16000"])
def test_tensorflow_has_the_same_features(name: str) -> None:
    tensorflow: Any = pytest.importorskip("tensorflow")
    recipe = preset(name)
    waveform = floats(recipe.rate_hz, rate_hz=recipe.rate_hz)
    window, hop, fft = recipe.window_samples, recipe.hop_samples, recipe.fft_samples
    magnitudes = tensorflow.abs(tensorflow.signal.stft(waveform, window, hop, fft))
    matrix = tensorflow.signal.linear_to_mel_weight_matrix(
        recipe.bins, fft // 2 + 1, recipe.rate_hz, recipe.lowest_hz, recipe.top_hz
    )
    theirs = tensorflow.math.log(magnitudes @ matrix + 1e-6)
    if recipe.coefficients:
        theirs = tensorflow.signal.mfccs_from_log_mel_spectrograms(theirs)[:, :13]
    assert largest(features_of(waveform, recipe), theirs.numpy()) < TENSORFLOW_LOG_MEL


def definition(waveform: Floats, recipe: SoundRecipe, filters: Any) -> Any:
    """Mel energies in doubles with scipy's transform, frames from `lead_samples` zeros on."""
    padded = np.concatenate([np.zeros(recipe.lead_samples), waveform.astype(np.float64)])
    window = scipy.signal.get_window("hann", recipe.window_samples, fftbins=True)
    frames = np.lib.stride_tricks.sliding_window_view(padded, recipe.window_samples)
    spectrum = scipy.fft.rfft(frames[:: recipe.hop_samples] * window, recipe.fft_samples)
    return (np.abs(spectrum) ** 2) @ filters.T


def hertz_triangles(corners: Any, recipe: SoundRecipe) -> Any:
    """By numpy's interpolation between three corners of each filter."""
    spectrum = np.fft.rfftfreq(recipe.fft_samples, 1 / recipe.rate_hz)
    return np.stack(
        [np.interp(spectrum, corners[i : i + 3], [0, 1, 0]) for i in range(recipe.bins)]
    )


def test_torchaudios_definition_has_the_same_features() -> None:
    recipe = preset("torchaudio-mel40@16000")
    waveform = floats(16000, rate_hz=16000)
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), recipe.bins + 2)
    filters = hertz_triangles(700 * (10 ** (mel / 2595) - 1), recipe)
    theirs = np.log(definition(waveform, recipe, filters) + 1e-6)
    assert largest(features_of(waveform, recipe), theirs) < 1e-3


def test_librosas_definition_has_the_same_features() -> None:
    recipe = preset("librosa-mel64@22050")
    waveform = floats(22050 * 2, rate_hz=22050)
    top = 15 + np.log(11025 / 1000) / (np.log(6.4) / 27)
    mel = np.linspace(0, top, recipe.bins + 2)
    corners = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
    filters = hertz_triangles(corners, recipe) * (2 / (corners[2:] - corners[:-2]))[:, None]
    theirs = 10 * np.log10(np.maximum(definition(waveform, recipe, filters), 1e-10))
    assert largest(features_of(waveform, recipe), theirs) < 1e-2


def test_librosa_has_the_same_features() -> None:
    librosa: Any = pytest.importorskip("librosa")
    recipe = preset("librosa-mel64@22050")
    waveform = floats(22050 * 2, rate_hz=22050)
    energies = librosa.feature.melspectrogram(y=waveform, sr=22050, n_mels=64)
    theirs = librosa.power_to_db(energies, top_db=None).T
    ours = features_of(waveform, recipe)
    assert len(theirs) - len(ours) in {2, 3}  # those whose window ends after the sound
    assert largest(ours, theirs[: len(ours)]) < 1e-2


def test_pcen_is_that_of_its_recurrence() -> None:
    recipe = replace(preset("torchaudio-mel40@16000"), compression="none")
    waveform = floats(16000, rate_hz=16000)
    energies = features_of(waveform, recipe).astype(np.float64)
    smooth = scipy.signal.lfilter([0.025], [1, -0.975], energies, axis=0, zi=0.975 * energies[:1])
    theirs = (energies * (1e-6 + smooth[0]) ** -0.98 + 2) ** 0.5 - 2**0.5
    ours = features_of(waveform, replace(recipe, compression="pcen"))
    assert largest(ours, theirs) < 1e-4


def test_a_normalized_row_has_mean_0_and_deviation_1() -> None:
    recipe = preset("kaldi-fbank40@16000")
    waveform = floats(32000, rate_hz=16000)
    rows = features_of(waveform, recipe).astype(np.float64)
    add, multiply = tuple(-rows.mean(axis=0)), tuple(1 / rows.std(axis=0))
    normalized = features_of(waveform, replace(recipe, add=add, multiply=multiply))
    assert np.abs(normalized.mean(axis=0)).max() < 1e-4
    assert np.abs(normalized.std(axis=0) - 1).max() < 1e-4


def test_pieces_of_any_size_and_16_bit_samples_give_the_same_bits() -> None:
    recipe, sound = preset("kaldi-fbank40@16000"), made_up(20_000, rate_hz=48000)
    whole = features_of(sound, recipe, rate_hz=48000)
    as_floats = sound.astype(np.float32) / np.float32(32768)
    rng = np.random.default_rng(0)
    for samples in (sound, as_floats):
        front_end = FrontEnd(recipe, rate_hz=48000)
        cuts = np.sort(rng.integers(0, len(sound), 300))
        rows = np.concatenate([front_end.feed(part) for part in np.split(samples, cuts)])
        assert rows.tobytes() == whole.tobytes()


def test_after_a_reset_the_next_sample_is_the_first() -> None:
    recipe, sound = preset("kaldi-fbank40@8000"), made_up(4000, rate_hz=44100)
    front_end = FrontEnd(recipe, rate_hz=44100)
    first = front_end.feed(sound)
    front_end.reset()
    assert front_end.feed(sound).tobytes() == first.tobytes()


@pytest.mark.parametrize(("rate_hz", "wanted"), [(48000, 16000), (44100, 16000), (44100, 8000)])
def test_resampling_keeps_what_is_heard_and_removes_what_would_fold(
    rate_hz: int, wanted: int
) -> None:
    """Spectra of single tones, through a recipe that is a plain spectrum."""
    recipe = SoundRecipe(
        rate_hz=wanted,
        window="blackman",
        periodic=True,
        window_samples=512,
        hop_samples=512,
        fft_samples=512,
        bins=0,
        floor=1e-20,
        log_scale=10 / np.log(10),
    )
    full = 20 * np.log10(0.42 * 512 / 2)  # of a tone of amplitude 1
    t = np.arange(rate_hz) / rate_hz
    for share in (0.1, 0.4, 0.8):
        hertz = np.round(share * 256) * wanted / 512
        tone = np.sin(2 * np.pi * hertz * t).astype(np.float32)
        rows = features_of(tone, recipe, rate_hz=rate_hz)[2:]
        assert np.abs(rows.max(axis=1) - full).max() < 0.1
        peak = int(np.round(share * 256))
        others = np.delete(rows, range(peak - 4, peak + 5), axis=1)
        assert others.max() < full - 70
    for share in (1.1, 1.5, 2.2):
        tone = np.sin(2 * np.pi * share * wanted / 2 * t).astype(np.float32)
        assert features_of(tone, recipe, rate_hz=rate_hz)[2:].max() < full - 70


def test_resampled_features_are_those_of_the_lower_rate() -> None:
    waveform = floats(48000, rate_hz=48000)
    recipe = preset("kaldi-fbank40@16000")
    lower = scipy.signal.resample_poly(waveform, 1, 3, window=("kaiser", 9.0)).astype(np.float32)
    theirs, ours = features_of(lower, recipe), features_of(waveform, recipe, rate_hz=48000)
    assert len(theirs) - len(ours) in {0, 1}  # it waits for half a filter
    difference = np.abs(ours - theirs[: len(ours)])[:, :32]  # below the edge of either filter
    assert np.median(difference) < 0.01


@pytest.mark.parametrize(
    ("samples", "saying"),
    [
        (
            np.array([0, np.nan] * 300, np.float32),
            r"sample 1: a sample is NaN or infinite, or sound far",
        ),
        (np.array([0] * 5 + [np.inf], np.float32), r"sample 5: a sample is NaN"),
        (np.full(400, 9000, np.float32), r"sample 0: .* divide 16-bit PCM by 32768"),
        (np.zeros((400, 2), np.float32), r"the sound has shape \(400, 2\)\. Give one channel"),
        (np.zeros(400, np.int32), "the sound has the type int32"),
        (np.zeros(0, np.int16), "0 samples are fewer than one window of 25 ms"),
        (np.zeros(100, np.int16), "100 samples are fewer than one window"),
    ],
    ids=["NaN", "infinity", "not divided", "stereo", "int32", "empty", "short"],
)
def test_sound_that_cannot_be_used_is_refused(samples: Any, saying: str) -> None:
    with pytest.raises(DataError, match=saying):
        features_of(samples, preset("kaldi-fbank40@16000"))


@pytest.mark.parametrize("rate_hz", [8000, 15999, 16001, 1_000_000])
def test_a_rate_that_does_not_lead_to_the_recipes_is_refused(rate_hz: int) -> None:
    saying = f"sound of {rate_hz} samples a second cannot be used where the model takes 16000: the"
    with pytest.raises(DataError, match=saying):
        FrontEnd(preset("kaldi-fbank40@16000"), rate_hz=rate_hz)
