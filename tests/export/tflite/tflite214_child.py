"""Runs in the Python of tflite-runtime 2.14, which shares nothing with the project's.

argv[1] is an npz of models, inputs and outputs: "<case>/model" (bytes as uint8),
"<case>/in/<name>"; writes argv[2], an npz of "<case>/out/<name>" or "<case>/error".
"""

import sys

import numpy as np
from tflite_runtime.interpreter import Interpreter


def run(content, inputs):
    interpreter = Interpreter(model_content=content, num_threads=1)
    return interpreter.get_signature_runner("serving_default")(**inputs)


def main(source, target):
    stored = np.load(source, allow_pickle=False)
    cases = sorted({key.split("//")[0] for key in stored.files})
    results = {}
    for case in cases:
        inputs = {
            key.split("//")[2]: stored[key]
            for key in stored.files
            if key.startswith(case + "//in//")
        }
        try:
            outputs = run(stored[case + "//model"].tobytes(), inputs)
        except (ValueError, RuntimeError) as error:
            results[case + "//error"] = np.array(str(error))
            continue
        for name, value in outputs.items():
            results[case + "//out//" + name] = value
    np.savez(target, **results)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
