"""Libraries of C++ code are imported whole, before a format's work: Ctrl-C waits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgernn.export.backend import Backend, Lowered
from edgernn.formats import FORMATS

MODEL = Path(__file__).parents[1] / "golden/small_gru.keras"

LOWERED_AFTERWARDS = """
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from edgernn.export import backend_named
from edgernn.export.keras.file import read_model

def extensions():
    files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    return {name for name, file in files.items() if file.endswith(tuple(EXTENSION_SUFFIXES))}

graph = read_model(Path(sys.argv[2])).graph
backend = backend_named(sys.argv[1])
backend.import_library()
before = extensions()
backend.lower(graph, metadata={})
print(*sorted(extensions() - before))
"""


def unused(*_: object, **__: object) -> Lowered:
    raise NotImplementedError


def test_ctrl_c_in_the_import_of_a_library_waits_for_its_end(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "interrupted_library", raising=False)
    (tmp_path / "interrupted_library.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nWHOLE = True\n"
    )
    backend = Backend(lower=unused, read_contents=unused, library="interrupted_library")  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        backend.import_library()
    assert sys.modules["interrupted_library"].WHOLE


@pytest.mark.parametrize("name", FORMATS)
def test_no_back_end_imports_compiled_code_while_it_writes(name):
    script = [sys.executable, "-c", LOWERED_AFTERWARDS, name, str(MODEL)]
    ran = subprocess.run(script, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
