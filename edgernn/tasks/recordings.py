"""Samples from a folder of recordings, with one sub-folder of .wav files for each class.

    recordings/yes/ann_001.wav
    recordings/yes/bob_001.wav
    recordings/no/ann_002.wav

The front end is kaldi-native-fbank: the same C++ code runs in Android, iOS and Raspberry Pi apps,
so the same features can be computed there.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgernn.errors import DataError, MissingRuntime
from edgernn.regular_file import opened
from edgernn.tasks.samples import FloatArray, Samples, ending_together

_LOWEST_RATE_HZ: Final = 1_000
_HIGHEST_RATE_HZ: Final = 768_000
_MOST_SAMPLES: Final = 1 << 28  # an hour of stereo at 37 kHz
_LAYOUT: Final = "Make a folder with one sub-folder of .wav files for each class"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """How sound becomes features: logarithms of mel-filter energies.

    The defaults give one second as [100, 40], the shape of most published keyword spotters.
    """

    window_ms: float = 25.0
    hop_ms: float = 10.0
    mel_bins: int = 40
    lowest_hz: float = 20.0
    steps: int = 100  # longer recordings are cut at the end, shorter ones get zeros in front

    def description(self, rate_hz: int) -> str:
        """A description for the training log: the features that an app must compute."""
        return (
            f"kaldi-native-fbank log-mel energies, {self.mel_bins} bins from "
            f"{self.lowest_hz:g} Hz, windows of {self.window_ms:g} ms every {self.hop_ms:g} ms, "
            f"{rate_hz} samples a second in -1..1, no dither"
        )


DEFAULT_FRONT_END: Final = FrontEnd()


def read_recordings(folder: Path, front_end: FrontEnd = DEFAULT_FRONT_END) -> Samples:
    """x [N, steps, mel_bins]; a row's origin is its path inside the folder ("yes/ann_001.wav").

    Raises DataError for damaged files and mixed sample rates, MissingRuntime if the packages
    that read sound are not installed.
    """
    paths = sorted(path for path in folder.glob("*/*.wav") if not path.name.startswith("."))
    if not paths:
        raise DataError(f"{folder} has no recordings", remedy=_LAYOUT)
    labels = sorted({path.parent.name for path in paths})
    first_rate = _waveform(paths[0])[1]
    sequences = []
    for path in paths:
        waveform, rate_hz = _waveform(path)
        if rate_hz != first_rate:
            raise DataError(
                f"{path} has {rate_hz} samples a second, {paths[0]} has {first_rate}",
                remedy="Resample the recordings to one rate",
            )
        sequences.append(_log_mel(path, waveform, rate_hz, front_end))
    x = ending_together(sequences, front_end.steps)
    number = {label: index for index, label in enumerate(labels)}
    return Samples(
        name=folder.resolve().name,
        x=x,
        y=np.array([number[path.parent.name] for path in paths], dtype=np.int64),
        labels=tuple(labels),
        named=True,
        origins=tuple(path.relative_to(folder).as_posix() for path in paths),
        features=front_end.description(first_rate),
    )


def _waveform(path: Path) -> tuple[FloatArray, int]:
    """Samples in -1..1, the channels averaged, and how many there are in a second."""
    soundfile = _package("soundfile")
    try:
        with opened(path) as file, soundfile.SoundFile(file) as sound:
            rate_hz = sound.samplerate
            # No recording has 2^31 samples a second, and a window of them would cost seconds.
            if not _LOWEST_RATE_HZ <= rate_hz <= _HIGHEST_RATE_HZ:
                raise DataError(
                    f"{path} claims {rate_hz} samples a second; recordings have "
                    f"{_LOWEST_RATE_HZ} to {_HIGHEST_RATE_HZ}",
                    remedy="Save it again at the rate of your microphone, or remove it",
                )
            if sound.frames * sound.channels > _MOST_SAMPLES:
                raise DataError(
                    f"{path} claims {sound.frames} samples of {sound.channels} channels",
                    remedy="Cut it into recordings of a few seconds, or remove it",
                )
            channels = sound.read(dtype="float32", always_2d=True)  # [samples, C]
    # soundfile's own error is a RuntimeError; damaged numbers in a header are TypeError, ValueError
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} is not a valid wav file ({reason})") from error
    if not len(channels):
        raise DataError(f"{path} holds no samples", remedy="Remove it")
    waveform: FloatArray = channels.mean(axis=1)
    if not np.isfinite(waveform).all():
        raise DataError(f"{path} contains NaN or infinity")
    return waveform, int(rate_hz)


def _log_mel(path: Path, waveform: FloatArray, rate_hz: int, front_end: FrontEnd) -> FloatArray:
    """[frames, mel_bins]"""
    fbank = _package("kaldi_native_fbank")
    options = fbank.FbankOptions()
    options.frame_opts.samp_freq = rate_hz
    options.frame_opts.frame_length_ms = front_end.window_ms
    options.frame_opts.frame_shift_ms = front_end.hop_ms
    options.frame_opts.dither = 0.0  # the default adds noise, so two runs would differ
    options.mel_opts.num_bins = front_end.mel_bins
    options.mel_opts.low_freq = front_end.lowest_hz
    features = fbank.OnlineFbank(options)
    features.accept_waveform(rate_hz, waveform)
    features.input_finished()
    if features.num_frames_ready == 0:
        raise DataError(
            f"{path} is shorter than one window of {front_end.window_ms:g} ms",
            remedy="Remove it",
        )
    frames = [features.get_frame(index) for index in range(features.num_frames_ready)]
    return np.stack(frames).astype(np.float32)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingRuntime(
            f"reading recordings needs the package {name.replace('_', '-')} ({error})",
            remedy="Install it with: pip install 'edgernn[audio]'",
        ) from error
