"""Files run in runtimes of other people as in ONNX Runtime, and as the documentation says."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import pytest

from edgernn.export import consumers
from edgernn.scheme import Scheme
from tests.consumers.matrix import (
    FROM_KERAS,
    FROM_KERAS_OF_INTEGERS,
    SCHEMES,
    File,
    difference,
    files,
    measured,
    verdicts,
)
from tests.consumers.runtimes import RUNTIMES, Runtime, told

#: Those that once were wrong somewhere, in the time that `make test` has.
SOME: Final = (
    "LSTM",
    "Bidirectional(GRU)",
    "Bidirectional(LSTM)",
    "Embedding(mask_zero), Bidirectional(GRU)",
    "Masking, LSTM with states",
    "two GRUs",
)

EACH = pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)


@lru_cache(maxsize=1)
def some_files() -> tuple[File, ...]:
    plain = files(only=SOME, schemes=[Scheme.FLOAT32])
    return (*plain, *files(only=SOME, schemes=[Scheme.DYNAMIC], profiles=["portable"]))


def need(runtime: Runtime) -> None:
    if reason := runtime.missing():
        pytest.skip(reason)


@EACH
def test_a_runtime_treats_files_as_the_documentation_says(runtime: Runtime) -> None:
    need(runtime)
    recorded = {
        (tried.model, tried.scheme, tried.profile): tried.reasons[runtime.name]
        for tried in consumers.recorded().answers
    }
    made = some_files()
    for file, found in zip(made, verdicts(runtime, made), strict=True):
        assert found == recorded[file.model, file.scheme, file.profile], file.model


@pytest.mark.long
@EACH
def test_the_whole_record_is_current(runtime: Runtime) -> None:
    need(runtime)
    made = list(files())
    for file in made:
        assert file.off_keras <= FROM_KERAS.get(file.scheme, FROM_KERAS_OF_INTEGERS), file.model
    found = measured(made, [runtime])
    recorded = consumers.recorded()
    assert found.versions[runtime.name] == recorded.versions[runtime.name]
    for now, then in zip(found.answers, recorded.answers, strict=True):
        assert (now.model, now.scheme, now.profile) == (then.model, then.scheme, then.profile)
        assert now.reasons[runtime.name] == then.reasons[runtime.name], now


def test_a_portable_file_of_a_recurrent_layer_runs_everywhere_but_where_an_operator_is_missing():
    """What the record says, read without any of the runtimes."""
    for tried in consumers.recorded().answers:
        if tried.profile == "portable":
            for runtime, reason in tried.reasons.items():
                assert not reason or reason.startswith(("lacks", "takes no", "fails inside")), (
                    tried.model,
                    runtime,
                )


def test_every_scheme_that_onnx_files_store_was_tried():
    assert {tried.scheme for tried in consumers.recorded().answers} == set(SCHEMES)


def test_a_wrong_answer_is_not_taken_for_a_right_one() -> None:
    right = {"y": np.ones((2, 3), np.float32)}
    assert difference(right, right) == 0
    assert difference({"y": right["y"] + 0.5}, right) == pytest.approx(0.5)
    assert difference({"z": right["y"]}, right) == float("inf")
    assert difference({"y": right["y"][0]}, right) == float("inf")
    assert difference({"y": right["y"] * np.nan}, right) == float("inf")


def test_messages_of_runtimes_become_phrases() -> None:
    opencv = '(-2) Can\'t create layer "f!lstm" of type "com.microsoft.DynamicQuantizeLSTM" in'
    assert told(opencv) == "lacks the operator DynamicQuantizeLSTM"
    assert told("error: what nobody has seen").startswith("fails: what nobody")
