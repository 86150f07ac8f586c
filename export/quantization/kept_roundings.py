"""Roundings of large matrices, kept for the graphs of one export that share them.

An export quantizes the same matrices for each format, for the study, and with other layers in
float; compensated rounding takes seconds where a matrix has a million numbers.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from edgernn.export.quantization.rounding import Rounded
    from edgernn.graph import AnyArray

_MOST_BYTES: Final = 256 << 20
_MOST_BYTES_OF_ROOTS: Final = 64 << 20
_kept: OrderedDict[bytes, Rounded] = OrderedDict()
_roots: OrderedDict[bytes, AnyArray] = OrderedDict()
_lock = threading.Lock()


def kept(*arrays: AnyArray, pairs_safe: bool, otherwise: Callable[[], Rounded]) -> Rounded:
    """What `otherwise` returns; its last result where the arrays, bit for bit, are those of then.

    Keeps at most 256 MB, the latest used.
    """
    key = bytes([pairs_safe]) + _digest(*arrays)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = otherwise()
    for array in (made.values, made.rest, made.bias):
        array.setflags(write=False)  # others get the same
    with _lock:
        _kept[key] = made
        while len(_kept) > 1 and sum(map(_bytes, _kept.values())) > _MOST_BYTES:
            _kept.popitem(last=False)
    return made


def kept_root(covariance: AnyArray, otherwise: Callable[[], AnyArray]) -> AnyArray:
    """The same for what is computed of a covariance: roundings of 8 and of 16 bits share it."""
    key = _digest(covariance)
    with _lock:
        if key in _roots:
            _roots.move_to_end(key)
            return _roots[key]
    made = otherwise()
    made.setflags(write=False)
    with _lock:
        _roots[key] = made
        while sum(root.nbytes for root in _roots.values()) > _MOST_BYTES_OF_ROOTS:
            _roots.popitem(last=False)
    return made


def _digest(*arrays: AnyArray) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _bytes(made: Rounded) -> int:
    return made.values.nbytes + made.rest.nbytes + made.bias.nbytes
