"""Arguments of the Python interface are checked by their annotations, before any work begins."""

from __future__ import annotations

import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache, wraps
from numbers import Integral, Real
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np

from edgernn.errors import WrongOption

_P = ParamSpec("_P")
_R = TypeVar("_R")

_ONE: Final[Mapping[object, str]] = {
    str: "a text",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    os.PathLike: "a path",
    Callable: "a function",
    Mapping: "a dict",
}


def checked_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Raises WrongOption where an argument is not of the type that its annotation names.

    >>> model.export("out/", to=3)
    WrongOption: to is 3, of the type int. Give a text, a list, each a text, or None
    """
    signature = inspect.signature(function)

    @wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        given = signature.bind(*args, **kwargs).arguments  # TypeError for a name it does not have
        for name, value in _one_by_one(signature, given):
            wanted = _hints(function).get(name, Any)
            if not _is(value, wanted):
                shown = repr(value)
                shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
                raise WrongOption(
                    f"{name} is {shown}, of the type {type(value).__name__}",
                    remedy=f"Give {_words(wanted)}",
                )
        return function(*args, **kwargs)

    return checked


def require_at_least(least: int, **given: float | None) -> None:
    """Raises WrongOption for the first option below `least`, for NaN and infinity; None may be."""
    for name, value in given.items():
        if value is not None and not least <= value < math.inf:
            raise WrongOption(f"{name} is {value:g}", remedy=f"Give a number of at least {least}")


_LONGEST: Final = 40


def _one_by_one(
    signature: inspect.Signature, given: Mapping[str, Any]
) -> Iterator[tuple[str, object]]:
    for name, value in given.items():
        match signature.parameters[name].kind:
            case inspect.Parameter.VAR_POSITIONAL:
                yield from ((name, one) for one in value)
            case inspect.Parameter.VAR_KEYWORD:
                pass  # options of formats, which have a check of their own
            case _:
                yield name, value


@cache
def _hints(function: Callable[..., object]) -> dict[str, Any]:
    return typing.get_type_hints(function)


def _is(value: object, wanted: Any) -> bool:
    kinds, inner = typing.get_origin(wanted) or wanted, typing.get_args(wanted)
    if wanted is Any or isinstance(wanted, TypeVar) or wanted is object:
        return True
    if kinds in (typing.Union, types.UnionType):
        return any(_is(value, one) for one in inner)
    if wanted in (None, type(None)):
        return value is None
    if kinds is Callable:
        return callable(value)
    if kinds in (Sequence, Iterable):
        if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
            return False
        known = value if isinstance(value, list | tuple | set | frozenset) else ()
        return all(_is(one, inner[0]) for one in known)
    if wanted is bool:
        return isinstance(value, bool | np.bool_)
    if wanted in (int, float):
        kind = Integral if wanted is int else Real
        return isinstance(value, kind) and not isinstance(value, bool)
    return isinstance(value, kinds)


def _words(wanted: Any) -> str:
    """ "a text, a list of texts, or None": what may be given."""
    several = typing.get_origin(wanted) in (typing.Union, types.UnionType)
    ways = [_way(one) for one in (typing.get_args(wanted) if several else (wanted,))]
    ways = list(dict.fromkeys(ways))
    if len(ways) < 3:
        return " or ".join(ways)
    return f"{', '.join(ways[:-1])}, or {ways[-1]}"


def _way(wanted: Any) -> str:
    kind, inner = typing.get_origin(wanted) or wanted, typing.get_args(wanted)
    if wanted in (None, type(None)):
        return "None"
    if kind in (Sequence, Iterable):
        return "a list" if inner[0] in (Any, object) else f"a list, each {_words(inner[0])}"
    if kind in _ONE:
        return _ONE[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(kind.__members__)} of {kind.__name__}"
    return f"a {kind.__name__}"
