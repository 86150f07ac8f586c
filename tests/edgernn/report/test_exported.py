"""The table that an export ends with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgernn.artefact import (
    Artefact,
    Refusal,
    Source,
    Verification,
    VerificationStatus,
    stored_file,
)
from edgernn.report.exported import exported_table, outcome_text, verification_text
from edgernn.scheme import Scheme

INTEGERS = Verification(
    status=VerificationStatus.PASSED, mean_error=0.0012, agreement=0.984, cases=64
)
ARTEFACT = Artefact(
    model="gru",
    backend="onnx",
    scheme=Scheme.INT8,
    files=(stored_file("gru.int8.onnx", bytes(2500)),),
    inputs=(),
    outputs=(),
    states=(),
    streaming=False,
    source=Source(file="gru.keras", sha256="", bytes=0, keras_version="3", parameters=2500),
    details={"opset": "13", "layer a": "as a Scan", "layer b": "as a Scan", "layer c": "in float"},
    verification=INTEGERS,
)


def test_what_was_chosen_for_several_layers_is_said_once():
    lines = exported_table([ARTEFACT]).splitlines()
    assert lines[1].split() == [
        *("gru.int8.onnx", "2,500", "25%"),
        *(
            "mean",
            "error",
            "0.12%",
            "of",
            "the",
            "spread,",
            "same",
            "answer",
            "in",
            "98.4%",
            "of",
            "64",
            "cases",
        ),
        *("opset", "13"),
    ]
    assert lines[2:] == [
        "gru.int8.onnx: layers a, b as a Scan.",
        "gru.int8.onnx: layer c in float.",
    ]


def test_the_last_line_names_what_passed_what_was_not_checked_and_what_failed():
    skipped = Verification(
        status=VerificationStatus.SKIPPED, reason="ai-edge-litert is not installed"
    )
    unchecked = replace(
        ARTEFACT, files=(stored_file("gru.int8.tflite", b""),), verification=skipped
    )
    failed = Refusal(file="gru.int8.ernn", backend="native", reason="is off", failed=True)
    left_out = Refusal(file="gru.int8.toy", backend="toy", reason="has no int8")
    line = outcome_text([ARTEFACT, unchecked], [failed, left_out], Path("out"))
    assert line == (
        "Written to out/ with model.json. Passed the check: gru.int8.onnx. "
        "NOT CHECKED: gru.int8.tflite (ai-edge-litert is not installed). "
        "FAILED, not written: gru.int8.ernn."
    )
    assert outcome_text([], [failed], Path("out")) == "FAILED, not written: gru.int8.ernn."


def test_a_small_error_is_not_shown_as_none():
    assert verification_text(replace(INTEGERS, mean_error=1e-6)).startswith("mean error <0.01%")
