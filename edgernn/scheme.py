"""How a model's numbers are stored and computed: one row for each scheme."""

from __future__ import annotations

from enum import Enum

from typing_extensions import Self


class Numbers(str, Enum):
    """A type of number, for weights or for what passes between layers."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    INT4 = "int4"


class Scheme(str, Enum):
    """A scheme by name, in the order from most to fewest bits: names of files depend on the order.

    weights: the type in which matrices are stored; biases stay float32 or become int32.
    activations: the type in which inputs, outputs and states of a layer are computed.
    purpose: one phrase for help texts, without the name.

    Scheme("int8") is Scheme.INT8, Scheme.INT8 == "int8", and JSON shows "int8".
    """

    _value_: str
    weights: Numbers
    activations: Numbers
    purpose: str

    # Only the rows below are made by this.  The defaults are never used: without them, type
    # checkers would take Scheme("int8"), a look-up, for a call that lacks arguments.
    def __new__(
        cls,
        name: str,
        weights: Numbers = Numbers.FLOAT32,
        activations: Numbers = Numbers.FLOAT32,
        purpose: str = "",
    ) -> Self:
        row = str.__new__(cls, name)
        row._value_ = name
        row.weights = weights
        row.activations = activations
        row.purpose = purpose
        return row

    FLOAT32 = ("float32", Numbers.FLOAT32, Numbers.FLOAT32, "the model's own precision")
    FLOAT16 = (
        "float16", Numbers.FLOAT16, Numbers.FLOAT32, "half the bytes, computed in float32",
    )  # fmt: skip
    DYNAMIC = ("dynamic", Numbers.INT8, Numbers.FLOAT32, "int8 weights, no data needed")
    INT8 = ("int8", Numbers.INT8, Numbers.INT8, "integer arithmetic, needs --calibrate")
    INT4 = (
        "int4", Numbers.INT4, Numbers.INT8, "int8 with weights of 4 bits, half the bytes",
    )  # fmt: skip

    @property
    def needs_calibration(self) -> bool:
        """Whether ranges must be known: integer activations have scales fixed before the run."""
        return self.activations is Numbers.INT8

    @property
    def has_integer_weights(self) -> bool:
        """Whether rounding changes outputs so much that they are held to their mean error."""
        return self.weights in (Numbers.INT8, Numbers.INT4)
