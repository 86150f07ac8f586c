"""The kit for C: the library in one file, the model as a file and as an array, an example."""

from __future__ import annotations

from collections.abc import Iterator

from edgernn.kits.contents import Contents
from edgernn.kits.targets import Files

_BYTES_IN_LINE = 20


def files(contents: Contents) -> Files:
    """The files of the kit."""
    one_of_each = len(contents.inputs) == 1 == len(contents.outputs)
    kind = "text" if contents.takes_text and one_of_each else "arrays"
    kind = "sound" if contents.has_sound else kind
    made = {name: text.encode() for name, text in contents.library.items()}
    made["CMakeLists.txt"] += contents.template("c/example.cmake")
    made[contents.model_file] = contents.content
    made[f"{contents.name}_ernn.h"] = array_header(contents).encode()
    made["example.c"] = contents.template(f"c/example_{kind}.c")
    made["README.txt"] = contents.template(f"c/README_{kind}.txt")
    return made


def array_header(contents: Contents) -> str:
    """The model as a constant array of C or C++."""
    name = f"{contents.name}_ernn"
    return "\n".join(
        (
            f"/* {name}.h: the model {contents.name}, for ernn_open({name}, sizeof {name}). */",
            f"#ifndef {name.upper()}_H",
            f"#define {name.upper()}_H",
            "",
            "/* Aligned to ERNN_ALIGNMENT, which ernn_open asks for. */",
            "#if defined(_MSC_VER)",
            "__declspec(align(64))",
            "#else",
            "__attribute__((aligned(64)))",
            "#endif",
            f"static const unsigned char {name}[{len(contents.content)}] = {{",
            *_lines(contents.content),
            "};",
            "",
            "#endif",
            "",
        )
    )


def _lines(content: bytes) -> Iterator[str]:
    for at in range(0, len(content), _BYTES_IN_LINE):
        yield ",".join(map(str, content[at : at + _BYTES_IN_LINE])) + ","
