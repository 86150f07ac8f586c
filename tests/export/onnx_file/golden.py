"""The models that PyTorch wrote, with what PyTorch computed (tests/golden/torch/write.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.export.source_model import SourceModel
from edgernn.reference import References

Array = npt.NDArray[Any]

FOLDER: Final = Path(__file__).parents[2] / "golden" / "torch"
FILES: Final = sorted(path.name for path in FOLDER.glob("*.onnx"))
PROGRAMS: Final = sorted(path.name for path in FOLDER.glob("*.pt2"))
LEGACY: Final = [name for name in FILES if name.endswith(".legacy.onnx")]


def stored(file: str) -> tuple[dict[str, Array], list[Array]]:
    """(inputs by name, outputs in order), as PyTorch had them."""
    with np.load(FOLDER / f"{file.partition('.')[0]}.npz") as archive:
        inputs = {key[3:]: archive[key] for key in archive.files if key.startswith("in.")}
        count = len(archive.files) - len(inputs)
        return inputs, [archive[f"out.{at}"] for at in range(count)]


def as_graph_takes_them(model: SourceModel, inputs: dict[str, Array]) -> dict[str, Array]:
    """The inputs with the batch first, tokens as int32."""
    arguments = {}
    for entry in model.graph.inputs:
        port = model.ports[entry.name]
        array = inputs[port.name].transpose(port.permutation)
        arguments[entry.name] = array.astype(np.int32) if array.dtype == np.int64 else array
    return arguments


def answers(model: SourceModel, inputs: dict[str, Array]) -> list[Array]:
    """What the graph computes, its axes in the file's order."""
    (results,) = References().of(model.graph, [as_graph_takes_them(model, inputs)])
    return [
        results[output.name].transpose(model.ports[output.name].inverse)
        for output in model.graph.outputs
    ]
