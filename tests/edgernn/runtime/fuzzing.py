"""Builds the fuzzer of tests/c/fuzz_model.c and lets it run: `make fuzz`.

The corpus is made anew each time, of small models with every layer and option.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.errors import EdgernnError
from edgernn.export.features import features
from edgernn.export.native import lower
from edgernn.graph import Dense
from edgernn.recipe import preset, recipe_text
from tests.edgernn.kits.models import sound_model, strided_model
from tests.edgernn.runtime.compiled import compiled
from tests.edgernn.runtime.models import graph_of, random_integer_cell, random_integer_layer
from tests.edgernn.runtime.nibble_models import in_nibbles
from tests.edgernn.runtime.sensor_models import RECIPE as SENSORS
from tests.edgernn.runtime.sensor_models import sensor_content
from tests.edgernn.runtime.text_models import RECIPE, text_graph
from tests.edgernn.runtime.toolchain import C_TESTS, LIBRARY, SOURCES, STANDARD, run, tool

SANITIZERS: Final = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-g",
    "-DERNN_UNROLL=",
)
# Optimized intrinsics take clang three times as long, and sanitizers see no more in them.
_LAYERS, _KERNELS = (
    [source for source in SOURCES if source.stem.startswith("kernels_") == is_kernel]
    for is_kernel in (False, True)
)
# A hostile model may ask for more memory than there is: an error of the library, not of a test.
ENVIRONMENT: Final = {"ASAN_OPTIONS": "allocator_may_return_null=1"}
_LONGEST_FILE: Final = 24_000  # larger ones only slow the fuzzer down
_SEEDS: Final = 400


def build_checked(folder: Path) -> tuple[Path, Path]:
    """The fuzzer and run_batch, both of one library that watches its memory and arithmetic."""
    flags = (*STANDARD, "-D_GNU_SOURCE", *SANITIZERS, "-I", str(LIBRARY))
    instrumented = (tool("clang"), *flags, "-fsanitize=fuzzer-no-link")
    library = [
        *compiled([*instrumented, "-O1"], _LAYERS, headers=(LIBRARY,), folder=folder),
        *compiled([*instrumented, "-O0"], _KERNELS, headers=(LIBRARY,), folder=folder),
    ]
    program = (tool("clang"), *flags, "-O1")
    fuzzer, batch = folder / "fuzz_model", folder / "run_batch"
    run([*program, "-fsanitize=fuzzer", *library, C_TESTS / "fuzz_model.c", "-o", fuzzer])
    run([*program, *library, C_TESTS / "batch.c", C_TESTS / "run_batch.c", "-o", batch])
    return fuzzer, batch


def sound_models() -> Iterator[bytes]:
    """Files of a front end with each of its steps, and as small a model as there is.

    The last two can be listened to: by steps and by windows.
    """
    recipes = [
        preset("kaldi-mfcc13@8000"),
        replace(preset("tf-mel20@8000"), compression="pcen"),
        replace(preset("tf-mel20@8000"), bins=0),
    ]
    for recipe in recipes:
        layer = Dense(
            name="d",
            input="x",
            output="y",
            kernel=np.ones((recipe.width, 1), np.float32),
            bias=None,
        )
        graph = graph_of(layer, features=recipe.width)
        yield lower(graph, metadata={"front_end": recipe_text(recipe)}).content
    yield strided_model()
    yield sound_model(7)


def small_models() -> Iterator[bytes]:
    """Files of every layer and option in float, of front ends, and of random integer layers."""
    yield from sound_models()
    for rules in ({}, {"split": "character", "strip": False}, {"split": "none"}, {"length": 3}):
        yield lower(text_graph(replace(RECIPE, **rules)), metadata={}).content
    yield sensor_content(SENSORS)
    yield sensor_content(replace(SENSORS, window=0, add=(), multiply=()), steps=None)
    for feature in features():
        try:
            content = lower(feature.graph, metadata={"labels": '["a", "b"]'}).content
        except EdgernnError:
            continue
        yield content
    for seed in range(_SEEDS):
        make = random_integer_cell if seed % 2 else random_integer_layer
        graph, _ = make(seed)
        for packed in (graph, in_nibbles(graph, seed)):
            content = lower(packed, metadata={}).content
            if len(content) <= _LONGEST_FILE:
                yield content


def write_corpus(folder: Path) -> int:
    count = 0
    for count, content in enumerate(small_models(), 1):
        (folder / f"{count:04}.ernn").write_bytes(content)
    return count


def fuzz(fuzzer: Path, folder: Path, *, seconds: int) -> subprocess.CompletedProcess[str]:
    """Runs the fuzzer on a new corpus; what it finds is left in `folder`, with the reason."""
    corpus = folder / "corpus"
    corpus.mkdir()
    write_corpus(corpus)
    limits = (f"-max_total_time={seconds}", f"-max_len={_LONGEST_FILE}", "-timeout=20")
    # Resident memory is mostly what the sanitizer keeps of freed memory: 1.1 GB were seen in 20 s.
    prefix = f"-artifact_prefix={folder}/"
    return subprocess.run(
        [fuzzer, *limits, "-rss_limit_mb=3072", prefix, "-print_final_stats=1", corpus],
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
    )


def main() -> int:
    seconds = int(sys.argv[1])
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    fuzzer, _ = build_checked(folder)
    done = fuzz(fuzzer, folder, seconds=seconds)
    sys.stdout.write(done.stderr)
    found = sorted(path.name for path in folder.glob("*-*") if path.is_file())
    sys.stdout.write(f"{folder}: {found or 'nothing found'}\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
