"""What Keras itself answers, computed in a child process: `python keras_answers.py MODEL`.

It runs alone, in a folder that holds the model and inputs.npz (an array for each call and input,
named CALL.INPUT, both numbers), and writes outputs.npz likewise.  Nothing of edgernn is imported:
what is compared with it must not share its reading.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np


def main(path: str, generation: str) -> None:
    """Loads the model with Keras 3 or, for generation 2, with tf_keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if generation == "2":
        import tf_keras as keras
    else:
        import keras

    model = keras.models.load_model(path, compile=False)
    with np.load("inputs.npz") as stored:
        arrays = dict(stored)
    calls: dict[int, dict[int, Any]] = {}
    for name, array in arrays.items():
        call, position = map(int, name.split("."))
        calls.setdefault(call, {})[position] = array
    answers = {}
    for call, given in sorted(calls.items()):
        _forget(model)
        inputs = _tensors([given[position] for position in sorted(given)])
        said = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
        for position, output in enumerate(_flat(said)):
            answers[f"{call}.{position}"] = np.asarray(output)
    np.savez("outputs.npz", **answers)  # type: ignore[arg-type]


def _tensors(arrays: list[Any]) -> list[Any]:
    """As TensorFlow has them where one is of texts, which Keras does not mix with arrays."""
    if all(array.dtype.kind != "U" for array in arrays):
        return arrays
    import tensorflow as tf

    return [tf.constant(array) for array in arrays]


def _flat(said: Any) -> list[Any]:
    """The outputs one after the other, those of a dict by name."""
    if isinstance(said, dict):
        return [one for name in sorted(said) for one in _flat(said[name])]
    return (
        [one for part in said for one in _flat(part)] if isinstance(said, list | tuple) else [said]
    )


def _forget(layer: Any) -> None:
    """Every call starts from states of zeros."""
    for inner in getattr(layer, "layers", []):
        _forget(inner)
    for name in ("reset_state", "reset_states"):
        reset = getattr(layer, name, None)
        if getattr(layer, "stateful", False) and callable(reset) and not hasattr(layer, "layers"):
            reset()
            return


if __name__ == "__main__":
    main(*sys.argv[1:3])
