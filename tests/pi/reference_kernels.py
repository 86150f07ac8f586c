"""Runs TFLite files by LiteRT's reference kernels, here and, as a program, on a target.

`python reference_kernels.py inputs.npz outputs.npz FILE…`: each member of inputs is one argument.
"""

from __future__ import annotations

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def outputs_of(file, rows):
    """The first output for each of the rows, one call a row."""
    interpreter = Interpreter(
        model_path=str(file),
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    (given,), (result, *_) = interpreter.get_input_details(), interpreter.get_output_details()
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
    np.savez(outputs, **{file: outputs_of(file, given_rows) for file in files})
