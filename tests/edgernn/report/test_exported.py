"""The table that an export ends with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgernn.artefact import Artefact, Source, Verification, VerificationStatus, stored_file
from edgernn.report.exported import exported_table, verification_text
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
    lines = exported_table([ARTEFACT], Path("out")).splitlines()
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
        "Written to out/ with model.json.",
    ]


def test_a_small_error_is_not_shown_as_none():
    assert verification_text(replace(INTEGERS, mean_error=1e-6)).startswith("mean error <0.01%")
