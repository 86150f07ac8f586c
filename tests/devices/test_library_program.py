"""What is done on this machine before a phone is given a library."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgernn.devices.runners.elf import SharedObject
from edgernn.devices.runners.library_program import kept
from edgernn.devices.runners.user_libraries import Library


def test_several_phones_may_be_given_one_library_at_once(monkeypatch, tmp_path):
    about = SharedObject(abi="arm64-v8a", symbols=frozenset(), needed=())
    library = Library(name="libx.so", about=about, content=b"library", digest="123")
    monkeypatch.setenv("EDGERNN_CACHE", str(tmp_path))
    both_have_written = threading.Barrier(2)
    write = Path.write_bytes

    def write_and_wait(path, content):
        size = write(path, content)
        both_have_written.wait(timeout=30)
        return size

    monkeypatch.setattr(Path, "write_bytes", write_and_wait)
    with ThreadPoolExecutor(2) as phones:
        paths = list(phones.map(kept, [library] * 2))
    for path in paths:
        assert path.read_bytes() == b"library"
        assert [file.name for file in path.parent.iterdir()] == ["libx.so"]
