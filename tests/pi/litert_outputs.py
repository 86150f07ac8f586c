"""Runs TFLite files by LiteRT's own choice of kernels and by its reference kernels.

Imported here; a program on a target: `python litert_outputs.py inputs.npz outputs.npz FILE…`.
"""

from __future__ import annotations

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KERNELS = {"fast": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}


def outputs_of(file, rows, kernels):
    """The outputs of a model with one input and one output, one call a row."""
    interpreter = Interpreter(
        model_path=str(file), num_threads=1, experimental_op_resolver_type=KERNELS[kernels]
    )
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.allocate_tensors()
    outputs = []
    for row in rows:
        interpreter.set_tensor(given["index"], row)
        interpreter.reset_all_variables()
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"]).copy())
    return np.concatenate(outputs)


if __name__ == "__main__":
    _, inputs, outputs, *files = sys.argv
    given_rows = np.load(inputs)["x"]
    made = {(kind, file): outputs_of(file, given_rows, kind) for kind in KERNELS for file in files}
    np.savez(outputs, **{f"{kind} {file}": values for (kind, file), values in made.items()})
