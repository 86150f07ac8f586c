"""Reads models whose paths come on stdin, in 1 GB of memory; answers each with one line of JSON.

What is no error of edgernn's own, MemoryError included, ends the child with a traceback.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from edgernn.errors import EdgernnError
from edgernn.export.keras.file import read_model

MEMORY_BYTES = 1 << 30


def answer(path: Path) -> dict[str, object]:
    try:
        told: dict[str, object] = {"outputs": len(read_model(path).graph.outputs)}
    except EdgernnError as error:
        told = {"refused": str(error)}
    return {**told, "limit_bytes": resource.getrlimit(resource.RLIMIT_AS)[0]}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(Path(line.rstrip("\n")))) + "\n")
        sys.stdout.flush()
