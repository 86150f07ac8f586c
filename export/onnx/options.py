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


class LstmForm(str, Enum):
    """How an LSTM of int8 weights is written."""

    AUTO = "auto"
    STORAGE = "storage"  # the LSTM operator; the weights are float32 once loaded


class DenseForm(str, Enum):
    """How a Dense layer of int8 weights is written."""

    AUTO = "auto"
    STORAGE = "storage"  # the weights are float32 once loaded
    INTEGER = "integer"  # an integer product


class Profile(str, Enum):
    """The target that the file is optimized for."""

    DEFAULT = "default"  # ONNX Runtime on a CPU
    QNN = "qnn"  # Qualcomm's provider: see qdq.py
    PORTABLE = "portable"  # any runtime: plain operators only, see is_portable


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    gru: GruForm = GruForm.AUTO
    lstm: LstmForm = LstmForm.AUTO
    dense: DenseForm = DenseForm.AUTO
    profile: Profile = Profile.DEFAULT

    @property
    def is_portable(self) -> bool:
        """Whether the file avoids what only ONNX Runtime has, or what others get wrong.

        That is: ONNX Runtime's own operators, products of integers, lengths of rows (OpenVINO
        2026.4 and ONNX's reference evaluator ignore them, OpenCV 5.0 refuses them for an LSTM) and
        direction="reverse" (OpenCV 5.0 ignores it for a GRU, and gives a wrong state of an LSTM).
        """
        return self.profile is Profile.PORTABLE


def options(*, gru: str, lstm: str, dense: str, profile: str) -> Options:
    """What the user chose by name.  The profile portable stores all int8 weights alike."""
    chosen = Profile(profile)
    if chosen is Profile.PORTABLE:
        return Options(
            gru=GruForm.STORAGE,
            lstm=LstmForm.STORAGE,
            dense=DenseForm.STORAGE,
            profile=chosen,
        )
    return Options(gru=GruForm(gru), lstm=LstmForm(lstm), dense=DenseForm(dense), profile=chosen)
