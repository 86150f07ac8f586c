"""Reads a .pt2 file: ATen's operators, spelled in ONNX's, go to the core that reads those."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from edgernn.artefact import Source
from edgernn.errors import ModelFileError
from edgernn.export.onnx_file.file import read_graph
from edgernn.export.onnx_file.free_time import with_free_time
from edgernn.export.onnx_file.given import Given
from edgernn.export.onnx_file.values import Array
from edgernn.export.source_model import SourceModel
from edgernn.export.torch_file.archive import DTYPES, EXPORT_AGAIN, read_archive
from edgernn.export.torch_file.cells import with_loops
from edgernn.export.torch_file.in_place import without_changes
from edgernn.export.torch_file.operators import CHECKS, OPERATORS, OTHERWISE, REMEDIES
from edgernn.export.torch_file.program import Call, Program, parsed
from edgernn.export.torch_file.spelling import OPSET, Spelling
from edgernn.regular_file import DAMAGE, read_bytes

#: A program with its weights.
FILE_BYTES: Final = 2 << 30


def read_pt2(path: Path, *, free_time: bool = False) -> SourceModel:
    """The model in a .pt2 file, read without PyTorch; `free_time` as read_onnx has it.

    Raises ModelFileError if the file is damaged or holds pickled weights, UnsupportedLayer if it
    holds an operator, or an option of one, that edgernn does not read.

    >>> read_pt2(Path("model.pt2")).graph.parameters
    """
    try:
        content = read_bytes(path, at_most=FILE_BYTES)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read ({error.strerror or error})", remedy="Check the path"
        ) from error
    return read_pt2_bytes(content, path, free_time=free_time)


def read_pt2_bytes(content: bytes, path: Path, *, free_time: bool = False) -> SourceModel:
    """As read_pt2, of a file's bytes; `path` is its name in messages."""
    try:
        return _read(content, path, free_time=free_time)
    except (*DAMAGE, ZeroDivisionError) as error:
        raise ModelFileError(
            f"{path.name} is not what torch.export.save writes ({type(error).__name__}: {error})",
            remedy=EXPORT_AGAIN,
        ) from error


def _read(content: bytes, path: Path, *, free_time: bool) -> SourceModel:
    archive = read_archive(io.BytesIO(content), path.name)
    program = without_changes(parsed(archive.program))
    made, arrays = spelled(program, archive.arrays)
    given = Given(
        model=made, arrays=arrays, path=path, size=len(content), opset=OPSET,
        where="the exported program", again=EXPORT_AGAIN,
    )  # fmt: skip
    graph, ports, warnings = read_graph(given)
    version = program.torch_version
    source = Source(
        file=path.name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
        keras_version="", parameters=graph.parameters,
        made_by=f"PyTorch {version}, torch.export" if version else "torch.export",
    )  # fmt: skip
    model = SourceModel(graph=graph, source=source, warnings=warnings, ports=ports)
    return with_free_time(given, model, read_graph) if free_time else model


def spelled(
    program: Program, arrays: Mapping[str, Array]
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """The program in operators of ONNX, and its arrays by name."""
    spelling = Spelling(program, arrays)
    calls = with_loops(program)
    for call in calls:
        if call.kind.startswith(CHECKS):
            continue
        speller = OPERATORS.get(call.kind)
        namespace = call.target.partition(".")[0]
        if speller is None or namespace not in ("aten", "edgernn", "_operator"):
            raise call.unsupported(
                "is an operator that edgernn does not read", REMEDIES.get(call.kind, OTHERWISE)
            )
        speller(spelling, call)
    _require_written(calls, spelling, program)
    outputs = []
    for at, output in enumerate(program.outputs):
        node = onnx.helper.make_node("Identity", [output], [str(at)], name=f"output {at}")
        spelling.nodes.append(node)
        outputs.append(onnx.helper.make_tensor_value_info(str(at), onnx.TensorProto.FLOAT, None))
    graph = onnx.helper.make_graph(
        spelling.nodes, "main", [_input(program, name) for name in program.inputs], outputs
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    return made, spelling.arrays


def _require_written(calls: Sequence[Call], spelling: Spelling, program: Program) -> None:
    """Some operators have more results than edgernn computes: the positions of max()."""
    written = {name for node in spelling.nodes for name in node.output}
    read = {name for node in spelling.nodes for name in node.input}.union(program.outputs)
    for call in calls:
        for name in set(call.outputs) & (read - written):
            raise call.unsupported(
                f"gives '{name}', which edgernn does not compute",
                "Use its first result only",
            )


def _input(program: Program, name: str) -> onnx.ValueInfoProto:
    dtype = DTYPES.get(program.dtypes[name], np.dtype(np.complex64))
    element = onnx.helper.np_dtype_to_tensor_dtype(dtype.newbyteorder("="))
    return onnx.helper.make_tensor_value_info(name, element, list(program.sizes[name]))
