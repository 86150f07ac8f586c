"""A library built without rows and columns: smaller, and it refuses models that need them."""

from __future__ import annotations

from pathlib import Path

from tests.edgernn.runtime.batches import entry, packed_batch, read_results
from tests.edgernn.runtime.image_models import random_integer_image
from tests.edgernn.runtime.models import random_integer_cell
from tests.edgernn.runtime.toolchain import C_TESTS, LIBRARY, run, tool

FEATURE_REFUSED = 3  # ERNN_FEATURE, see ernn.h


def test_a_library_without_images_refuses_them_and_runs_all_others(tmp_path: Path) -> None:
    program = tmp_path / "program"
    sources = sorted(str(path) for path in LIBRARY.glob("*.c"))
    flags = ["-std=gnu99", "-O0", "-DERNN_WITHOUT_IMAGES", "-DERNN_PORTABLE", f"-I{LIBRARY}"]
    tests = [str(C_TESTS / "batch.c"), str(C_TESTS / "run_batch.c")]
    run([tool("gcc"), *flags, *sources, *tests, "-o", program])
    entries = [entry("cell", *random_integer_cell(3)), entry("image", *random_integer_image(3))]
    batch, results = tmp_path / "batch.bin", tmp_path / "results.bin"
    batch.write_bytes(packed_batch(entries))
    run([program, batch, results, "run"])
    for words in read_results(results):
        own = len(entries[0].expected)
        assert words[:own] == entries[0].expected
        assert words[own] == FEATURE_REFUSED
