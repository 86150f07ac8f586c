"""Model files as Keras wrote them; make_golden.py tells how."""

from pathlib import Path

GOLDEN = Path(__file__).parent
