"""What goes into a kit: the model, the C library for it, templates filled in."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn.errors import ModelFileError
from edgernn.regular_file import read_bytes
from edgernn.runtime.library import lib
from edgernn.runtime.model import Model
from edgernn.runtime.ports import NativePort
from edgernn.runtime.single_file import write_single_file
from edgernn.version import __version__

_TEMPLATES: Final = Path(__file__).parent
#: In the header of docs/native-format.md: the place of the features, and two of their bits.
_FEATURES: Final = 16
_IMAGES: Final = 4
_NIBBLES: Final = 128

_OTHER_FORMATS: Final = frozenset({".tflite", ".onnx", ".keras", ".h5", ".hdf5"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A model that was opened, so that it is known to run, and what its kit is made of."""

    name: str  # of the model, as part of file names and of identifiers: "words"
    content: bytes
    rate_hz: int  # of its recipe for sound; 0 without one
    takes_text: bool  # its vocabulary is in the file
    labels: tuple[str, ...]
    inputs: tuple[str, ...]  # described for a reader: "x: [steps, 40] float32"
    outputs: tuple[str, ...]
    is_streaming: bool
    library: Mapping[str, str]  # ernn.c, ernn.h, CMakeLists.txt, ernn.pc.in
    options: tuple[str, ...]  # for the compiler: what the library can leave out
    all_layers: bool  # not only those of the model

    @property
    def model_file(self) -> str:
        return f"{self.name}.ernn"

    @property
    def has_sound(self) -> bool:
        return self.rate_hz > 0

    def fill(self, text: str, **more: str) -> str:
        """`text` with the values of this kit for words such as @MODEL@."""
        values = {
            "MODEL": self.name,
            "VERSION": _semantic(__version__),
            "RATE": str(self.rate_hz),
            "INPUTS": "\n".join(f"  {line}" for line in self.inputs),
            "OUTPUTS": "\n".join(f"  {line}" for line in self.outputs),
            "LABELS": ", ".join(one for one in self.labels if one[:1] != "_") or "(none)",
            **more,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text

    def template(self, path: str, **more: str) -> bytes:
        """A file of this package, filled in."""
        return self.fill((_TEMPLATES / path).read_text("utf-8"), **more).encode()


def read_contents(model: Path, *, all_layers: bool) -> Contents:
    """Opens the model; raises ModelFileError for what is no .ernn file."""
    if model.suffix.lower() in _OTHER_FORMATS:
        raise ModelFileError(
            f"{model}: kits hold the native runtime, which runs .ernn files",
            remedy="Export the model with `edgernn export MODEL --to native -o FOLDER`, and "
            "package the .ernn file",
        )
    try:
        content = read_bytes(model)
    except OSError as error:
        raise ModelFileError(
            f"cannot read {model}: {error.strerror}", remedy="Check the path"
        ) from error
    opened = Model(model)
    recipe = opened.front_end
    with tempfile.TemporaryDirectory() as folder:
        written = write_single_file(Path(folder), models=() if all_layers else (model,))
        library = {path.name: path.read_text("utf-8") for path in written}
    return Contents(
        name=_identifier(model.name),
        content=content,
        rate_hz=0 if recipe is None else recipe.rate_hz,
        takes_text=opened.text is not None,
        labels=opened.labels,
        inputs=tuple(_described(port) + _made_of(port, opened) for port in opened.free_inputs),
        outputs=tuple(_described(port) for port in opened.free_outputs),
        is_streaming=opened.is_streaming,
        library=library,
        options=_options(content, all_layers=all_layers),
        all_layers=all_layers,
    )


def _options(content: bytes, *, all_layers: bool) -> tuple[str, ...]:
    """What the compiler can leave out: nothing where the library has to run other models too."""
    (features,) = struct.unpack_from("<I", content, _FEATURES)  # bits in the header
    left_out = {"-DERNN_WITHOUT_IMAGES": _IMAGES, "-DERNN_WITHOUT_NIBBLES": _NIBBLES}
    if all_layers:
        return ()
    return tuple(option for option, bit in left_out.items() if not features & bit)


def _described(port: NativePort) -> str:
    sizes = [str(port.steps or "steps")] if port.is_sequence else []
    return f"{port.name}: [{', '.join([*sizes, *map(str, port.row_shape)])}] {port.dtype.value}"


def _made_of(port: NativePort, model: Model) -> str:
    """What an app makes the rows or the tokens of: a recipe of sensors, the rules of text."""
    if model.sensors and port.name == model.inputs[lib.ernn_sensor_input(model.handle)].name:
        return f", from {model.sensors.description()}"
    if model.text and port.name == model.inputs[lib.ernn_text_input(model.handle)].name:
        return f", from {model.text.description()}"
    return ""


def _identifier(file_name: str) -> str:
    """words.int8.ernn -> words: a name that C, Java, Swift, npm and Maven all take."""
    name = re.sub(r"[^a-z0-9]+", "_", file_name.split(".", maxsplit=1)[0].lower()).strip("_")
    return name if name[:1].isalpha() else f"model_{name}".rstrip("_")


def _semantic(version: str) -> str:
    """Three numbers, as npm, Maven and Swift take them."""
    numbers = re.findall(r"\d+", version)[:3]
    return ".".join([*numbers, "0", "0", "0"][:3])
