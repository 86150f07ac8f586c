"""The kit for the web: an npm package around the library as WebAssembly."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Final

from edgernn.errors import WrongOption
from edgernn.kits.contents import Contents
from edgernn.kits.targets import Files
from edgernn.kits.tools import CALLS, run, tool

_FLAGS: Final = (
    "--target=wasm32", "-std=c99", "-msimd128", "-mbulk-memory", "-ffreestanding", "-nostdlib",
    "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
    # The kernels are written in vectors; loops of what is left would only grow.
    "-fno-unroll-loops", "-fno-vectorize", "-fno-slp-vectorize",
)  # fmt: skip
_LINK: Final = (
    "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--gc-sections", "-Wl,-z,stack-size=16384",
    "-Wl,--export=__heap_base",
)  # fmt: skip

_LISTENER_NODE: Final = b"\n/** An AudioWorkletNode"  # the rest of index.js, for sound

#: What ernn.js calls.
_MODEL: Final = (
    "open_or_explain", "model_size", "status_text", "input_count", "output_count", "input",
    "output", "is_streaming", "label", "session_size", "session_init", "reset", "step", "run",
    "output_steps", "refusing_layer", "audio_rate", "sensor_rate", "sensor_input",
)  # fmt: skip
_SOUND: Final = (
    "listener_size", "listener_init", "listener_feed_s16", "listener_feed_f32", "listener_status",
    "listener_whole", "listener_reset",
)  # fmt: skip
_TEXT: Final = ("tokenize", "text_length")


def files(contents: Contents, *, demo: bool) -> Files:
    """The files of the kit; `demo`: also a page that listens."""
    if demo and not contents.has_sound:
        raise WrongOption(
            f"the model {contents.name} has no recipe for sound: a page could not listen with it",
            remedy="Leave out --demo, or export the model with --front-end",
        )
    wasm, relaxed = library(contents), library(contents, relaxed=True)
    index = contents.template("web/index.js")
    core = contents.template("web/ernn.js")
    types = contents.template("web/index.d.ts")
    page = types + (contents.template("web/page.d.ts") if contents.has_sound else b"")
    made = {
        "package.json": _package(contents),
        "ernn.js": core,
        "ernn.wasm": wasm,
        "ernn-relaxed.wasm": relaxed,
        contents.model_file: contents.content,
        "index.js": index if contents.has_sound else index[: index.index(_LISTENER_NODE)],
        "node.js": contents.template("web/node.js"),
        "inline.js": contents.template(
            "web/inline.js", WASM=_base64(wasm), MODEL_BYTES=_base64(contents.content)
        ),
        "index.d.ts": page,
        "node.d.ts": types,
        "inline.d.ts": types,
        "README.md": contents.template(
            f"web/README_{'sound' if contents.has_sound else 'arrays'}.md"
        ),
    }
    if contents.has_sound:
        made["worklet.js"] = core.replace(b"\nexport ", b"\n") + contents.template(
            "web/processor.js"
        )
    if demo:
        made["demo/index.html"] = contents.template("web/demo.html")
    return made


def library(contents: Contents, *, relaxed: bool = False) -> bytes:
    """ernn.wasm; `relaxed`: ernn-relaxed.wasm, for engines that know relaxed SIMD."""
    tool("wasm-ld", package="lld")
    called = (*_MODEL, *_SOUND, *(_TEXT if contents.takes_text or contents.all_layers else ()))
    exports = [f"-Wl,--export=ernn_{name}" for name in called]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in contents.library.items():
            (folder / file).write_text(text, "utf-8")
        clang = tool("clang", package="clang")
        small = ("-Oz", "-DERNN_SMALL=2") if contents.all_layers else ("-Os", "-DERNN_SMALL")
        options = (*contents.options, *(("-mrelaxed-simd",) if relaxed else ()))
        # -Os last would switch on what _FLAGS switches off.
        flags = (*small, *CALLS, *_FLAGS, *options)
        run([clang, *flags, "ernn.c", *_LINK, *exports, "-o", "ernn.wasm"], cwd=folder)
        return (folder / "ernn.wasm").read_bytes()


def _package(contents: Contents) -> bytes:
    entry = {"types": "./index.d.ts", "default": "./index.js"}
    node = {"types": "./node.d.ts", "default": "./node.js"}
    package = {
        "name": contents.name.replace("_", "-"),
        "version": contents.fill("@VERSION@"),
        "description": f"The model {contents.name} with the ernn library",
        "type": "module",
        "main": "./node.js",
        "browser": "./index.js",
        "types": "./index.d.ts",
        "exports": {
            ".": {"node": node, "default": entry},
            "./inline": {"types": "./inline.d.ts", "default": "./inline.js"},
            "./*": "./*",
        },
        "sideEffects": False,
        "license": "MIT",
    }
    return (json.dumps(package, indent=2) + "\n").encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
