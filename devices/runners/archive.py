"""The payload as one file that any Python can run: `python payload.pyz request.json`.

With two numbers in place of the file it serves many requests: they are the descriptors of a pipe
that it reads requests from, and of one for its replies.
"""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path
from typing import Final

NAME: Final = "payload.pyz"
_PACKAGE: Final = "edgernn_payload"
_MAIN: Final = f"""import sys
from {_PACKAGE}.process import main, serve
if len(sys.argv) == 2:
    main(sys.argv[1])
else:
    serve(*map(int, sys.argv[1:]))
"""
#: zip's epoch: the archive depends on its content only, so a cache can be keyed by its hash.
_DATE: Final = (1980, 1, 1, 0, 0, 0)


@cache
def payload_archive() -> bytes:
    """The package `payload` as a zip with a `__main__`; the same bytes for the same sources."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _DATE), _MAIN)
        for source in sorted((Path(__file__).parent / "payload").glob("*.py")):
            entry = zipfile.ZipInfo(f"{_PACKAGE}/{source.name}", _DATE)
            archive.writestr(entry, source.read_bytes())
    return content.getvalue()
