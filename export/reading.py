"""Reads a model file of any format that edgernn knows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgernn.export.source_model import SourceModel

#: Suffixes of files that hold a model to be exported.
MODEL_SUFFIXES: Final = frozenset({".keras", ".h5", ".hdf5", ".onnx", ".pt2"})

#: Those whose exporter may have fixed the axis of time.
PORTABLE: Final = frozenset({".onnx", ".pt2"})


def is_written_by_edgernn(path: Path) -> bool:
    """Whether the .onnx file `path` is an artefact; others hold a model to be exported.

    Raises ModelFileError for what is no ONNX model.
    """
    from edgernn.export.onnx_file.protobuf import parsed

    return parsed(path)[0].producer_name == "edgernn"


def read_source(path: Path, *, free_time: bool = False) -> SourceModel:
    """The model in a .keras, .h5, .onnx or .pt2 file.  No code of a file is run.

    free_time: an axis of time that the exporter fixed is read as free, where nothing depends on its
    length.

    Raises ModelFileError if the file is not a complete model or is damaged, UnsupportedLayer if
    edgernn does not support a layer or one of its options.

    >>> read_source(Path("gru.onnx")).graph.parameters
    """
    if path.suffix.lower() == ".onnx" and path.is_file():
        from edgernn.export.onnx_file.file import read_onnx

        return read_onnx(path, free_time=free_time)
    if path.suffix.lower() == ".pt2" and path.is_file():
        from edgernn.export.torch_file.file import read_pt2

        return read_pt2(path, free_time=free_time)
    from edgernn.export.keras.file import read_model

    return read_model(path)
