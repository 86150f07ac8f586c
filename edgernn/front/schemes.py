"""Schemes as people write them: one, several, and those of single layers."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from edgernn.errors import WrongOption
from edgernn.scheme import Scheme


def parsed_schemes(
    given: str | Scheme | Iterable[str | Scheme],
) -> tuple[tuple[Scheme, ...], dict[str, Scheme]]:
    """The schemes of the whole model, each once, and those of layers by name.

    Raises WrongOption for an unknown scheme, and for layers beside several schemes.

    >>> parsed_schemes("float32,int8")[0]
    (<Scheme.FLOAT32: 'float32'>, <Scheme.INT8: 'int8'>)
    >>> parsed_schemes(["int8", "dense=float32"])[1]
    {'dense': <Scheme.FLOAT32: 'float32'>}
    """
    entries = [given] if isinstance(given, str) else list(given)
    whole: dict[Scheme, None] = {}
    per_layer: dict[str, Scheme] = {}
    for text in (part for entry in entries for part in _text(entry).split(",")):
        layer, _, name = text.strip().rpartition("=")
        if layer:
            per_layer[layer] = _scheme(name)
        else:
            whole[_scheme(name)] = None
    if per_layer and len(whole) > 1:
        raise WrongOption(
            f"the scheme of layer '{next(iter(per_layer))}' is given beside several schemes of the "
            "model",
            remedy="Give one scheme for the model, or leave out those of layers",
        )
    return tuple(whole or {Scheme.FLOAT32: None}), per_layer


def _text(entry: str | Scheme) -> str:
    return entry.value if isinstance(entry, Scheme) else entry


def _scheme(name: str) -> Scheme:
    known = [scheme.value for scheme in Scheme]
    if name in known:
        return Scheme(name)
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known are {', '.join(known)}"
    raise WrongOption(f"there is no scheme '{name}'", remedy=hint)
