"""From a Keras model to checked artefacts: read, (calibrate, quantize,) lower, verify, write.

The formats are rows of `edgernn.formats`; each names its back end, a `backend.Backend`.
"""

from __future__ import annotations

from pkgutil import resolve_name

from edgernn.export.backend import Backend
from edgernn.formats import format_named


def backend_named(name: str) -> Backend:
    """The back end of the format `name`, imported now: each brings a library of its own.

    Raises ValueError for a name that no format has.
    """
    backend = resolve_name(format_named(name).backend)
    if not isinstance(backend, Backend):
        raise TypeError(f"the back end of the format '{name}' is {backend!r}, not a Backend")
    return backend
