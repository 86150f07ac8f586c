"""Makes docs/benchmarks.md: `python -m bench.page RUN.json TORCH.json > docs/benchmarks.md`.

The second run is that of `make bench PEERS=torch`; it may be left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

_INTRODUCTION: Final = """# Benchmarks

This page is made by `python -m bench.page` from runs of `make bench`, whose rows are in
[benchmarks.json](benchmarks.json). Run it on your machine: ratios differ from processor to
processor. All rows of the first table are of one quiet run but those of RTNeural and of predicted
times, which ran while other programs kept the machine busy. The sections on other instruction sets
and on a processor with AVX2 alone have runs of their own, which they describe.

How it is measured:

- All programs of a row run in turn in one process, one thread each. Time is processor time of that
  process; the table shows the fastest round, and the ratio of the medians with its 95 % interval.
  A ratio above 1 means that edgernn is faster (peer ÷ ours).
- "LiteRT, our …" runs the `.tflite` file that edgernn exported; "stock" is the file of the
  TensorFlow converter. The input is resized to the batch. A model is named cell, steps, features,
  layers x units. A step of batch 1 is `Session.step` with kept arrays. The keyword spotters (100
  steps of 40 features, 128 units) are trained on made-up words; the others are not trained.
- The roofline is the least time that the integer products can take on this processor: the larger
  of multiplications (single rows, without AMX) and of reading weights, each at the best rate that
  was measured in the rounds of its row; of the wider models, whose run was earlier, at the best
  rate of another minute. Gates are not in it.
- A row without a target is for information.

What the schemes are for, where a row misses its target:

- `float16` halves the file. It is faster than float32 only where float32 weights do not fit the
  second cache: converting 16 numbers costs as much as a multiplication.
- `dynamic` has float gates. In small layers (128 units) they take a third of the time, so that
  `int8` is 1.3 to 1.4 times as fast; in large ones the two differ by 5 to 20 %. Beside LiteRT's
  `dynamic`, wide layers are mostly bound by reading: at 512 units the second cache alone gave an
  LSTM's weights in .61 ms and a GRU's in .44 in another run. The rows here have .68 and .53: an
  LSTM is near that bound, and a GRU has .09 ms of gates and of making bytes of states beside it.
- An `int8` layer whose states need 16 bits multiplies them as two planes of bytes: twice the
  products. The exporter says so when it chooses that; of these models the two layers of LSTM of 256
  units, which are not trained, have such states: they miss .75 of the roofline and 3.8 times the
  stock file for that. With 8 bits the LSTM had .71 of the roofline.
- A GRU of 650 units reads its weights at the rate of the roofline. No kernel makes its 1.29 more.
- `float32` reads four times the bytes of `int8` in each step. An LSTM of 128 units has 256 KB,
  which the second cache of this machine gives in 1.9 µs; a step takes 3.1 from C.
- In a batch of single steps (step, batch 8) Python took longer than C in this run: of 19 µs, C took
  9. Later that day calls of `Model` became shorter (see "A processor with AVX2 and no more"); the
  rows of this table were measured before that and have not been repeated.
"""


def page(record: dict[str, Any], beside_torch: dict[str, Any] | None = None) -> str:
    """The whole page in Markdown."""
    torch = f"{_TORCH}\n{_table(beside_torch)}" if beside_torch else ""
    arm = f"{_ARM}{_instructions()}{_BOUNDS}"
    parts = (_LIMITS, torch, arm, _OTHER_SETS, _AVX2_ONLY, _GROWTH, _NOT_MEASURED)
    return f"{_INTRODUCTION}\n{_table(record)}{''.join(parts)}"


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


_LIMITS: Final = """
## What a step is bound by

One step's recurrent product and gates in int8, without inputs, in cycles (2026-11-30, AVX-512 with
VNNI, median of 200 rounds in which all rows take turns, other programs running):

| | GRU 128 | LSTM 128 | GRU 256 | LSTM 256 |
|---|---|---|---|---|
| reading the weights, and nothing else | 380 | 1,090 | 3,240 | 4,320 |
| multiplying, two instructions a cycle | 384 | 512 | 1,536 | 2,048 |
| the product | 666 | 993 | 3,720 | 5,150 |
| the gates | 203 | 303 | 398 | 602 |
| product, then gates | 882 | 1,340 | 4,290 | 5,740 |
| both in one kernel | 717 | 1,120 | 3,500 | 5,000 |

With 128 units, what multiplies is busy: products, gates and requantizing take about 630 of the
GRU's 717 cycles of the two vector units, so that three quarters of a roofline without gates are out
of reach. The products of 40 features take 245 cycles a step more. With 256 units, what is left is
reading: 86 to 93 % of the time. Two layers of 256 units with 8-bit states reach .71 of the roofline
(GRU 362 of 509 µs, LSTM 489 of 684).

Whole sequences, the kernels before and now in turn in one process, the same bits, medians:

| int8 GRU, LSTM | 100 x 40 x 128 | 100 x 40, 2 x 256 | 50 x 256 x 512 | 20 x 650 x 650 | a step |
|---|---|---|---|---|---|
| times as fast | 1.22, 1.22 | 1.15, 1.09 | 1.06, 1.03 | 1.06, 1.00 | 1.10, - |

What was tried and does not help (times as fast): the product of the next units before the gates of
the ones before, GRU 1.05, LSTM .98; gates of `float32` after every four tiles .99; panels of
`float32` forward and backward in turn 1.02 to 1.05; gates of `dynamic` without divisions, by
Newton's method with the same bits, .96; AMX that multiplies a tile while the one before is finished
.95.

Tried again on 2026-11-30, old and new libraries in turn in one process from C, median times as
fast: `float16` of single rows by two panels at once, as `float32`, 1.00 to 1.01 (1 x 256, 2 x
256); `float32` weights asked for ahead within the product .88 to .94, and while the gates are
computed .97 to 1.02; `float32` panels forward and backward in turn .99 to 1.02; sums of two tiles
that AMX multiplied made narrow together .97 to 1.01. None of them stayed. A `float32` step of a
GRU of 128 units spends three quarters of its time in the recurrent product, about 1.5 µs; this
machine's second cache alone takes 1.4 µs for its 196 KB (138 GB/s).

`make bench RTNEURAL=folder` compares with RTNeural's source, compiled for this processor, from C:
on 2026-11-30, `float32` was 1.30 (GRU, .239 and .281 ms) and 1.26 times as fast (LSTM, .311 and
.391). An LSTM's 256 KB come from the second cache, which takes .6 of our time.
"""

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
The inner loop of the recurrent product against `llvm-mca` 14, which describes the Cortex-A72 and
A76 as if they were an A57:

| loop | processor | cycles | bound | share |
|---|---|---|---|---|
| 48 dot products, 24 loads of two vectors, 79 instructions | Cortex-A76 | 50.1 | 49.0 | 98 % |
| the same | Cortex-A55 | 175 | 145 | 83 % |
| armv8.0: 48 widening products, 75 instructions | Cortex-A72 | 32.1 | 32.0 | 99 % |
| the same | Cortex-A55 | 114 | 49.0 | 43 % |
| the same | Cortex-A53 | 167 | 50.0 | 30 % |

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
| the same, gates of 16 columns at a time, a quieter hour | relaxeddot | 188 µs | 182 µs | 1.03 |

The int4 GRU with AVX2 then took 1.21 to 1.24 times as long as int8; before, 1.47 to 1.49. It was
made faster again on 2026-11-30, on another machine: see the next section.
WebAssembly's SIMD has no product of bytes; relaxed SIMD has: one instruction of ARM and of x86 with
AVX-VNNI, three of other x86. Node 22 and Chrome 114 know it. The rows of Node 24 are of busier
hours than that of Node 20. Inputs of 16 bits, which an export chooses where 8 cost accuracy, are
multiplied as two planes: their products alone take 100 µs at 2.5 GHz, two of 16 bytes a cycle. In
the same hour the library without SIMD took 3,500 µs in Node, and from C 151 µs with AVX2, 100 with
AVX-VNNI and 69 with AVX-512.
"""

_AVX2_ONLY: Final = """
## A processor with AVX2 and no more

Two cores of an AMD EPYC (third generation: AVX2, no VNNI), 2026-11-30, one thread. Other programs
kept both cores busy, so the ratios count and the times do not. The models are not trained. int8
beside LiteRT on our own file, as in the table above; two runs:

| int8 | batch 1 | batch 8 |
|---|---|---|
| GRU 100 x 40 x 128 | 3.35, 2.99 | 2.85, 2.76 |
| LSTM 100 x 40 x 128 | 1.88, 1.72 | 1.95, 1.86 |
| GRU, 2 layers, 100 x 40 x 256 | 1.75, 1.99 | 1.56, 1.70 |
| LSTM, 2 layers, 100 x 40 x 256 | 1.27, 1.30 | 1.39, 1.32 |
| GRU 50 x 256 x 512 | 1.72, 1.67 | 1.76, 1.69 |
| LSTM 50 x 256 x 512 | 1.51, 1.60 | 1.69, 1.62 |
| GRU 20 x 650 x 650 | 1.28, 1.25 | 1.42, 1.40 |
| LSTM 20 x 650 x 650 | 1.24, 1.15 | 1.32, 1.34 |

None is slower than LiteRT. Below the 1.3 that we ask of a processor with VNNI are an LSTM of two
layers, whose states need 16 bits, and 650 units, where each step reads 2.5 or 3.4 MB of weights
from the third cache. Shares of the roofline (as in the first table: products and reading alone,
each at the best rate of this processor; two runs, nothing else running, fastest of 40 rounds):

| GRU, LSTM | 100 x 40 x 128 | 100 x 40, 2 x 256 | 50 x 256 x 512 | 20 x 650 x 650 |
|---|---|---|---|---|
| share | .61, .59; .48, .32 | .57, .56; .51, .52 | .75, .75; .62, .76 | .64, .72; .50, .59 |

So 650 units do not read as fast as the third cache gives: here is something left to gain, which was
not tried. States of 16 bits double the products of both LSTMs with 128 and 256 units, in the
roofline, too.

**Calls from Python.** `Model(x)` checks arrays once: a call with arrays of the types and shapes of
the last one only compares those, and one call of C points to all rows and runs them. A single
sequence goes the same way. What Python adds to a call of a GRU of 16 units fell from 13 to 15 µs to
5 at batch 8, and from 26 to 36 µs to 5 at batch 1. A step of 256 units and 64 features (two runs
before, two after; peer ÷ ours):

| `Model(x)` beside LiteRT, batch | before | now |
|---|---|---|
| GRU int8: 1, 8, 32 | .47, 1.36, 1.72; .49, 1.27, 1.76 | 1.26, 1.82, 1.89; 1.50, 1.75, 1.96 |
| LSTM int8: 1, 8, 32 | .53, 1.48, 1.73; .41, 1.18, 1.73 | 1.45, 1.75, 1.88; 1.31, 1.70, 1.91 |
| GRU `dynamic`: 1, 8, 32 | .39, .88, 1.00; .33, .80, 1.00 | .79, 1.04, 1.04; .78, 1.03, 1.08 |
| LSTM `dynamic`: 1, 8, 32 | .41, .91, 1.00; .34, .76, .99 | .89, 1.15, 1.07; .79, 1.06, 1.11 |
| GRU `float32`: 1, 8, 32 | .59, .82, .78; .60, .81, .74 | 1.14, 1.04, .76; 1.24, .99, .80 |
| LSTM `float32`: 1, 8, 32 | .75, .82, .89; .65, .84, .76 | 1.45, 1.06, .96; 1.45, 1.13, .91 |

`Session.step` of one row stayed as it was: 1.7 to 2.3 times as fast as LiteRT in int8, .94 to
1.09 in `dynamic` (1.03 to 1.18 in the runs below), 1.2 to 1.8 in `float32`. What was slower than
LiteRT after this, `dynamic` at batch 1 and `float32` at batch 32, is next.

**`dynamic` and batches of `float32`.** A step of 256 units and 64 features again, with the
kernels before and after; runs of both in turn, two each (peer ÷ ours, 40 rounds):

| `Model(x)` beside LiteRT, batch | before | now |
|---|---|---|
| GRU `dynamic`: 1, 8, 32 | .89, 1.05, 1.11; .91, 1.00, 1.20 | 1.09, 1.14, 1.12; 1.09, 1.10, 1.14 |
| LSTM `dynamic`: 1, 8, 32 | .83, 1.02, 1.04; .80, 1.05, 1.08 | 1.16, 1.20, 1.18; 1.09, 1.20, 1.30 |
| GRU `float32`: 1, 8, 32 | 1.35, .93, .82; 1.30, .99, .78 | 1.25, 1.23, .97; 1.13, 1.17, .95 |
| LSTM `float32`: 1, 8, 32 | 1.48, 1.02, .97; 1.19, 1.01, .91 | 1.51, 1.00, .99; 1.23, 1.02, .96 |
| `Session.step`, `dynamic`: GRU, LSTM | 1.15, 1.04; 1.18, 1.03 | 1.44, 1.48; 1.53, 1.44 |

The 95 % intervals are .02 to .34 wide, half of them at most .09. So `float32` at batch 32 is
beside LiteRT, not ahead: its product runs at 65 to 90 % of what the processor can multiply (a
GRU's at 5.3 of 5.9 vectors a nanosecond in the best of 60 rounds, 3.9 of 5.6 in the middle one).
An LSTM gains from C at batch 8 and not at 32; beside LiteRT neither shows. The kernel of one row
hardly changed: .96 to 1.06 times as fast from C, in ten fresh processes each. A GRU's lower ratio
at batch 1 is of other rounds.

From C, old and new library and LiteRT in turn in one process, the same bits of old and new;
medians of 40 rounds:

| `dynamic`, one sequence | times as fast as before | LiteRT ÷ before | LiteRT ÷ now |
|---|---|---|---|
| GRU, LSTM 100 x 40 x 128 | 1.39, 1.43 | 1.68, 1.48 | 2.38, 2.17 |
| GRU, LSTM, a step of 64 x 256 | 1.28, 1.40 | 1.56, 1.36 | 2.00, 1.88 |
| GRU, LSTM, 2 layers, 100 x 40 x 256 | 1.26, 1.21 | 1.32, 1.38 | 1.69, 1.66 |
| GRU, LSTM 50 x 256 x 512 | 1.37, 1.47 | .91, .82 | 1.26, 1.21 |
| GRU 20 x 650 x 650 | 1.35 | .83 | 1.12 |

| `float32` | times as fast as before |
|---|---|
| GRU, a step of 64 x 256, batch 8, 32 | 1.22, 1.26 |
| LSTM, the same | 1.17, 1.00 |
| GRU, LSTM 100 x 40 x 128, batch 32 | 1.26, 1.05 |

Why: states of `dynamic` were widened to words, twice the products of int8; now magnitudes of
bytes are multiplied with weights that have the states' signs, which is exact. Gates compute the
powers of several vectors side by side, for each of their operations waits for the one before. A
`float32` batch reads each weight once for two or three rows, in blocks that fit the first cache.
Wide layers of `dynamic` stay below the 1.5 that we ask of a processor with VNNI, and batches of
steps do; where their time goes was not measured.

What brought little or nothing, in `float32` (times as fast): one row of a GRU with two panels at
once, .96 to 1.01 (128 units) and .99 to 1.08 (256); weights asked for ahead .98 to 1.05; in a
GRU's batches four rows times three vectors .91 to 1.15 and six times two .69 to 1.04, where two
times six had 1.11 to 1.25.

**`float32` keyword spotters at batch 1**, ours from C (peer ÷ ours, three runs): RTNeural,
compiled for this processor, 1.27, 1.35, 1.35 (GRU) and 1.12, 1.47, 1.39 (LSTM); ONNX Runtime 1.9,
2.1, 2.1 and 1.5, 1.8, 1.9. The target of 1.5 beside RTNeural is not met, and these changes hardly
moved it. A step reads 196 or 256 KB of weights from the second cache, at 1.95 to 2.0 vectors a
nanosecond in quiet moments; reading and nothing else has 2.3 to 2.6.

**Shapes in turn.** A session keeps what it knows of the arrays of its last four shapes.
`Model(x)` of a GRU of 16 units whose calls took two to four shapes in turn needed 44 to 56 µs
each, now 6.6 to 7.2; with one shape it needs 5.6.

**int4.** Inputs of 16 bits were multiplied as two planes of bytes; now the weights are unpacked to
words, and eight rows share that. A row's sum of bytes takes one instruction for 16 bytes. Sequences
from C, old and new library in turn in one process, the same bits; median of 80 rounds, in brackets
the middle half:

| int4 | times as long as int8, before | now | times as fast as before |
|---|---|---|---|
| GRU 100 x 40 x 128 | 1.41 [1.33, 1.46] | 1.16 [1.11, 1.21] | 1.23 |
| LSTM 100 x 40 x 128 | 1.45 [1.41, 1.53] | 1.20 [1.14, 1.26] | 1.22 |
| GRU 20 x 40 x 64 | 1.37 [1.24, 1.54] | 1.15 [1.03, 1.25] | 1.22 |
| GRU 50 x 64 x 256 | 1.19 [1.15, 1.22] | 1.05 [1.02, 1.09] | 1.12 |

What did not help: two tiles at once instead of four in the recurrent product of one row, .94 to .99
times as fast. What is left is unpacking: 15 instructions for 128 weights, where int8 has 12.
"""

_GROWTH: Final = """
## Start and memory

On the processor of the last section, 2026-11-30, least of 15 processes, two runs: after `import
numpy`, importing the runtime and opening an int8 GRU of 128 units takes 22 and 25 ms (limit 25; the
median 35, with compiled Python modules; 32 before zipfile, tomllib and difflib were left out). A
float32 file of 41.6 MB opens by mapping in 9 and 10 ms (limit 30; median 11 and 13), its checksum
included. Tests hold the rest: no call needs more than 8 KB of stack, the layers of one instruction
set have at most 60 KB of code on ARM64, and a freestanding build has nothing that could allocate
(`tests/edgernn/runtime/test_c_quality.py`).

## Growth

Taken by hand on the machine of the first table on 2026-11-29, from C: an int8 GRU, fastest of 100
rounds, the best instruction set.

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
## Threads

What two threads bring (`python -m bench.threads`, the AMD processor above with nothing else
running, 2026-11-30, int8 GRU 100 x 40 x 128, fastest of 60 rounds): 8 sequences in .62 ms in place
of .95, 32 in 2.19 in place of 4.08, 128 in 8.58 in place of 14.3.

## Not measured

OpenVINO, PyTorch's own runtimes and ncnn (not installed); smmla (i8mm), of which only the bits are
tested.
"""


if __name__ == "__main__":
    sys.stdout.write(page(*(json.loads(Path(name).read_text()) for name in sys.argv[1:])))
