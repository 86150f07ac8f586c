"""An encoder and the step of its decoder as one model: a sequence in, tokens out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arrays import Array, Arrays
from .sessions import Session, Tensor

#: The output of the pair, and what fills it behind the last token (edgernn.graph.decoding).
TOKENS = "tokens"
NO_TOKEN = -1


def written(begun: Arrays, step: Callable[[Arrays], Arrays], decoder: Mapping[str, Any]) -> Array:
    """The likeliest token of each call, fed to the next: int32 [B, longest].

    `begun` holds the decoder's inputs as the encoder gives them; `step` makes one call.  A row ends
    before its stop token.
    """
    rows = next(iter(begun.values())).shape[0]
    tokens = np.full((rows, decoder["longest"]), NO_TOKEN, np.int32)
    feeds = {**begun, decoder["input"]: np.full((rows, 1), decoder["start"], np.int32)}
    going = np.ones(rows, bool)
    for place in range(decoder["longest"]):
        outputs = step(feeds)
        likeliest = outputs[decoder["output"]].reshape(rows, -1).argmax(axis=1).astype(np.int32)
        going &= likeliest != decoder["stop"]
        if not going.any():
            break
        tokens[going, place] = likeliest[going]
        feeds[decoder["input"]] = likeliest[:, None]
        feeds.update((a, outputs[b]) for a, b in decoder["states"])
    return tokens


class GreedySession:
    """Both files in one runtime, as a session whose call is the whole loop."""

    def __init__(self, encoder: Session, decoder: Session, rules: Mapping[str, Any]) -> None:
        self._encoder, self._decoder, self._rules = encoder, decoder, rules
        self._taken = {tensor.name: tensor for tensor in decoder.inputs}
        self._given = {tensor.name: tensor for tensor in (*encoder.outputs, *decoder.outputs)}
        self.inputs = encoder.inputs
        self.outputs = [Tensor(TOKENS, [None, rules["longest"]], "int32")]

    def call(self, feeds: Arrays) -> Arrays:
        begun = self._encoder.call(feeds)
        needed = {name: self._real(name, x) for name, x in begun.items() if name in self._taken}
        return {TOKENS: written(needed, self._step, self._rules)}

    def _step(self, feeds: Arrays) -> Arrays:
        outputs = self._decoder.call(
            {name: self._taken[name].stored(x) for name, x in feeds.items()}
        )
        return {name: self._real(name, x) for name, x in outputs.items()}

    def _real(self, name: str, x: Array) -> Array:
        return self._given[name].real(x)


def opened(
    session_class: Callable[[Any, Mapping[str, Any]], Session],
    runtime: Any,
    request: Mapping[str, Any],
) -> Session | GreedySession:
    """The model that is requested, with its decoder where it has one."""
    session = session_class(runtime, request)
    rules = request.get("decoder")
    if rules is None:
        return session
    decoder = session_class(runtime, {**request, "model": rules["file"]})
    return GreedySession(session, decoder, rules)
