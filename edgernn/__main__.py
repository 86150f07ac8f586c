"""`python -m edgernn` and the console script."""

from __future__ import annotations

from edgernn.cli import main

if __name__ == "__main__":
    main()
