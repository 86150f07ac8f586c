"""Keras' wrappers: layers that run another layer, in both directions or at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from edgernn.export.keras.attention import ATTENTION
from edgernn.export.keras.call import UNREADABLE_MASK, Call, Tensor
from edgernn.export.keras.einsum import EINSUM
from edgernn.export.keras.images import IMAGES
from edgernn.export.keras.keras_class import KerasClass
from edgernn.export.keras.layers import LAYERS
from edgernn.export.keras.masks import passing
from edgernn.export.keras.merging import MERGING
from edgernn.export.keras.recurrent import RECURRENT, flattened, reversed_in_time, with_zeros
from edgernn.export.keras.scaling import SCALING
from edgernn.export.keras.spectrograms import SPECTROGRAMS
from edgernn.export.keras.stft import STFT
from edgernn.export.keras.text import TEXT
from edgernn.export.keras.windows import WINDOWS
from edgernn.graph import ApplyMask, Concatenate, FoldTime, Merge, MergeKind, UnfoldTime

#: The classes that are no wrappers.
INSIDE: Final[dict[str, KerasClass]] = {
    **LAYERS,
    **SCALING,
    **WINDOWS,
    **IMAGES,
    **MERGING,
    **ATTENTION,
    **EINSUM,
    **RECURRENT,
    **TEXT,
    **SPECTROGRAMS,
    **STFT,
}


def bidirectional(call: Call) -> list[str]:
    layer = call.layer
    forward, backward = layer.children["forward_layer"], layer.children["backward_layer"]
    for inner in (forward, backward):
        if inner.kind not in INSIDE or not INSIDE[inner.kind].is_recurrent:
            raise layer.unsupported(f"wraps a {inner.kind}", "Wrap a GRU, LSTM or SimpleRNN")
    returns_sequences = forward.flag("return_sequences")
    zeros = returns_sequences and call.keras.bidirectional_zeros_masked_steps
    if not call.inputs:
        raise layer.damaged("is called on nothing")
    given: Any = call.kwargs.get("initial_state")
    if given is None and call.extra:
        given = call.extra[0]
    states = [Tensor(edge=edge) for edge in with_zeros(call, flattened(given))] + list(
        call.inputs[1:]
    )
    half = len(states) // 2
    sequence = Tensor(edge=call.inputs[0].edge, mask=call.mask)
    ahead = call.inner(
        forward.with_option("zero_output_for_mask", zeros),
        [sequence, *states[:half]],
        call.aside("forward"),
    )
    zeroing = call.mask if zeros and backward.flag("unroll") else None
    back = call.inner(
        backward.with_option("zero_output_for_mask", zeros and zeroing is None),
        [sequence, *states[half:]],
        call.aside("backward"),
    )
    y, y_back = ahead[0].edge, back[0].edge
    if zeroing is not None:
        # NOTE: Keras' unrolled loop gives outputs in the order of processing, from the last step to
        # the first, and sets them to zero by the mask in the order of time (keras 3.15,
        # backend/tensorflow/rnn.py; tf_keras 2.21, backend.py).  The model was trained so.
        name = call.aside("zeroed")
        call.add(ApplyMask(name=name, input=y_back, mask=zeroing, output=name))
        y_back = name
    if returns_sequences:
        y_back = reversed_in_time(call, y_back)
    final = [tensor.edge for tensor in (*ahead[1:], *back[1:])]
    return [*_both_ways(call, y, y_back), *final]


def _both_ways(call: Call, forward: str, backward: str) -> list[str]:
    kinds = {"sum": MergeKind.ADD, "mul": MergeKind.MULTIPLY, "ave": MergeKind.AVERAGE}
    pair = (forward, backward)
    match call.layer.options.get("merge_mode", "concat"):
        case None:
            return [*pair]
        case "concat":
            call.add(Concatenate(name=call.name, inputs=pair, output=call.name, axis=-1))
        case str(mode) if mode in kinds:
            call.add(Merge(name=call.name, inputs=pair, output=call.name, kind=kinds[mode]))
        case mode:
            raise call.layer.damaged(f"has the merge mode {mode!r}")
    return [call.name]


def time_distributed(call: Call) -> list[str]:
    inner = call.layer.children["layer"]
    sequence = call.inputs[0] if call.inputs else None
    if sequence is None or call.rank < 3:
        raise call.layer.damaged("is called on a tensor without a time axis")
    mask = None if sequence.mask is None else UNREADABLE_MASK
    if inner.kind in INSIDE and INSIDE[inner.kind].is_stepwise:
        return [_single(call, call.inner(inner, [Tensor(edge=call.edge)], call.name))]
    folded = call.aside("fold")
    call.add(FoldTime(name=folded, input=call.edge, output=folded))
    results = call.inner(inner, [Tensor(edge=folded, mask=mask)], call.aside(inner.name))
    call.add(UnfoldTime(
        name=call.name, input=_single(call, results), like=call.edge, output=call.name
    ))  # fmt: skip
    return [call.name]


def _single(call: Call, results: list[Tensor]) -> str:
    if len(results) != 1:
        raise call.layer.unsupported(
            f"wraps a layer with {len(results)} results", "Wrap a layer that returns one tensor"
        )
    return results[0].edge


def _mask_of_both_ways(call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    if not call.layer.children["forward_layer"].flag("return_sequences"):
        return ()
    apart = call.layer.options.get("merge_mode", "concat") is None
    return passing(call) * (2 if apart else 1)


def _mask_of_steps(call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    inner = call.layer.children["layer"]
    makes_masks = inner.kind == "Masking" or (inner.kind == "Embedding" and inner.flag("mask_zero"))
    # Keras 2 calls the inner layer's compute_mask, which returns a mask of more than two axes.
    return (UNREADABLE_MASK,) if call.keras.major < 3 and makes_masks else passing(call)


WRAPPERS: Final[dict[str, KerasClass]] = {
    "Bidirectional": KerasClass(emit=bidirectional, mask=_mask_of_both_ways, is_recurrent=True),
    "TimeDistributed": KerasClass(emit=time_distributed, mask=_mask_of_steps),
}
