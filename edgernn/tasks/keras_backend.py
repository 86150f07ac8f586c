"""Keras on TensorFlow, imported only when a training starts: the import takes ten seconds."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from edgernn.errors import MissingRuntime


def load_keras() -> ModuleType:
    """The module keras, on TensorFlow.

    Raises MissingRuntime if either is not installed, or if this process already runs Keras on
    another backend: the log's times and versions are TensorFlow's.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Before the import; it silences the C++ side once that has read it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _native_chatter_withheld():
            keras = importlib.import_module("keras")
    except ImportError as error:
        raise MissingRuntime(
            f"training needs Keras and TensorFlow ({error})",
            remedy="Install them with: pip install 'edgernn[train]'",
        ) from error
    if keras.config.backend() != "tensorflow":
        raise MissingRuntime(
            f"Keras was imported with the backend {keras.config.backend()}",
            remedy="Train in a separate process, or set KERAS_BACKEND=tensorflow",
        )
    return keras


@contextmanager
def _native_chatter_withheld() -> Iterator[None]:
    """Redirects file descriptor 2 to a file, which is shown only if the block fails.

    TensorFlow's libraries print messages on stderr (oneDNN, missing CUDA) before any log level is
    read, and sys.stderr does not catch what C++ writes.
    """
    with tempfile.TemporaryFile() as withheld:
        kept = os.dup(2)
        os.dup2(withheld.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            withheld.seek(0)
            os.write(2, withheld.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
