"""Counts what steps of some models execute on emulated ARM: `make record-instructions`.

Counts repeat exactly, unlike time under an emulator.  They are no latencies: they show that a
change made a kernel do more or less.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgernn.export.native import lower
from edgernn.graph import Graph
from tests.edgernn.runtime.models import cell, graph_of, random_recurrent_plan, with_plans
from tests.edgernn.runtime.toolchain import (
    ARMV7,
    C_TESTS,
    CORTEX_A72,
    CORTEX_A76,
    Machine,
    run,
    tool,
)
from tests.golden import GOLDEN

RECORDED: Final = GOLDEN / "arm_instructions.json"
STEPS: Final = 64  # as count_steps.c

#: Where steps are counted: a name, the processor and its instruction set.
_RUNS: Final = {
    "neon": (CORTEX_A72, "neon"),
    "neondot": (CORTEX_A76, "neondot"),
    "armv7 neon": (ARMV7, "neon"),
    "armv7 portable": (ARMV7, "portable"),
}


def _integer(kind: str, features: int, units: int, bits: int) -> Graph:
    rng = np.random.default_rng(units)
    layer = cell(kind, rng, units=units, features=features)
    plan = random_recurrent_plan(layer, rng, bits=bits, state_bits=8)
    return with_plans(graph_of(layer, features=features), cell=plan)


def _float(kind: str, features: int, units: int) -> Graph:
    layer = cell(kind, np.random.default_rng(units), units=units, features=features)
    return graph_of(layer, features=features)


def models() -> dict[str, Graph]:
    return {
        "gru 40x128 i8": _integer("gru", 40, 128, 8),
        "gru 40x128 x16h8": _integer("gru", 40, 128, 16),
        "lstm 40x128 i8": _integer("lstm", 40, 128, 8),
        "gru 64x256 i8": _integer("gru", 64, 256, 8),
        "gru 40x128 float32": _float("gru", 40, 128),
    }


def compiler() -> str:
    """Counts belong to a compiler: another one gives others."""
    version = re.search(r"clang version (\d+)", run([tool("clang"), "--version"]))
    assert version is not None
    return f"clang {version[1]}"


def count(folder: Path) -> dict[str, dict[str, int]]:
    """Executed instructions per step, by where and model."""
    plugin = folder / "count_instructions.so"
    run([tool("gcc"), "-shared", "-fPIC", "-O2", C_TESTS / "count_instructions.c", "-o", plugin])
    programs = {
        machine.target: machine.build(folder / str(machine.target), C_TESTS / "count_steps.c")
        for machine in (CORTEX_A72, ARMV7)
    }
    counts: dict[str, dict[str, int]] = {where: {} for where in _RUNS}
    for name, graph in models().items():
        path = folder / "model.ernn"
        path.write_bytes(lower(graph, metadata={}).content)
        for where, (machine, isa) in _RUNS.items():
            counts[where][name] = _counted(plugin, machine, programs[machine.target], path, isa)
    return counts


def _counted(plugin: Path, machine: Machine, program: Path, model: Path, isa: str) -> int:
    emulator: list[str | Path] = [tool(machine.emulator[0]), *machine.emulator[1:]]
    command = [*emulator, "-plugin", plugin, program, model, isa]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stderr.split()[-1]) // STEPS


def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RECORDED.read_text())
    return content


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        counts = {"compiler": compiler(), "instructions_per_step": count(Path(folder))}
    text = json.dumps(counts, indent=2) + "\n"
    RECORDED.write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
