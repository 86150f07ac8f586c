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
    since = _SINCE if record["date"] == _SINCE_RUN_OF else ""
    arm = f"{_ARM}{_instructions()}{_BOUNDS}"
    return f"{_INTRODUCTION}\n{_table(record)}{torch}{arm}{since}{_NOT_MEASURED}"


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


_BOUNDS: Final = """
The inner loop of the recurrent product (48 dot products, 24 loads of two vectors, 79 instructions)
against `llvm-mca` 14: Cortex-A76 50.1 cycles, its bound 49.0; Cortex-A55 175 cycles, its bound 145.
The rest of a keyword step is gates (1,417 of 13,946 instructions), requantizing, and copies of
inputs, states and outputs.
"""


#: Taken by hand; a later run of `make bench` has no need of it.
_SINCE_RUN_OF: Final = "2026-11-29T10:12:21+00:00"
_SINCE: Final = """
## Since that run

Kernels of x86 and WebAssembly changed after the run above. Old and new kernels ran in turn in one
process, called from C, on the same machine while other programs kept it busy (2026-11-29; fastest
of 400 rounds, the median ratio of the pairs and the middle 80 % of ratios):

| work | instruction set | before | now | ratio | |
|---|---|---|---|---|---|
| GRU 100 x 40 x 128 | avx512vnni | 63.7 µs | 57.4 µs | 1.11 | [1.03, 1.27] |
| GRU 100 x 40 x 128 | avxvnni | 117.2 µs (avx2) | 82.2 µs | 1.43 | fastest rounds |
| one step 40 x 128 | avx512vnni | 1.01 µs | 0.95 µs | 1.07 | [0.97, 1.18] |
| 8 GRUs of 20 x 64 x 256 | avx512vnni | 214 µs | 191 µs | 1.09 | [0.97, 1.43] |
| LSTM 100 x 40 x 128 | avx512vnni | 74.5 µs | 71.0 µs | 1.03 | [0.93, 1.12] |
| GRU 100 x 40 x 128, Node 20 | simd128 | 468 µs | 416 µs | 1.12 | fastest of 150 rounds |

A call of a model with 8 sequences of one step (64 x 256) from Python took 23.3 µs and takes 14.4
µs, of which C takes 8.

WebAssembly has no product of bytes: 16 products take two instructions that widen weights, two that
multiply and two that add. A processor with three vector units needs two cycles for them, which is
310 µs for this GRU at 2.6 GHz. Relaxed SIMD has such products: one instruction of ARM and of x86
with AVX-VNNI, three of other x86. Node 22 and Chrome 114 know it.

Growth from C (int8 GRU, fastest of 100 rounds, best instruction set):

| steps, 40 x 128 | 1 | 10 | 100 | 1000 |
|---|---|---|---|---|
| µs | 1.05 | 6.47 | 59.6 | 590 |

| units, 20 steps of 40 | 64 | 128 | 256 | 512 | 1024 |
|---|---|---|---|---|---|
| µs | 5.35 | 15.5 | 45.5 | 157 | 1,427 |

| sequences side by side, 20 x 40 x 128 | 1 | 2 | 4 | 8 | 16 | 32 |
|---|---|---|---|---|---|---|
| µs | 11.6 | 20.6 | 32.9 | 61.7 | 97.3 | 187 |

With 1024 units the weights (3.3 MB) no longer fit the second cache.
"""

_NOT_MEASURED: Final = """
## Not measured

OpenVINO, RTNeural, PyTorch's own runtimes and ncnn (not installed); two threads; smmla (i8mm), of
which only the bits are tested.
"""


if __name__ == "__main__":
    sys.stdout.write(page(*(json.loads(Path(name).read_text()) for name in sys.argv[1:])))
