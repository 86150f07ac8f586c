"""The one place that says which version this is; pyproject.toml reads it."""

from typing import Final

__version__: Final = "0.1.0"
