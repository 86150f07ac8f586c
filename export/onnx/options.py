"""Options of the ONNX back end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GruForm(str, Enum):
    """How a GRU of int8 weights is written."""

    AUTO = "auto"
    STORAGE = "storage"  # the GRU operator; the weights are float32 once loaded
    SCAN = "scan"  # a Scan with integer products
    CUSTOMOP = "customop"  # edgernn's own operator, also for LSTM and SimpleRNN: native_operator.py


class DenseForm(str, Enum):
    """How a Dense layer of int8 weights is written."""

    AUTO = "auto"
    STORAGE = "storage"  # the weights are float32 once loaded
    INTEGER = "integer"  # an integer product


class Profile(str, Enum):
    """The target that the file is optimized for."""

    DEFAULT = "default"  # ONNX Runtime on a CPU
    QNN = "qnn"  # Qualcomm's provider: see qdq.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    gru: GruForm = GruForm.AUTO
    dense: DenseForm = DenseForm.AUTO
    profile: Profile = Profile.DEFAULT
