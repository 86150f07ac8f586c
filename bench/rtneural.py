"""RTNeural in float32: `RTNEURAL=folder make bench`, the folder being its source with its modules.

Only headers and one file are needed (`git clone https://github.com/jatinchowdhury18/RTNeural`); its
Eigen comes with it.  Compiled for this processor, which lets Eigen use all of its vectors.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from bench.native_models import Shape

_HERE: Final = Path(__file__).parent
_GATES: Final = {"gru": ("GRULayerT", 3), "lstm": ("LSTMLayerT", 4)}


def rtneural_source() -> Path | None:
    """Where it is, if anywhere."""
    named = os.environ.get("RTNEURAL")
    return Path(named) if named else None


def rtneural_call(source: Path, folder: Path, shape: Shape, x: np.ndarray) -> Callable[[], object]:
    """A whole sequence a call, from C; `folder` keeps the compiled layer."""
    path = folder / f"rtneural-{shape}.so"
    if not path.exists():
        layer, gates = _GATES[shape.cell]
        defines = {
            "CELL": layer,
            "GATES": gates,
            "FEATURES": shape.features,
            "UNITS": shape.units,
            "RTNEURAL_USE_EIGEN": 1,
            "RTNEURAL_DEFAULT_ALIGNMENT": 32,
            "RTNEURAL_NAMESPACE": "RTNeural",
            "EIGEN_STACK_ALLOCATION_LIMIT": 0,
            "NDEBUG": 1,
        }
        folders = (source, source / "modules" / "Eigen", source / "modules" / "json")
        command = [os.environ.get("CXX", "g++"), "-std=c++17", "-O3", "-march=native", "-fPIC"]
        command += ["-shared", *(f"-D{name}={value}" for name, value in defines.items())]
        command += [*(f"-I{folder}" for folder in folders), str(_HERE / "rtneural.cpp")]
        command += [str(source / "RTNeural" / "RTNeural.cpp"), "-o", str(path)]
        subprocess.run(command, check=True)
    library = ctypes.CDLL(str(path))
    library.rtneural_new.restype = ctypes.c_void_p
    library.rtneural_run.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
    ]
    layer_at, rows = library.rtneural_new(), np.ascontiguousarray(x[0], np.float32)
    out = np.empty(shape.units, np.float32)
    return lambda: library.rtneural_run(layer_at, rows.ctypes.data, len(rows), out.ctypes.data)
