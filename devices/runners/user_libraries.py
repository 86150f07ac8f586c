"""The runtimes that a user gives for devices without Python: an AAR, a folder of .so files, a .so.

The symbols and the ELF header of a library identify the runtime and the processor, since users may
rename files.
"""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from edgernn.devices.runners.elf import SharedObject, shared_object
from edgernn.devices.runners.outcome import Skipped

#: Back end -> a function that only libraries of its runtime export, and an example to give.
SYMBOLS: Final = {"onnx": "OrtGetApiBase", "tflite": "TfLiteModelCreateFromFile"}
EXAMPLES: Final = {"onnx": "onnxruntime-android.aar", "tflite": "tensorflow-lite.aar"}
#: A function of LiteRT, TensorFlow Lite's successor, which has another interface.
_LITERT: Final = "LiteRtCreateEnvironment"
_KNOWN: Final = (*SYMBOLS.values(), _LITERT)
#: A runtime has tens of megabytes; a larger archive is no runtime, or a zip bomb.
MOST_BYTES: Final = 1 << 30
#: Exceptions of zipfile for an entry that is damaged, encrypted, or compressed in an unknown way.
_UNREADABLE: Final = (RuntimeError, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A shared library and the libraries that it depends on."""

    name: str
    about: SharedObject
    content: bytes = field(repr=False)
    digest: str
    companions: tuple[Library, ...] = ()


def found_library(paths: Sequence[Path], backend: str, abis: Sequence[str]) -> Library | Skipped:
    """The runtime for a back end's files among `paths`, for the first of the ABIs that has one.

    If there is none: Skipped, with an example of a runtime to give.
    """
    wanted = f"give --android-runtime {EXAMPLES[backend]} (see docs/android.md)"
    if not paths:
        return Skipped(reason=wanted)
    try:
        every = [one for path in paths for one in _libraries(path, path.stat().st_mtime_ns)]
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        return Skipped(reason=f"--android-runtime takes an AAR, a folder or a .so file: {error}")
    named = ", ".join(path.name for path in paths)
    fitting = [library for library in every if SYMBOLS[backend] in library.about.symbols]
    for abi in abis:
        for library in fitting:
            if library.about.abi == abi:
                return library
    if fitting:
        theirs = ", ".join(sorted({library.about.abi for library in fitting}))
        return Skipped(reason=f"{named} is for {theirs}, the device for {', '.join(abis)}")
    if backend == "tflite" and any(_LITERT in library.about.symbols for library in every):
        return Skipped(
            reason=f"{named} has LiteRT's own interface, and not TensorFlow Lite's C interface: "
            "give org.tensorflow:tensorflow-lite, or --benchmark-model (see docs/android.md)"
        )
    return Skipped(reason=f"there is no {SYMBOLS[backend]} in {named}: {wanted}")


@lru_cache(maxsize=16)
def _libraries(path: Path, _changed_ns: int) -> tuple[Library, ...]:
    """The runtimes in it.  Raises OSError, BadZipFile or ValueError if it cannot be read."""
    found: list[Library] = []
    total_bytes = 0
    for name, size_bytes, read in _files(path):
        total_bytes += size_bytes
        if total_bytes > MOST_BYTES:
            raise ValueError(f"the libraries in {path} have more than {MOST_BYTES} bytes")
        content = read()
        about = shared_object(content, _KNOWN)
        if about is not None:
            digest = hashlib.sha256(content).hexdigest()
            found.append(Library(name=name, about=about, content=content, digest=digest))
    return tuple(_with_companions(library, found) for library in found if library.about.symbols)


def _with_companions(library: Library, among: Sequence[Library]) -> Library:
    """The library with its dependencies and theirs."""
    there = {other.name: other for other in among if other.about.abi == library.about.abi}
    companions: dict[str, Library] = {}
    wanted = list(library.about.needed)
    while wanted:
        name = wanted.pop()
        if name in there and name != library.name and name not in companions:
            companions[name] = there[name]
            wanted += there[name].about.needed
    return replace(library, companions=tuple(companions.values()))


def _files(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """The name and size of each file, and a function that reads it."""
    if path.is_dir():
        for file in sorted(path.rglob("*.so*")):
            if file.is_file():
                yield file.name, file.stat().st_size, file.read_bytes
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".so"):
                    name = Path(entry.filename).name
                    yield name, entry.file_size, partial(_unpacked, archive, entry)
    else:
        with path.open("rb") as content:
            if content.read(4) != b"\x7fELF":
                raise ValueError(f"{path} is none of these")
        yield path.name, path.stat().st_size, path.read_bytes


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except _UNREADABLE as error:
        raise ValueError(
            f"{entry.filename} in {archive.filename} is unreadable: {error}"
        ) from error
