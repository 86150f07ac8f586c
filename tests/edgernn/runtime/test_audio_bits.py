"""Features have the same bits on every processor that can be had here, for few instructions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgernn.recipe import SoundRecipe, preset, sound_record
from edgernn.runtime.audio import FrontEnd
from tests.edgernn.runtime.sounds import Floats, made_up
from tests.edgernn.runtime.toolchain import (
    ARMV7,
    AUDIO_SOURCES,
    C_TESTS,
    CORTEX_A72,
    CORTEX_A76,
    HOST,
    Machine,
    build_wasm,
    run,
    tool,
)

MOST_INSTRUCTIONS = 30_000  # of a frame of 25 ms at 16 kHz, with 40 filters

#: Recipes and the rates of the sound: each step of the front end, and each size of its loops.
CASES: dict[str, tuple[SoundRecipe, int]] = {
    "fbank": (preset("kaldi-fbank40@16000"), 16000),
    "fbank 8 kHz": (preset("kaldi-fbank40@8000"), 8000),
    "mfcc from 48 kHz": (preset("kaldi-mfcc13@16000"), 48000),
    "from 44.1 kHz": (preset("tf-mel40@8000"), 44100),
    "librosa": (preset("librosa-mel64@22050"), 22050),
    "pcen": (replace(preset("torchaudio-mel40@16000"), compression="pcen"), 16000),
    "as keras": (
        replace(
            preset("keras-mel40@8000"),
            window_samples=401,
            fft_samples=512,
            hop_samples=160,
            lead_samples=201,
            ends="mirror",
            window="hamming",
        ),
        22050,
    ),
    "spectrum": (
        replace(
            preset("tf-mel40@8000"), bins=0, pre_emphasis=0.9, pre_emphasis_in="stream", name=""
        ),
        8000,
    ),
}


def sound_of(rate_hz: int) -> np.ndarray:
    return made_up(rate_hz * 3 // 4, rate_hz=rate_hz)


@pytest.fixture(scope="module")
def expected() -> dict[str, Floats]:
    """What the binding gives for the whole sound at once."""
    return {
        name: FrontEnd(recipe, rate_hz=rate_hz).feed(sound_of(rate_hz))
        for name, (recipe, rate_hz) in CASES.items()
    }


def arguments(name: str, folder: Path, piece: int) -> list[str | Path]:
    recipe, rate_hz = CASES[name]
    record, sound = folder / "record.bin", folder / "sound.s16"
    record.write_bytes(sound_record(recipe))
    sound.write_bytes(sound_of(rate_hz).tobytes())
    numbers = map(str, (rate_hz, piece, recipe.width))
    return [record, sound, *numbers, folder / "rows.f32"]


def built(machine: Machine, folder: Path, flags: tuple[str, ...]) -> Path:
    source = C_TESTS / "audio_rows.c"
    return machine.build(folder / "audio_rows", source, flags=flags, library=AUDIO_SOURCES)


def differing(rows: Path, expected: Floats) -> int:
    """Numbers with other bits."""
    found = np.fromfile(rows, np.uint32)
    assert found.size == expected.size
    return int((found != expected.ravel().view(np.uint32)).sum())


@pytest.mark.parametrize(
    ("machine", "flags"),
    [
        (HOST, ("-O3", "-march=native")),
        (HOST, ("-O1", "-DERNN_PORTABLE")),
        (CORTEX_A72, ("-O2",)),
        (CORTEX_A76, ("-O3",)),
        (ARMV7, ("-O2",)),
    ],
    ids=["host native", "host portable", "cortex-a72", "cortex-a76", "armv7"],
)
def test_a_processor_gives_the_bits_of_this_one(
    machine: Machine, flags: tuple[str, ...], expected: dict[str, Floats], tmp_path: Path
) -> None:
    program = built(machine, tmp_path, flags)
    numbers = 0
    for name, rows in expected.items():
        machine.run(program, *arguments(name, tmp_path, piece=97))
        assert differing(tmp_path / "rows.f32", rows) == 0, name
        numbers += rows.size
    assert numbers > 10_000


@pytest.mark.parametrize("flags", [(), ("-msimd128",)], ids=["scalar", "simd128"])
def test_webassembly_gives_the_bits_of_this_one(
    flags: tuple[str, ...], expected: dict[str, Floats], tmp_path: Path
) -> None:
    source, module = C_TESTS / "audio_wasm.c", tmp_path / "audio.wasm"
    build_wasm(module, source, flags=flags, library=AUDIO_SOURCES)
    for name, rows in expected.items():
        script = C_TESTS / "audio_rows.mjs"
        run([tool("node"), script, module, *arguments(name, tmp_path, piece=97)])
        assert differing(tmp_path / "rows.f32", rows) == 0, name


def test_the_comparison_finds_one_wrong_bit(expected: dict[str, Floats], tmp_path: Path) -> None:
    rows = expected["fbank"].copy()
    rows.tofile(tmp_path / "rows.f32")
    assert differing(tmp_path / "rows.f32", rows) == 0
    rows.view(np.uint32)[-1, -1] ^= 1
    assert differing(tmp_path / "rows.f32", rows) == 1


@pytest.mark.parametrize(("machine", "flags"), [(CORTEX_A72, ("-O2",)), (CORTEX_A72, ("-O3",))])
def test_a_frame_costs_few_instructions(
    machine: Machine, flags: tuple[str, ...], tmp_path: Path
) -> None:
    plugin = tmp_path / "count_instructions.so"
    run([tool("gcc"), "-shared", "-fPIC", "-O2", C_TESTS / "count_instructions.c", "-o", plugin])
    program = built(machine, tmp_path, flags)
    given = arguments("fbank", tmp_path, piece=1600)
    counting = replace(machine, emulator=(*machine.emulator, "-plugin", str(plugin)))
    log = tmp_path / "count.txt"
    shell = [tool(counting.emulator[0]), *counting.emulator[1:], program, *given]
    run(["sh", "-c", '"$@" 2> "$0"', log, *shell])
    rows = (tmp_path / "rows.f32").stat().st_size // (4 * CASES["fbank"][0].width)
    instructions = int(log.read_text().split()[-1]) // rows
    assert 5_000 < instructions < MOST_INSTRUCTIONS
