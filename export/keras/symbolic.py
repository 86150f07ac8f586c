"""The values of the operations in a config: tensors, parts of masks, and unknown values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from edgernn.errors import UnsupportedLayer
from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.config import LayerConfig
from edgernn.graph import DType


@dataclass(frozen=True, slots=True, kw_only=True)
class Unequal:
    """input != value, element by element: a mask, or half of one."""

    edge: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mask repeated along a new last axis; mask None: `everywhere`, at each element of `like`."""

    mask: Tensor | Unequal | None
    everywhere: bool = False
    like: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Spread masks joined along `axis`, before the last axis is reduced away."""

    parts: tuple[Spread, ...]
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The result of an operation without a translation, or a value computed from one.

    limit, remedy: the unsupported use of a known operation, as the end of a sentence; what to do.
    """

    operation: str
    layer: LayerConfig
    limit: str = ""
    remedy: str = ""

    def refusal(self) -> UnsupportedLayer:
        return self.layer.unsupported(
            self.limit or f"uses the operation {self.operation}, which edgernn does not support",
            self.remedy or "Use a Keras layer or an operation that docs/support.md lists",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AllValid:
    """A mask that is true at every step of `like`."""

    like: Tensor | None = None


Value: TypeAlias = Tensor | Unequal | Spread | Joined | Unknown | AllValid

#: Computes an operation's Values from its arguments (Values, numbers, lists) and options.
Translate: TypeAlias = Callable[[Call, list[Any], dict[str, Any]], Value | list[Value]]


def unknown(
    call: Call, operation: str | None = None, *, limit: str = "", remedy: str = ""
) -> Unknown:
    """`operation`: the unsupported part, if it is not the whole operation."""
    name = operation or call.layer.kind
    return Unknown(operation=name, layer=call.layer, limit=limit, remedy=remedy)


def single_axis(value: Any) -> Any:
    """1 for 1 and [1]."""
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def constant(value: Any) -> Any:
    """A number or array as float32 [1 or more axes]; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.ndarray):
        return None
    array = np.atleast_1d(np.asarray(value, np.float32))
    return array if np.isfinite(array).all() else None


def tensor_of(call: Call, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    raise call.layer.unsupported(
        "computes with something that is not a tensor of numbers", "Use layers instead"
    )


def two_arguments(call: Call, args: list[Any]) -> tuple[Any, Any]:
    if len(args) != 2:
        raise call.layer.damaged(f"has {len(args)} arguments instead of two")
    return args[0], args[1]


def spread(call: Call, value: Any, axis: Any) -> Value | None:
    """ExpandDims of a mask; None if `value` is no mask."""
    if isinstance(value, AllValid) and axis == -1:
        return Spread(mask=None, everywhere=True, like=value.like)
    is_mask = isinstance(value, Unequal) or (
        isinstance(value, Tensor) and call.builder.dtype(value.edge) is DType.BOOL
    )
    if not is_mask:
        return None
    last = axis in (-1, call.builder.rank(value.edge))
    return Spread(mask=value) if last else unknown(call)
