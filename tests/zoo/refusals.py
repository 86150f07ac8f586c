"""What is refused, by whom: an unexpected refusal fails the parity test, so does its absence."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from tests.zoo.case import Generation

READER: Final = "reader"

#: Who refuses -> patterns of "<case>-<generation>".
REFUSED: Final[dict[str, tuple[str, ...]]] = {
    READER: (
        "layer-layer_normalization-rms-*",
        "practice-stateful_from_a_state-keras2",
    ),
    "onnx": (),
    "tflite": (),
    "native": (
        "*activation_softmax-*",  # of gates
        "layer-softmax-over_time-free_time-*",
        "layer-permute-free_time-*",
        "layer-layer_normalization-two_axes-*",
        "layer-batch_normalization-over_time-*",
        "layer-normalization-over_time-*",
        "layer-normalization-two_axes-*",
        "moved_tokens-*",  # three axes of tokens
        # the steps become rows of the batch
        *(f"function-reshape-{fold}-*" for fold in ("fold", "fold_two_axes", "fold_and_regroup")),
        "function-fold_free_time-*",
        "function-gru_on_folded_time-*",
        "layer-prelu-keras*",  # a slope for each step
        "layer-prelu-old-*",
        # a recurrent layer goes through sequences inside of sequences
        *(f"time_distributed-{inner}-*" for inner in ("lstm", "embedding")),
        "globalaverage_pool2d-any_size-*",
        "elements4d-batch_normalization-rows-*",
        "einsum-every_place-*",  # a bias, or a scale, for each step
        "groups-steps-*",
        "groups-two-keras3",  # a group of a free number of steps
        *(
            f"practice-{model}-*"
            for model in (
                *("both_ways_each_step", "characters_and_words"),
                *("document", "document-masked"),
                *("time_major", "time_major-last"),  # time before batch
                "adapted_normalization",  # statistics of each step
            )
        ),
        "practice-document-*",
        "practice-both_ways_each_step-*",
        "practice-adapted_normalization-*",  # statistics for each step
        "practice-time_major-*",
    ),
}


def refuser(case: str, generation: Generation, target: str) -> str | None:
    """ "reader" or the back end that refuses this model on its way to `target`, else None."""
    for name in (READER, target):
        model = f"{case}-{generation.value}"
        if any(fnmatchcase(model, pattern) for pattern in REFUSED.get(name, ())):
            return name
    return None
