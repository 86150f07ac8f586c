"""Runs a .tflite on all rows of a .npy with each of LiteRT's sets of kernels: sent to the Pi.

python litert_kernels.py MODEL.tflite ROWS.npy OUTPUTS.npz
"""

from __future__ import annotations

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KINDS = {
    "default": OpResolverType.AUTO,  # XNNPACK where it can
    "reference": OpResolverType.BUILTIN_REF,
}


def outputs(model: str, rows: np.ndarray, kind: OpResolverType) -> np.ndarray:
    interpreter = Interpreter(model_path=model, num_threads=1, experimental_op_resolver_type=kind)
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(taken["index"], [1, *rows.shape[1:]])
    interpreter.allocate_tensors()
    said = []
    for row in rows:
        interpreter.set_tensor(taken["index"], row[None])
        interpreter.invoke()
        said.append(interpreter.get_tensor(given["index"])[0])
    return np.array(said)


if __name__ == "__main__":
    _, model, rows, to = sys.argv
    loaded = np.load(rows)
    found = {name: outputs(model, loaded, kind) for name, kind in KINDS.items()}
    np.savez(to, **found)  # type: ignore[arg-type]
