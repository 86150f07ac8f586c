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
processor.

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
- `dynamic` has float gates. In small layers (128 units) they take a fifth of the time, so that
  `int8` is 1.2 to 1.3 times as fast; in large ones the two differ by 10 to 25 %.
- An `int8` layer whose states need 16 bits multiplies them as two planes of bytes: twice the
  products. The exporter says so when it chooses that; of these models, which are not trained, the
  LSTMs of 128 and of 256 units have such layers.
- `float32` reads four times the bytes of `int8` in each step. An LSTM of 128 units has 256 KB,
  which the second cache of this machine gives in 1.9 µs; a step takes 2.9.
- In a batch of single steps (step, batch 8) Python takes longer than C.
"""


def page(record: dict[str, Any], beside_torch: dict[str, Any] | None = None) -> str:
    """The whole page in Markdown."""
    torch = f"{_TORCH}\n{_table(beside_torch)}" if beside_torch else ""
    arm = f"{_ARM}{_instructions()}{_BOUNDS}"
    return f"{_INTRODUCTION}\n{_table(record)}{torch}{arm}{_OTHER_SETS}{_GROWTH}{_NOT_MEASURED}"


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


_OTHER_SETS: Final = """
## Other instruction sets

The run above takes the best instruction set of its machine. Of others, old and new kernels ran in
turn in one process, on the same machine while other programs kept it busy (2026-11-29; fastest of
60 to 150 rounds each):

| work | instruction set | before | now | ratio |
|---|---|---|---|---|
| int4 GRU 100 x 40 x 128 | avx2 | 224 µs | 184 µs | 1.21 |
| int8 GRU 100 x 40 x 128 | avxvnni | 117 µs (avx2) | 82 µs | 1.43 |
| int8 GRU 100 x 40 x 128, Node 20 | simd128 | 468 µs | 416 µs | 1.12 |
| int8 GRU 100 x 40 x 128, Node 24 | simd128, relaxeddot | 540 µs | 227 µs | 2.41 |
| int8 GRU 100 x 40 x 128, Node 24 without AVX-VNNI | simd128, relaxed | 570 µs | 372 µs | 1.53 |
| the same of 8-bit inputs, Node 24, 2026-11-30 | relaxeddot | 239 µs | 175 µs | 1.36 |
| the same of 16-bit inputs, Node 24, 2026-11-30 | relaxeddot | 206 µs | 195 µs | 1.06 |

The int4 GRU with AVX2 now takes 1.21 to 1.24 times as long as int8; before, 1.47 to 1.49.
WebAssembly's SIMD has no product of bytes; relaxed SIMD has: one instruction of ARM and of x86 with
AVX-VNNI, three of other x86. Node 22 and Chrome 114 know it. The rows of Node 24 are of a busier
hour than that of Node 20. Inputs of 16 bits, which an export chooses where 8 cost accuracy, are
multiplied as two planes: their products alone take 100 µs at 2.5 GHz, two of 16 bytes a cycle. In
the same hour the library without SIMD took 3,500 µs in Node, and from C 151 µs with AVX2, 100 with
AVX-VNNI and 69 with AVX-512.
"""

_GROWTH: Final = """
## Growth

Taken by hand on the same machine on 2026-11-29, from C: an int8 GRU, fastest of 100 rounds, the
best instruction set.

| steps, 40 x 128 | 1 | 10 | 100 | 1000 |
|---|---|---|---|---|
| µs | 1.05 | 6.47 | 59.6 | 590 |

| units, 20 steps of 40 | 64 | 128 | 256 | 512 | 1024 |
|---|---|---|---|---|---|
| µs | 5.35 | 15.5 | 45.5 | 157 | 1,427 |

| sequences side by side, 20 x 40 x 128 | 1 | 2 | 4 | 8 | 16 | 32 |
|---|---|---|---|---|---|---|
| µs | 11.6 | 20.6 | 32.9 | 61.7 | 97.3 | 187 |

With 1024 units the weights (3.3 MB) no longer fit the second cache. `python -m bench.threads
MODEL.ernn` shows what threads bring to a batch on a machine that has nothing else to do.

WebAssembly has no product of bytes: 16 products take two instructions that widen weights, two that
multiply and two that add. A processor with three vector units needs two cycles for them, which is
310 µs for a GRU of 100 steps of 40 with 128 units at 2.6 GHz; Node 20 takes 416. `relaxed-simd` has
such a product; Node 20 does not run it without a flag.
"""

_NOT_MEASURED: Final = """
## Not measured

OpenVINO, RTNeural, PyTorch's own runtimes and ncnn (not installed); what two threads bring to a
batch, and smmla (i8mm): of these only the bits are tested.
"""


if __name__ == "__main__":
    sys.stdout.write(page(*(json.loads(Path(name).read_text()) for name in sys.argv[1:])))
