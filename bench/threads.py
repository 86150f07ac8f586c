"""What threads bring to a batch: `python -m bench.threads MODEL.ernn [STEPS]`.

Wall time of `Model(x)`, the fastest of many rounds in which all numbers of threads take turns.  A
machine that has other work to do shows nothing.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Final

import numpy as np

import edgernn

BATCHES: Final = (8, 32, 128)
ROUNDS: Final = 60


def main(path: str, steps: int = 100) -> None:
    """Prints a table in Markdown: a row for each batch, a column for each number of threads."""
    counts = [count for count in (1, 2, 4, 8) if count <= (os.cpu_count() or 1)]
    models = {count: edgernn.Model(path, threads=count) for count in counts}
    width = models[1].free_inputs[0].width
    print("| sequences | " + " | ".join(f"{count} threads, ms" for count in counts) + " |")
    print("|---|" + "---|" * len(counts))
    for batch in BATCHES:
        x = np.random.default_rng(0).normal(size=(batch, steps, width)).astype(np.float32)
        best = dict.fromkeys(counts, float("inf"))
        for _ in range(ROUNDS):
            for count, model in models.items():
                start = time.perf_counter()
                model(x)
                best[count] = min(best[count], time.perf_counter() - start)
        print(f"| {batch} | " + " | ".join(f"{took * 1e3:.2f}" for took in best.values()) + " |")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
