"""Keras on TensorFlow, imported when a training begins and not before: it takes ten seconds."""

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

    Raises MissingRuntime when either is not installed, or this process runs Keras on another
    backend already: the log's times and versions are TensorFlow's.
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
            remedy="Train in a process of its own, or set KERAS_BACKEND=tensorflow",
        )
    return keras


@contextmanager
def _native_chatter_withheld() -> Iterator[None]:
    """File descriptor 2 goes into a file meanwhile; it is shown only if the block fails.

    TensorFlow's libraries greet on stderr (oneDNN, missing CUDA) before any log level is read, and
    sys.stderr does not catch what C++ writes.
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
