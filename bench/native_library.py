"""The library called from C, and the limits of this processor: bench/native.c through ctypes."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.native_models import Shape

_HERE = Path(__file__).parent
_LIBRARY = _HERE.parent / "edgernn" / "runtime" / "c"

#: Calls from C that are timed as one: reading the clock is as long as a short step.
STEPS_A_CALL = 50

#: Steps of a sequence that share one reading of the input's weights (ERNN_CHUNK_STEPS).
_CHUNK = 32

#: Where a column's sum begins (4), its shift (4) and its multiplier (2).
_COLUMN_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One integer product of a whole sequence."""

    macs: int
    bits: int  # of the numbers that weights are multiplied with
    size: int  # bytes that are read...
    reads: int  # ... so many times


class Roofline:
    """The least time of products, by rates that are measured among the programs of a row.

    Processors shared with others are fast in one second and slow in the next: a limit measured at
    another time says little.
    """

    def __init__(
        self,
        products: list[Product],
        *,
        macs: Callable[[int], float],
        reading: Callable[[int], float],
    ) -> None:
        self._products = products
        self._macs = dict.fromkeys((one.bits for one in products), 0.0)  # a second, by bits
        self._reading = dict.fromkeys(
            (one.size for one in products), 0.0
        )  # bytes a second, by size
        self._measures = (macs, reading)

    def calls(self) -> dict[str, Callable[[], object]]:
        """Each measures one rate once more, and keeps the best."""
        macs, reading = self._measures
        return {
            **{f"{bits} bits": _better(self._macs, bits, macs) for bits in self._macs},
            **{f"{size} bytes": _better(self._reading, size, reading) for size in self._reading},
        }

    def milliseconds(self) -> float:
        """Of the whole sequence, after the calls were made."""
        return 1e3 * sum(
            max(one.macs / self._macs[one.bits], one.reads * one.size / self._reading[one.size])
            for one in self._products
        )


def _better(
    best: dict[int, float], key: int, measure: Callable[[int], float]
) -> Callable[[], object]:
    def call() -> None:
        best[key] = max(best[key], measure(key))

    return call


class NativeLibrary:
    """Compiled with the flags of setup.py into `folder`."""

    def __init__(self, folder: Path) -> None:
        path = folder / "native.so"
        sources = [_HERE / "native.c", *sorted(_LIBRARY.glob("*.c"))]
        flags = ["-std=gnu11", "-O3", "-fPIC", "-shared", f"-I{_LIBRARY}"]
        compiler = os.environ.get("CC", "gcc")
        subprocess.run([compiler, *flags, *sources, "-o", path], check=True)
        self._c = ctypes.CDLL(str(path))
        self._c.call_new.restype = ctypes.c_void_p
        self._c.call_new.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._c.call_isa.restype = ctypes.c_char_p
        self._c.call_isa.argtypes = [ctypes.c_void_p]
        self._c.call_state_bits.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        pointers = [ctypes.c_void_p, ctypes.c_void_p]
        self._c.call_steps.argtypes = [ctypes.c_void_p, *pointers, ctypes.c_int]
        self._c.call_run.argtypes = [
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p)
        ]
        for name in ("clock_hz", "peak_macs", "read_bandwidth"):
            getattr(self._c, name).restype = ctypes.c_double
        self._c.peak_macs.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
        self._c.read_bandwidth.argtypes = [ctypes.c_size_t, ctypes.c_int]
        self._kept: list[Any] = []  # bytes that C reads

    def clock_hz(self) -> float:
        return float(self._c.clock_hz())

    def steps(self, model: Path, x: np.ndarray, units: int) -> Callable[[], object]:
        """STEPS_A_CALL steps of a stream a call."""
        handle, row, out = self._opened(model), self._kept_array(x[0, 0]), np.empty(units, "f4")
        self._kept.append(out)
        arguments = (handle, row.ctypes.data, out.ctypes.data, STEPS_A_CALL)
        return _checked(lambda: self._c.call_steps(*arguments))

    def sequence(self, model: Path, x: np.ndarray, units: int) -> Callable[[], object]:
        """A whole sequence a call."""
        handle, rows, out = self._opened(model), self._kept_array(x[0]), np.empty(units, "f4")
        self._kept.append(out)
        arguments = (handle, rows.ctypes.data, len(rows), out.ctypes.data)
        return _checked(lambda: self._c.call_run(*arguments))

    def isa(self, model: Path) -> str:
        return str(self._c.call_isa(self._opened(model)).decode())

    def roofline(self, shape: Shape, model: Path) -> Roofline | None:
        """The least time that the integer products of `shape` can take here.

        Each is bound by multiplications or by reading its weights and what else belongs to a
        column: those of the states once a step, those of the inputs once a chunk of steps.  Inputs
        from outside have 16 bits, those from another layer 8, states what the file says.  None
        where the processor's peak is not known.
        """
        opened = self._opened(model)
        isa = self._c.call_isa(opened)
        if not self._c.peak_macs(isa, 8, 1):
            return None
        columns = {"gru": 3, "lstm": 4}[shape.cell] * shape.units
        products = []
        for layer in range(shape.layers):
            features, bits = (shape.features, 16) if layer == 0 else (shape.units, 8)
            chunks = -(-shape.steps // _CHUNK)
            state_bits = self._c.call_state_bits(opened, layer)
            for rows, reads, width in (
                (features, chunks, bits),
                (shape.units, shape.steps, state_bits),
            ):
                products.append(
                    Product(
                        macs=shape.steps * rows * columns,
                        bits=width,
                        size=(rows + _COLUMN_BYTES) * columns,
                        reads=reads,
                    )
                )
        return Roofline(
            products,
            macs=lambda bits: float(self._c.peak_macs(isa, bits, 1)),
            reading=lambda size: float(self._c.read_bandwidth(size, 1)),
        )

    def _opened(self, model: Path) -> int:
        content = model.read_bytes()
        room = np.empty(len(content) + 64, np.uint8)
        start = -room.ctypes.data % 64
        room[start : start + len(content)] = np.frombuffer(content, np.uint8)
        self._kept.append(room)
        handle = self._c.call_new(room.ctypes.data + start, len(content))
        if not handle:
            raise AssertionError(f"the library refuses {model.name}")
        return int(handle)

    def _kept_array(self, array: np.ndarray) -> np.ndarray:
        kept = np.ascontiguousarray(array)
        self._kept.append(kept)
        return kept


def _checked(call: Callable[[], int]) -> Callable[[], object]:
    if call() != 0:
        raise AssertionError("the library could not run the model")
    return call
