"""Options of a TFLite file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Profile(str, Enum):
    """Which kernels an int8 file may use."""

    DEFAULT = "default"  # int8 products, states in float32: the accurate one, for CPUs
    INTEGER_ONLY = "integer-only"  # no float32 between input and output: for NPUs
    MICRO = "micro"  # like integer-only, and small in memory: for tflite-micro


class Runtime(str, Enum):
    """The oldest runtime that must load the file; only used by the scheme dynamic."""

    LITERT = "litert"  # ai-edge-litert, TensorFlow 2.17 and later
    TFLITE_214 = "2.14"  # the last tflite-runtime: one scale for each matrix instead of each row


class Io(str, Enum):
    """The type of an int8 file's inputs and outputs.  Tokens, masks and states keep theirs."""

    FLOAT32 = "float32"
    INT8 = "int8"
    UINT8 = "uint8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The choices of one `lower`."""

    profile: Profile = Profile.DEFAULT
    runtime_min: Runtime = Runtime.LITERT
    io: Io = Io.FLOAT32
