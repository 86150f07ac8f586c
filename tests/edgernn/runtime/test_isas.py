"""One hash: the integer reference's bits on every processor that can be had here.

341 models (random ones whose parameters go to their ends, and trained ones) run in C on this
machine, on emulated ARM processors and in WebAssembly: whole, step by step and side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import LINEAR, Dense, Graph
from edgernn.scheme import Scheme
from tests.edgernn.runtime.batches import (
    Entry,
    differing,
    dynamic_entry,
    entry,
    packed_batch,
    read_results,
)
from tests.edgernn.runtime.image_models import random_integer_image
from tests.edgernn.runtime.later_node import later_node
from tests.edgernn.runtime.models import CELLS as KINDS
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    numbers,
    random_integer_cell,
    random_integer_layer,
)
from tests.edgernn.runtime.nibble_models import in_nibbles
from tests.edgernn.runtime.toolchain import (
    ARM64_MAX,
    ARMV7,
    C_TESTS,
    CORTEX_A72,
    CORTEX_A76,
    HOST,
    Machine,
    build_wasm,
    node_with_relaxed_simd,
    run,
    tool,
)
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN

CELLS, LAYERS, IMAGES, PACKED = 120, 80, 40, 30
#: Units by seed: an odd number of tiles, and weights that WebAssembly multiplies in parts.
WIDE = {288: 170, 266: 170, 232: 170}
MODES = ("run", "step", "together")
TRAINED = {
    "digits_gru": "digits",
    "digits_lstm": "digits",
    "counter_lstm": "counter",
    "vowels_gru": "japanese-vowels",
}


def trained(name: str, task: str) -> Entry:
    """Up to the scores before softmax, whose exponential is not of integers."""
    splits = splits_of(task)
    graph = float_graph(read_model(GOLDEN / "trained" / f"{name}.keras").graph)
    (source,) = graph.inputs
    ranges = calibrate(graph, {source.name: splits.calibration.x})
    quantized = without_softmax(quantize(graph, ranges, Scheme.INT8))
    return entry(name, quantized, {source.name: splits.test.x[:8]})


def dynamic(kind: str, units: int = 70) -> Entry:
    """One layer of floats that multiplies in integers, and a Dense behind it."""
    rng = np.random.default_rng(KINDS.index(kind))
    layer = cell(kind, rng, units=units, features=30, return_sequences=True)
    head = Dense(
        name="head",
        input=layer.output,
        output="y",
        kernel=numbers(rng, units, 9),
        bias=numbers(rng, 9),
        activation=LINEAR,
    )
    graph = quantize(graph_of(layer, head, features=30), None, Scheme.DYNAMIC)
    return dynamic_entry(f"dynamic {kind} {units}", graph, {"x": numbers(rng, 5, 37, 30)})


def packed_entry(name: str, graph: Graph, inputs: dict[str, Any], *, seed: int) -> Entry:
    return entry(name, in_nibbles(graph, seed), inputs)


def without_softmax(graph: Graph) -> Graph:
    *before, head = graph.layers
    assert isinstance(head, Dense)
    return replace(graph, layers=(*before, replace(head, activation=LINEAR)))


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    cells = [entry(f"cell {seed}", *random_integer_cell(seed)) for seed in range(CELLS)]
    wide = [
        entry(f"wide cell {seed}", *random_integer_cell(seed, units=units))
        for seed, units in WIDE.items()
    ]
    layers = [entry(f"layer {seed}", *random_integer_layer(seed)) for seed in range(LAYERS)]
    images = [entry(f"image {seed}", *random_integer_image(seed)) for seed in range(IMAGES)]
    packed = [
        packed_entry(f"nibbles of {make.__name__} {seed}", *make(1000 + seed), seed=seed)
        for make in (random_integer_cell, random_integer_layer, random_integer_image)
        for seed in range(PACKED)
    ]
    return [
        *packed,
        *cells,
        *wide,
        *layers,
        *images,
        *(trained(*one) for one in TRAINED.items()),
        *(dynamic(kind) for kind in KINDS),
    ]


@pytest.fixture(scope="module")
def batch(entries: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batch") / "batch.bin"
    path.write_bytes(packed_batch(entries))
    return path


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, Path]:
    """Programs by what they were built for; filled as they are needed."""
    return {None: tmp_path_factory.mktemp("programs") / "host"}


MACHINES = {
    HOST: ("portable",),  # and what else this processor has
    CORTEX_A72: ("portable", "neon"),
    CORTEX_A76: ("portable", "neon", "neondot"),
    ARM64_MAX: ("portable", "neon", "neondot", "neoni8mm"),
    ARMV7: ("portable", "neon"),
}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_processor_gives_the_bits_of_the_reference(
    machine: Machine, entries: list[Entry], batch: Path, programs: dict[str | None, Path]
) -> None:
    program = programs[None].with_name(machine.target or "host")
    if not program.exists():
        machine.build(program, C_TESTS / "batch.c", C_TESTS / "run_batch.c")
    results = batch.with_name(f"{machine.name}.bin")
    for mode in MODES:
        isas = machine.run(program, batch, results, mode).split()
        assert set(MACHINES[machine]) <= set(isas)
        checksums = read_results(results)
        assert len(checksums) == len(isas)
        for isa, words in zip(isas, checksums, strict=True):
            assert differing(entries, words) == [], f"{isa} on {machine.name}, {mode}"


@pytest.mark.parametrize(
    "machine",
    [
        HOST,
        pytest.param(CORTEX_A76, marks=pytest.mark.long),
        pytest.param(ARMV7, marks=pytest.mark.long),
    ],
    ids=lambda machine: machine.name,
)
def test_a_build_for_size_gives_the_bits_of_the_reference(
    machine: Machine, entries: list[Entry], batch: Path, tmp_path: Path
) -> None:
    """As the kit for Android with every layer is: kernels are then loops of other shapes."""
    program = tmp_path / "program"
    flags = ("-Os", "-DERNN_SMALL")
    machine.build(program, C_TESTS / "batch.c", C_TESTS / "run_batch.c", flags=flags)
    isas = machine.run(program, batch, tmp_path / "results", "run").split()
    without = {"portable"} if "neon" in MACHINES[machine] else set()
    assert set(MACHINES[machine]) - without <= set(isas)
    assert not without & set(isas)
    for isa, words in zip(isas, read_results(tmp_path / "results"), strict=True):
        assert differing(entries, words) == [], f"{isa} on {machine.name}"


@pytest.mark.parametrize(
    ("flags", "isas"), [((), ["portable"]), (("-msimd128",), ["portable", "simd128"])]
)
def test_webassembly_gives_the_bits_of_the_reference(
    flags: tuple[str, ...], isas: list[str], entries: list[Entry], batch: Path, tmp_path: Path
) -> None:
    module = build_wasm(
        tmp_path / "batch.wasm", C_TESTS / "batch.c", C_TESTS / "batch_wasm.c", flags=flags
    )
    assert wasm_isas([tool("node")], module, entries, batch, tmp_path) == isas


def test_relaxed_simd_gives_the_bits_of_the_reference(
    entries: list[Entry], batch: Path, tmp_path: Path
) -> None:
    """`relaxed`: where bytes are unsigned (x86); `relaxeddot`: where no sum saturates."""
    node = node_with_relaxed_simd()
    flags = ("-msimd128", "-mrelaxed-simd")
    module = build_wasm(
        tmp_path / "batch.wasm", C_TESTS / "batch.c", C_TESTS / "batch_wasm.c", flags=flags
    )
    isas = wasm_isas(node, module, entries, batch, tmp_path)
    assert isas[:2] == ["portable", "simd128"]
    assert isas[2:]
    assert set(isas[2:]) <= {"relaxed", "relaxeddot"}


@pytest.mark.long
@pytest.mark.parametrize(("architecture", "isa"), [("x64", "relaxed"), ("arm64", "relaxeddot")])
def test_relaxed_simd_of_a_later_node_gives_the_bits_of_the_reference(
    architecture: str, isa: str, entries: list[Entry], batch: Path, tmp_path: Path
) -> None:
    """An arm64 engine reads bytes as signed, and newer x86 has products that do not saturate."""
    node = later_node(architecture)
    flags = ("-msimd128", "-mrelaxed-simd")
    module = build_wasm(
        tmp_path / "batch.wasm", C_TESTS / "batch.c", C_TESTS / "batch_wasm.c", flags=flags
    )
    modes = MODES if architecture == "x64" else MODES[:1]
    assert isa in wasm_isas(node, module, entries, batch, tmp_path, modes=modes)


def wasm_isas(
    node: list[str],
    module: Path,
    entries: list[Entry],
    batch: Path,
    folder: Path,
    *,
    modes: Sequence[str] = MODES,
) -> list[str]:
    """The sets of kernels in a module, all of which gave the reference's bits."""
    isas: list[str] = []
    for mode in modes:
        script = C_TESTS / "run_batch.mjs"
        command: list[str | Path] = [*node, script, module, batch, folder / "results.bin", mode]
        isas = run(command).split()
        for isa, words in zip(isas, read_results(folder / "results.bin"), strict=True):
            assert differing(entries, words) == [], f"{isa}, {mode}"
    return isas


def test_the_comparison_finds_one_wrong_bit(entries: list[Entry]) -> None:
    words = [word for one in entries for word in one.expected]
    assert differing(entries, words) == []
    words[-1] ^= 1
    assert differing(entries, words) == [entries[-1].name]


def test_the_models_are_many_and_different(entries: list[Entry]) -> None:
    random = CELLS + len(WIDE) + LAYERS + IMAGES + 3 * PACKED
    assert len(entries) == random + len(TRAINED) + len(KINDS) > 200
    assert len({one.content for one in entries}) == len(entries)
    assert len({one.expected for one in entries}) == len(entries)
