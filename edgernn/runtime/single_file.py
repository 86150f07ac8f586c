"""The C library as one source file and one header, with what CMake and pkg-config need.

    python -m edgernn.runtime.single_file DIR [MODEL.ernn ...]

With models, the library holds only the layers that these need.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from edgernn.atomic import staged_together
from edgernn.errors import EdgernnError, ModelFileError
from edgernn.regular_file import read_bytes

_RUNTIME: Final = Path(__file__).parent
_SOURCES: Final = _RUNTIME / "c"
_EMBED: Final = _RUNTIME / "embed"

_LOCAL: Final = re.compile(r'\s*#\s*include "([^"]+)"')
_OPENS: Final = re.compile(r"\s*#\s*if")
_CLOSES: Final = re.compile(r"\s*#\s*endif")
_PUBLIC: Final = "ernn.h"
_FEATURES: Final = 16  # in the header
_LEFT_OUT: Final = {
    "ERNN_WITHOUT_IMAGES": 4,
    "ERNN_WITHOUT_SOUND": 16 | 512,
    "ERNN_WITHOUT_NIBBLES": 128,
    "ERNN_WITHOUT_TEXT": 256,
}  # without these features
#: They open files, make sessions and count steps.
_COLD: Final = {
    *("ernn_arena", "ernn_open", "ernn_model", "ernn_steps", "ernn_isa"),
    *("ernn_check_constants", "ernn_check_layers", "ernn_check_recurrent", "ernn_check_shaping"),
    "ernn_check_sound",
}
_OP_BYTES: Final = 128
_OP_TABLE: Final = 28  # in the header: how many, and where the first is


def write_single_file(folder: Path, *, models: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Writes `ernn.c`, `ernn.h`, `CMakeLists.txt` and `ernn.pc.in` into `folder`.

    `models`: .ernn files; the library will refuse models with other layers than theirs, and its
    code is smaller; front ends and layers of images are left out where no model has them.
    Returns the paths written.  Raises ModelFileError for a file that is no .ernn.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_single_file(Path(folder))]
    ['ernn.c', 'ernn.h', 'CMakeLists.txt', 'ernn.pc.in']
    """
    files = {
        "ernn.c": _joined(_macros_for(models)),
        _PUBLIC: (_SOURCES / _PUBLIC).read_text("utf-8"),
    }
    for name in ("CMakeLists.txt", "ernn.pc.in"):
        files[name] = (_EMBED / name).read_text("utf-8")
    paths = tuple(folder / name for name in files)
    with staged_together(paths) as temporary:
        for path, text in zip(temporary, files.values(), strict=True):
            path.write_bytes(text.encode())
    return paths


def _macros_for(models: Sequence[Path]) -> list[str]:
    """What leaves out all that these models do not need; nothing without models."""
    if not models:
        return []
    needed = [_needs_of(model) for model in models]
    layers = {layer for names, _ in needed for layer in names}
    features = [words for _, words in needed]
    left_out = [name for name, bit in _LEFT_OUT.items() if not any(f & bit for f in features)]
    return [*sorted(f"ERNN_ONLY_{layer}" for layer in layers), *left_out]


def _joined(macros: Iterable[str]) -> str:
    lines = [
        "/* ernn.c: the ernn library in one file, made from its sources by edgernn.",
        " * C99; no flags but -O2; programs include ernn.h. */",
        *(f"#ifndef {macro}\n#define {macro} 1\n#endif" for macro in macros),
        # As ernn_threads.c does, but before any header of the system.
        "#if defined(ERNN_THREADS) && defined(__STRICT_ANSI__) && !defined(__APPLE__)",
        "#ifndef _POSIX_C_SOURCE",
        "#define _POSIX_C_SOURCE 200809L",
        "#endif",
        "#endif",
        # Of the headers' small functions, each processor's kernels use some.
        "#if defined(__clang__)",
        '#pragma clang diagnostic ignored "-Wunused-function"',
        "#endif",
        f'#include "{_PUBLIC}"',
    ]
    seen = {_PUBLIC}
    for source in sorted(_SOURCES.glob("*.c")):
        code = _expanded(source, seen, depth=0)
        lines += ["", *(_in_few_bytes(code) if source.stem in _COLD else code)]
    return "\n".join(lines) + "\n"


def _in_few_bytes(code: Iterable[str]) -> Iterator[str]:
    """Code outside of layers: with ERNN_SMALL as short as clang makes it on ARM and in wasm.

    Kits for x86 are short throughout.
    """
    processors = "(defined(__aarch64__) || defined(__arm__) || defined(__wasm__))"
    condition = f"#if defined(ERNN_SMALL) && defined(__clang__) && {processors}"
    yield condition
    yield "#pragma clang attribute push(__attribute__((minsize)), apply_to = function)"
    yield "#endif"
    yield from code
    yield condition
    yield "#pragma clang attribute pop"
    yield "#endif"


def _expanded(path: Path, seen: set[str], *, depth: int) -> Iterator[str]:
    """The lines of `path`, with the library's headers in place of their #include.

    A header stands once, and again wherever an #if may hide the first: its guard drops the rest.
    `depth` is how many #if surround the file; a header's own guard is one of them.
    """
    for line in path.read_text("utf-8").splitlines():
        depth += bool(_OPENS.match(line)) - bool(_CLOSES.match(line))
        include = _LOCAL.match(line)
        if not include:
            yield line
        elif include[1] not in seen:
            if depth == 0:
                seen.add(include[1])
            yield from _expanded(_SOURCES / include[1], seen, depth=depth - 1)


def _needs_of(model: Path) -> tuple[set[str], int]:
    """Names in ERNN_OP_LIST of the layers in a file, and the bits of its features."""
    listed = re.search(
        r"#define ERNN_OP_LIST\(X\)(.*?)\n\n",
        (_SOURCES / "ernn_format.h").read_text("utf-8"),
        re.DOTALL,
    )
    assert listed is not None  # noqa: S101
    names = re.findall(r"X\((\w+)\)", listed[1])
    try:
        content = read_bytes(model)
        layers = {names[kind] for kind in _kinds(content)}
        return layers, struct.unpack_from("<I", content, _FEATURES)[0]
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise ModelFileError(
            f"{model}: this is not an .ernn file",
            remedy="Give the .ernn file that an export to native wrote",
        ) from error


def _kinds(content: bytes) -> Iterator[int]:
    """Of each layer in a file: its number in ERNN_OP_LIST."""
    if not content.startswith(b"ERNN"):
        raise ValueError("the first bytes are others")
    count, first = struct.unpack_from("<II", content, _OP_TABLE)
    for place in range(first, first + count * _OP_BYTES, _OP_BYTES):
        yield struct.unpack_from("<I", content, place)[0]


def main(arguments: Sequence[str]) -> int:
    """Writes the files for the command line; the exit code."""
    if not arguments or arguments[0].startswith("-"):
        sys.stdout.write((__doc__ or "").lstrip())
        return 0 if arguments else 2
    folder, *models = map(Path, arguments)
    try:
        for path in write_single_file(folder, models=models):
            sys.stdout.write(f"{path}\n")
    except EdgernnError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
