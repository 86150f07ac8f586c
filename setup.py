"""Builds the C library of edgernn.runtime twice: as the Python extension, and as a library of
operators for ONNX Runtime.  All else is in pyproject.toml, which cannot name either.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

LIBRARY = Path("edgernn/runtime/c")

# The flags of edgernn/runtime/build_ernn.py, which says why.  Only one function is for others, and
# names for a debugger would be most of the file.
IS_WINDOWS = os.name == "nt"

operators = Extension(
    "edgernn.runtime.ort._operators",
    sources=["edgernn/runtime/ort/ernn_ort.c", *sorted(map(str, LIBRARY.glob("*.c")))],
    include_dirs=[str(LIBRARY), "edgernn/runtime/ort"],
    depends=[*sorted(map(str, LIBRARY.glob("*.h"))), "edgernn/runtime/ort/ort_abi.h"],
    extra_compile_args=["/O2"] if IS_WINDOWS else ["-O3", "-fvisibility=hidden", "-g0"],
    export_symbols=["RegisterCustomOps"] if IS_WINDOWS else [],
    py_limited_api=True,
    optional=True,  # without a compiler all else still installs
)

setup(
    cffi_modules=["edgernn/runtime/build_ernn.py:builder"],
    ext_modules=[operators],
    # One wheel for every CPython from 3.10 on: the extension keeps to the stable ABI.
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
