"""How the numbers of a model are stored and computed."""

from __future__ import annotations

from enum import Enum


class Scheme(str, Enum):
    """float16 halves the file and computes in float32; dynamic and int8 are integer schemes."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"
