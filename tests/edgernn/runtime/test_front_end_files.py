"""An .ernn file with a front end: the C library reads its record, or refuses it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgernn import Model
from edgernn.errors import DataError, ModelFileError
from edgernn.export.native import lower
from edgernn.export.native.contents import read_contents
from edgernn.graph import Graph
from edgernn.recipe import SoundRecipe, preset, recipe_text, sound_record
from edgernn.runtime.audio import features_of
from edgernn.runtime.library import ffi, lib
from tests.edgernn.runtime.models import cell, graph_of
from tests.edgernn.runtime.sounds import made_up

RECIPE = preset("kaldi-fbank40@16000")
OK, TRUNCATED_RATE = 0, "the sample rate is below the model's"


def graph(features: int = 40) -> Graph:
    layer = cell("gru", np.random.default_rng(0), units=16, features=features)
    return graph_of(layer, features=features)


def file_with(recipe: SoundRecipe | None, features: int = 40) -> bytes:
    metadata = {} if recipe is None else {"front_end": recipe_text(recipe)}
    return lower(graph(features), metadata=metadata).content


def repaired(content: bytearray) -> bytes:
    """With the right checksum: damage that a checksum would find is no test."""
    struct.pack_into("<I", content, 12, zlib.crc32(memoryview(content)[16:]))
    return bytes(content)


def test_the_record_in_the_file_gives_the_features_of_the_recipe() -> None:
    """Through ernn_audio_size and ernn_audio_init, as an app calls them."""
    sound = made_up(24_000, rate_hz=48000)
    model = Model(file_with(RECIPE))
    assert model.front_end == RECIPE
    assert lib.ernn_audio_rate(model.handle) == 16000
    assert lib.ernn_audio_input(model.handle) == 0
    size = ffi.new("size_t *")
    assert lib.ernn_audio_size(model.handle, 48000, size) == OK
    room = np.zeros(size[0] + 64, np.uint8)
    arena = room[-room.ctypes.data % 64 :]
    made, ready = ffi.new("ernn_audio **"), ffi.new("int *")
    pointer = ffi.from_buffer(arena)
    assert lib.ernn_audio_init(made, model.handle, 48000, pointer, size[0]) == OK
    samples, row, rows = ffi.from_buffer("int16_t[]", sound), np.empty(40, np.float32), []
    at = 0
    while at < len(sound):
        place = ffi.from_buffer("float[]", row)
        at += lib.ernn_audio_feed_s16(made[0], samples + at, len(sound) - at, place, ready)
        if ready[0]:
            rows.append(row.copy())
    expected = features_of(sound, RECIPE, rate_hz=48000)
    assert np.stack(rows).tobytes() == expected.tobytes()
    assert model.audio(48000).feed(sound).tobytes() == expected.tobytes()


def test_a_file_without_a_front_end_has_the_bytes_of_ever_and_takes_no_sound() -> None:
    content = file_with(None)
    assert content[16] & 16 == 0
    assert content[68:128] == bytes(60)
    model = Model(content)
    assert model.front_end is None
    assert lib.ernn_audio_rate(model.handle) == 0
    size = ffi.new("size_t *")
    status = lib.ernn_audio_size(model.handle, 16000, size)
    assert "no front end for sound" in ffi.string(lib.ernn_status_text(status)).decode()
    with pytest.raises(DataError, match="has no front end for sound: it takes rows of features"):
        model.audio()


@pytest.mark.parametrize(
    ("said", "instead", "differs_in"),
    [
        (b'"hop_samples":160', b'"hop_samples":161', "hop_samples"),
        (b'"pre_emphasis":0.97', b'"pre_emphasis":0.96', "pre_emphasis"),
        (b'"lowest_hz":20', b'"lowest_hz":90', "filters"),
        (b'"window":"povey"', b'"window":"hann" ', "window"),
    ],
)
def test_a_recipe_that_the_record_does_not_follow_is_refused(
    said: bytes, instead: bytes, differs_in: str
) -> None:
    """Python would hear with one and the C library with the other."""
    content = file_with(RECIPE)
    assert content.count(said) == 1
    model = Model(repaired(bytearray(content.replace(said, instead))))
    with pytest.raises(ModelFileError, match=f"record of its front end differ in {differs_in}"):
        model.audio()


def test_the_last_bits_of_tables_may_differ_between_machines() -> None:
    content = bytearray(file_with(RECIPE))
    (entry,) = struct.unpack_from("<I", content, 72)
    (record,) = struct.unpack_from("<I", content, entry + 12)
    (turns,) = struct.unpack_from("<I", content, record + 4 * 21)
    (before,) = struct.unpack_from("<f", content, record + turns + 40)
    struct.pack_into("<f", content, record + turns + 40, np.nextafter(np.float32(before), 0))
    assert Model(repaired(content)).front_end == RECIPE
    struct.pack_into("<f", content, record + turns + 40, before * 0.99)
    with pytest.raises(ModelFileError, match="differ in turns of the Fourier transform"):
        Model(repaired(content)).audio()


def test_inspect_names_the_feature() -> None:
    contents = read_contents(file_with(RECIPE))
    assert contents.format == "ERNN 1, front_end"


@pytest.mark.parametrize(
    ("word", "value"), [(0, 7), (1, 2), (5, 1)], ids=["kind", "version", "more"]
)
def test_a_front_end_of_a_newer_kind_or_version_is_refused(word: int, value: int) -> None:
    content = bytearray(file_with(RECIPE))
    (at,) = struct.unpack_from("<I", content, 72)
    struct.pack_into("<I", content, at + 4 * word, value)
    with pytest.raises(ModelFileError, match="front end is of a kind or version that this library"):
        Model(repaired(content))


def test_an_input_of_another_width_is_refused_when_it_is_written() -> None:
    with pytest.raises(DataError, match=r"has no input of rows with 40 features.*it has x \["):
        file_with(RECIPE, features=30)


def test_an_input_of_another_width_is_refused_when_it_is_read() -> None:
    content = bytearray(file_with(RECIPE))
    (at,) = struct.unpack_from("<I", content, 72)
    (record,) = struct.unpack_from("<I", content, at + 12)
    struct.pack_into("<2I", content, record + 20, 39, 39)  # bins and width
    with pytest.raises(ModelFileError, match="layers do not fit together"):
        Model(repaired(content))


def accepted(record: bytes) -> bool:
    """Whether the library takes the record; if so, it also makes features with it."""
    room = np.zeros(len(record) + 64, np.uint8)
    aligned = room[-room.ctypes.data % 64 :][: len(record)]
    aligned[:] = np.frombuffer(record, np.uint8)
    pointer = ffi.from_buffer(aligned)
    if lib.ernn_check_sound(pointer, len(record)) != OK:
        return False
    size, made, ready = ffi.new("size_t *"), ffi.new("ernn_audio **"), ffi.new("int *")
    (rate, _, _, _, _, _, width) = struct.unpack_from("<7I", record)
    if lib.ernn_sound_size(pointer, rate, size) != OK:
        return True  # a rate that no microphone has
    memory = np.zeros(size[0] + 64, np.uint8)
    arena = memory[-memory.ctypes.data % 64 :]
    assert lib.ernn_sound_init(made, pointer, rate, ffi.from_buffer(arena), size[0]) == OK
    sound = made_up(12_000, rate_hz=16000)
    row = np.empty(width, np.float32)
    place, samples = ffi.from_buffer("float[]", row), ffi.from_buffer("int16_t[]", sound)
    used = lib.ernn_audio_feed_s16(made[0], samples, len(sound), place, ready)
    assert 0 < used <= len(sound)
    if ready[0]:
        assert np.isfinite(row).all()
    return True


Damage = Callable[[bytearray], None]
_WORDS = 32


def set_word(number: int, value: int) -> Damage:
    return lambda record: struct.pack_into("<I", record, 4 * number, value)


def set_float(number: int, value: float) -> Damage:
    return lambda record: struct.pack_into("<f", record, 4 * number, value)


@pytest.mark.parametrize(
    "damage",
    [
        *(set_word(number, 0xFFFFFFF0) for number in range(_WORDS)),
        *(set_float(number, float("nan")) for number in (8, 9, 10, 11, 12, 13)),
        set_word(1, 600),  # a window beyond the transform
        set_word(4, 500),  # no power of two
        set_word(4, 16),
        set_word(2, 0),  # no hop
        set_word(24, 10**6),  # weights beyond the file
    ],
    ids=[f"word {number}" for number in range(_WORDS)]
    + [f"NaN {number}" for number in (8, 9, 10, 11, 12, 13)]
    + ["window", "fft", "small fft", "hop", "weights"],
)
def test_a_damaged_record_is_refused(damage: Damage) -> None:
    recipe = replace(preset("kaldi-mfcc13@16000"), add=(1.0,) * 13)
    record = bytearray(sound_record(recipe))
    assert accepted(bytes(record))
    damage(record)
    unused = (14, 15, 16, 17, 18, 19)  # PCEN's, which this recipe does not compute
    is_unused = any(bytes(record[4 * n : 4 * n + 4]) == b"\xf0\xff\xff\xff" for n in unused)
    assert accepted(bytes(record)) == is_unused


def test_random_damage_never_leads_outside_of_the_record() -> None:
    """Rows of accepted records are finite, and neither the checks nor the sums crash."""
    rng = np.random.default_rng(0)
    recipes = [
        preset("kaldi-mfcc13@16000"),
        replace(preset("tf-mel20@8000"), compression="pcen"),
        replace(preset("tf-mel20@8000"), bins=0),
    ]
    taken = 0
    for number in range(600):
        record = bytearray(sound_record(recipes[number % 3]))
        for _ in range(1 + number % 3):
            record[rng.integers(128 if number % 2 else len(record))] = rng.integers(256)
        taken += accepted(bytes(record[: len(record) - 4 * (number % 7 == 0)]))
    assert 60 < taken < 540
