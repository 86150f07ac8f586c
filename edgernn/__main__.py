"""`python -m edgernn` and the console script."""

from __future__ import annotations

import sys

from edgernn.interrupts import INTERRUPTED, INTERRUPTED_MESSAGE


def main() -> None:
    """Runs the command line; a Ctrl-C while its modules are imported is one line, too."""
    try:
        from edgernn.cli import main as command_line
    except KeyboardInterrupt:
        print(INTERRUPTED_MESSAGE, file=sys.stderr)
        sys.exit(INTERRUPTED)
    command_line()


if __name__ == "__main__":
    main()
