"""Listens on a Raspberry Pi: prints each word, and runs a command for it.

arecord -t raw -f S16_LE -r 16000 | python listen.py words.ernn yes='echo lights on'
"""

import subprocess
import sys

import numpy as np

from edgernn import Model
from edgernn.runtime.listening import Listener

RATE_HZ = 16_000
CHUNK_BYTES = 3_200  # a tenth of a second


def main() -> None:
    path, *rest = sys.argv[1:] or [""]
    if not path or not all("=" in word for word in rest):
        sys.exit("usage: listen.py MODEL.ernn [WORD=COMMAND ...] < 16-bit samples")
    model = Model(path)
    commands = dict(word.split("=", maxsplit=1) for word in rest)
    unknown = commands.keys() - set(model.labels)
    if unknown:
        sys.exit(f"error: no such word: {', '.join(sorted(unknown))}; the model has {model.labels}")
    listener = Listener(model=model, rate_hz=RATE_HZ)
    while chunk := sys.stdin.buffer.read(CHUNK_BYTES):
        for heard in listener.feed(np.frombuffer(chunk[: len(chunk) // 2 * 2], np.int16)):
            print(f"{heard.seconds:.1f} s  {heard.label}  {heard.score:.0%}", flush=True)
            if heard.label in commands:
                subprocess.run(commands[heard.label], shell=True, check=False)


if __name__ == "__main__":
    main()
