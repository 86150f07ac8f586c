"""Runs every file in every runtime and records the answers: `make consumers`."""

from __future__ import annotations

import sys
from pathlib import Path

from edgernn.export import consumers
from tests.consumers.matrix import files, measured
from tests.consumers.runtimes import RUNTIMES


def main() -> None:
    missing = [reason for runtime in RUNTIMES if (reason := runtime.missing())]
    if missing:
        sys.exit("; ".join(missing))
    record = measured(list(files()), RUNTIMES)
    target = Path(consumers.__file__).with_name(consumers.FILE)
    target.write_text(consumers.as_json(record), encoding="utf-8")


if __name__ == "__main__":
    main()
