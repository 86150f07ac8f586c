"""The model that was loaded, put before Keras itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from edgernn.artefact import Verification
from edgernn.errors import WrongOption
from edgernn.export.against_keras import compared_with_keras
from edgernn.export.source_model import SourceModel


def as_keras_has_it(model: SourceModel, origin: Any) -> Verification:
    """How far `model` is from what Keras makes of its `origin`: a path, or a model in memory.

    Raises WrongOption without an origin or for a model of others, MissingRuntime without Keras
    (tf_keras for files of Keras 1 and 2), VerificationError where Keras answers otherwise.
    """
    if origin is None:
        raise WrongOption(
            "--against-keras (against_keras) needs the model that was read",
            remedy="Load it with edgernn.load",
        )

    if not model.source.keras_version:
        raise WrongOption(
            f"--against-keras (against_keras) needs a Keras model, and {model.source.file} is none",
            remedy="Leave it out: an .onnx file is compared with what ONNX Runtime computes",
        )

    def store(folder: Path) -> Path:
        if isinstance(origin, Path):
            return Path(shutil.copy(origin, folder / origin.name))
        path = folder / "model.keras"
        origin.save(path)
        return path

    major = model.source.keras_version.split(".")[0]
    return compared_with_keras(model.graph, store, generation="3" if major == "3" else "2")
