"""The models that PyTorch wrote, with what PyTorch computed (tests/golden/torch/write.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.export.source_model import SourceModel
from edgernn.graph import DType
from edgernn.reference import References

Array = npt.NDArray[Any]

FOLDER: Final = Path(__file__).parents[2] / "golden" / "torch"
FILES: Final = sorted(path.name for path in FOLDER.glob("*.onnx"))
PROGRAMS: Final = sorted(path.name for path in FOLDER.glob("*.pt2"))
#: The newer exporter unrolls an RNN of relu into its steps.
UNROLLED: Final = ("rnn_relu.dynamo.onnx", "rnn_relu.dynamo_fixed.onnx")


def stored(file: str) -> tuple[dict[str, Array], list[Array]]:
    """(inputs by name, outputs in order), as PyTorch had them."""
    with np.load(FOLDER / f"{file.partition('.')[0]}.npz") as archive:
        inputs = {key[3:]: archive[key] for key in archive.files if key.startswith("in.")}
        count = len(archive.files) - len(inputs)
        return inputs, [archive[f"out.{at}"] for at in range(count)]


def made_up(model: SourceModel, rows: int, *, steps: int = 12) -> dict[str, Array]:
    """Inputs of the graph; free axes have `steps` elements, tokens are below 20."""
    rng = np.random.default_rng(1)
    made: dict[str, Array] = {}
    for entry in model.graph.inputs:
        shape = [rows, *(steps if size is None else size for size in entry.spec.shape[1:])]
        made[entry.name] = (
            rng.integers(0, 20, shape).astype(np.int32)
            if entry.spec.dtype is DType.INT32
            else rng.normal(size=shape).astype(np.float32)
        )
    return made


def as_graph_takes_them(model: SourceModel, inputs: dict[str, Array]) -> dict[str, Array]:
    """The inputs with the batch first, tokens as int32."""
    arguments = {}
    for entry in model.graph.inputs:
        port = model.ports[entry.name]
        array = inputs[port.name]
        if port.part is not None:
            array = array.take(port.part.index, port.part.axis)
        array = array.transpose(port.permutation)
        arguments[entry.name] = array.astype(np.int32) if array.dtype == np.int64 else array
    return arguments


def answers(model: SourceModel, inputs: dict[str, Array]) -> list[Array]:
    """What the graph computes, its axes in the file's order."""
    (results,) = References().of(model.graph, [as_graph_takes_them(model, inputs)])
    found: dict[str, Array] = {}
    states: dict[str, list[Array]] = {}
    for output in model.graph.outputs:
        port = model.ports[output.name]
        array = results[output.name].transpose(port.inverse)
        if port.part is not None:
            states.setdefault(port.name, []).append(array)
            array = np.stack(states[port.name], port.part.axis)
        found[port.name] = array
    return list(found.values())
