"""Under sanitizers: the models of every kind, hostile files, and a fuzzer's inventions.

AddressSanitizer stops at memory that is not the library's, UndefinedBehaviorSanitizer at arithmetic
that C does not define.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.edgernn.runtime.batches import Entry, differing, entry, packed_batch, read_results
from tests.edgernn.runtime.fuzzing import ENVIRONMENT, build_checked, fuzz, small_models
from tests.edgernn.runtime.image_models import random_integer_image
from tests.edgernn.runtime.models import CELLS, random_integer_cell, random_integer_layer
from tests.edgernn.runtime.nibble_models import in_nibbles
from tests.edgernn.runtime.test_hostile_files import with_checksum
from tests.edgernn.runtime.test_isas import dynamic
from tests.edgernn.runtime.toolchain import ARMV7, C_TESTS, run

FUZZING_SECONDS = 30 if os.environ.get("CI") == "true" else 5
HOSTILE_FILES = 2000
_WORDS = (0, 1, 2, 3, 15, 16, 64, 2**16, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build_checked(tmp_path_factory.mktemp("checked"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every layer with up to four words of their records changed; no inputs fit them, so
    that each is opened, and asked for its session."""
    rng = np.random.default_rng(0)
    originals = [content for content in small_models() if len(content) < 4000]
    entries = []
    for number in range(HOSTILE_FILES):
        content = bytearray(originals[int(rng.integers(len(originals)))])
        for _ in range(rng.integers(1, 5)):
            at = int(rng.integers(4, min(len(content), 1500) // 4)) * 4
            word = int(rng.choice(_WORDS)) if rng.random() < 0.7 else int(rng.integers(2**32))
            content[at : at + 4] = struct.pack("<I", word)
        entries.append(
            Entry(
                name=str(number),
                content=with_checksum(bytes(content)),
                inputs=struct.pack("<I", 5) + bytes(4096),
                cases=1,
                expected=(),
            )
        )
    path = tmp_path_factory.mktemp("hostile") / "hostile.bin"
    path.write_bytes(packed_batch(entries))
    return path


def test_models_that_multiply_integers_run_clean_and_exact(
    checked: tuple[Path, Path], tmp_path: Path
) -> None:
    entries = [entry(f"cell {seed}", *random_integer_cell(seed)) for seed in range(120)]
    entries += [entry(f"layer {seed}", *random_integer_layer(seed)) for seed in range(80)]
    entries += [entry(f"image {seed}", *random_integer_image(seed)) for seed in range(40)]
    for seed in range(40):
        for make in (random_integer_cell, random_integer_layer, random_integer_image):
            graph, inputs = make(2000 + seed)
            name = f"nibbles {make.__name__} {seed}"
            entries.append(entry(name, in_nibbles(graph, seed), inputs))
    entries += [dynamic(kind, units) for kind in CELLS for units in (5, 64, 70)]
    batch, results = tmp_path / "batch.bin", tmp_path / "results.bin"
    batch.write_bytes(packed_batch(entries))
    for mode in ("run", "step"):
        isas = run([checked[1], batch, results, mode], env=ENVIRONMENT).split()
        for isa, words in zip(isas, read_results(results), strict=True):
            assert differing(entries, words) == [], isa


def test_hostile_files_run_clean(checked: tuple[Path, Path], hostile: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.bin"
    run([checked[1], hostile, results, "run"], env=ENVIRONMENT)
    (words, *_) = read_results(results)
    refused = sum(word in range(1, 64) for word in words)
    assert refused > HOSTILE_FILES / 4
    assert len(words) - refused > HOSTILE_FILES / 8  # some are harmless, or hostile but valid


def test_hostile_files_do_no_harm_where_sizes_have_32_bits(hostile: Path, tmp_path: Path) -> None:
    program = ARMV7.build(tmp_path / "run_batch", C_TESTS / "batch.c", C_TESTS / "run_batch.c")
    ARMV7.run(program, hostile, tmp_path / "results.bin", "run")
    assert read_results(tmp_path / "results.bin")


def test_the_fuzzer_finds_nothing(checked: tuple[Path, Path], tmp_path: Path) -> None:
    done = fuzz(checked[0], tmp_path, seconds=FUZZING_SECONDS)
    assert done.returncode == 0, done.stderr[-6000:]
    executed = next(line for line in done.stderr.splitlines() if "number_of_executed_units" in line)
    assert int(executed.split(":")[-1]) > 500
