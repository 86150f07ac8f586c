"""Makes docs/benchmarks.md: `python -m bench.page RUN.json TORCH.json > docs/benchmarks.md`.

The second run is that of `make bench PEERS=torch`; it may be left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

_INTRODUCTION: Final = """# Benchmarks

This page is made by `python -m bench.page` from one run of `make bench`, whose rows are in
[benchmarks.json](benchmarks.json). Run it on your machine: ratios differ from processor to
processor. While this run was made, other programs kept the machine busy; intervals are wide.

How it is measured:

- All programs of a row run in turn in one process, one thread each. Time is processor time of that
  process; the table shows the fastest round, and the ratio of the medians with its 95 % interval.
  A ratio above 1 means that edgernn is faster (peer ÷ ours).
- "LiteRT, our …" runs the `.tflite` file that edgernn exported; "stock" is the file of the
  TensorFlow converter. The input is resized to the batch. A model is named cell, steps, features,
  layers x units. A step of batch 1 is `Session.step` with kept arrays.
- The roofline is the least time that the integer products can take on this processor: the larger
  of multiplications and reading of weights, each at its measured peak.
- A row without a target is for information.

What the schemes are for, where a row misses its target:

- `float16` halves the file. It is faster than float32 only where float32 weights do not fit the
  second cache: converting 16 numbers costs as much as a multiplication.
- `dynamic` has float gates. In small layers (128 units) they take a third of the time, so that
  `int8` is 1.4 to 1.5 times as fast; in large ones the two differ by 10 to 25 %.
- In a batch of single steps (step, batch 8) Python takes longer than C: 15 of 27 µs.
"""


def page(record: dict[str, Any], beside_torch: dict[str, Any] | None = None) -> str:
    """The whole page in Markdown."""
    torch = f"{_TORCH}\n{_table(beside_torch)}" if beside_torch else ""
    return f"{_INTRODUCTION}\n{_table(record)}{torch}{_ARM}{_instructions()}{_REST}"


def _table(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        f"Machine: {record['processor']}, {', '.join(record['instruction_sets'])}.  ",
        f"Date: {record['date'][:10]}. Versions: {versions}.\n",
        "| what | ours | peer or limit | ratio | interval | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        low_high = "[{:.2f}, {:.2f}]".format(*row["interval"]) if row["interval"] else ""
        target = f"{row['target']:.2f}" if row["target"] else ""
        met = ("met" if row["met"] else "**not met**") if row["target"] else ""
        cells = [
            row["name"],
            row["ours"],
            row["peer"],
            f"{row['ratio']:.2f}",
            low_high,
            target,
            met,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


_TORCH: Final = """
## Beside litert-torch

`make bench PEERS=torch` installs PyTorch and litert-torch into an environment of their own
(`build/litert-torch`, several gigabytes), trains a keyword spotter in PyTorch (100 steps of 40
features, GRU of 128 units, 12 made-up words), and lets both write it in 8 bits: edgernn from the
`.pt2` file, litert-torch from the module, with the same rows for calibration. LiteRT runs both; a
peer that takes bytes is given bytes. `bench/litert-torch.txt` has the versions. litert-torch writes
every step as operators of its own, so its file grows with the sequence.
"""


_COUNTS: Final = Path(__file__).parents[1] / "tests/golden/arm_instructions.json"

_ARM: Final = """
## ARM

No ARM board was measured. `tests/golden/arm_instructions.json` holds the instructions that a step
executes under emulation, and a test compares them with each change. In `i8` inputs have 8 bits, in
`x16h8` 16:

| step | armv8.0 (Cortex-A72) | with dot products (Cortex-A76) | armv7, NEON | armv7, portable C |
|---|---|---|---|---|
"""


def _instructions() -> str:
    """Rows of the table."""
    counts = json.loads(_COUNTS.read_text())["instructions_per_step"]
    columns = ("neon", "neondot", "armv7 neon", "armv7 portable")
    rows = [
        " | ".join([f"| {name}", *(f"{counts[where][name]:,}" for where in columns)]) + " |"
        for name in counts["neon"]
    ]
    return "\n".join(rows) + "\n"


_REST: Final = """
## Not measured

OpenVINO, RTNeural, PyTorch's own runtimes and ncnn (not installed), two threads, smmla (i8mm),
AVX-VNNI of 256 bits, growth over T and H.
"""


if __name__ == "__main__":
    sys.stdout.write(page(*(json.loads(Path(name).read_text()) for name in sys.argv[1:])))
