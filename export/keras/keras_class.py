"""The record of one layer class of Keras: a row of the table in translations.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One array of a layer.  In a legacy file, a model's trainable arrays come first."""

    name: str
    trainable: bool = True


#: Adds the layers of one call to the graph; returns the edges of its results, in Keras' order.
Emit: TypeAlias = Callable[[Call], list[str]]
#: A layer's own arrays (not those of layers inside it), in the order in which Keras stores them.
Variables: TypeAlias = Callable[[LayerConfig], tuple[Variable, ...]]
#: From a call and the edges of its results to the masks of the first results; others have none.
MaskRule: TypeAlias = Callable[[Call, Sequence[str]], tuple[str | None, ...]]


def no_variables(_layer: LayerConfig) -> tuple[Variable, ...]:
    return ()


def no_mask(_call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    return ()


def accept(_layer: LayerConfig) -> None:
    """Refuses nothing: every option of the class is supported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasClass:
    """How calls of one class become layers of the graph.

    variables, mask: the weights that a layer has and the masks that its results carry (masks.py).
    refuse: raises UnsupportedLayer for options that the graph cannot express, because they change
    the weights or the computation; called before anything else of the model is read.
    is_stepwise: treats each step of time alike, so that TimeDistributed changes nothing.
    is_recurrent: reads the mask of its input, and can be given an initial state.
    """

    emit: Emit
    variables: Variables = no_variables
    mask: MaskRule = no_mask
    refuse: Callable[[LayerConfig], None] = accept
    is_stepwise: bool = False
    is_recurrent: bool = False


def named(*names: str, trainable: bool = True) -> tuple[Variable, ...]:
    return tuple(Variable(name=name, trainable=trainable) for name in names)


def arrays(*names: str) -> Variables:
    """Always these."""
    return lambda _layer: named(*names)


def arrays_and_bias(*names: str) -> Variables:
    """These, and a bias unless the layer has use_bias=False."""

    def variables(layer: LayerConfig) -> tuple[Variable, ...]:
        return named(*names, *(["bias"] if layer.flag("use_bias", default=True) else []))

    return variables


def scale_and_center(layer: LayerConfig) -> tuple[Variable, ...]:
    """gamma and beta, if the layer has them."""
    scale = ["gamma"] if layer.flag("scale", default=True) else []
    center = ["beta"] if layer.flag("center", default=True) else []
    return named(*scale, *center)
