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
from edgernn.graph import DecoderStep
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


FLOAT16 = Verification(
    status=VerificationStatus.PASSED, max_error=2e-7, original_error=3e-4, cases=1
)


def test_a_table_of_an_export_shows_what_decides_and_says_the_rest_below_it():
    exact = replace(
        ARTEFACT,
        verification=replace(INTEGERS, integers="bits"),
        files=(stored_file("gru.int8.ernn", b""),),
        details={},
    )
    half = replace(
        ARTEFACT,
        verification=FLOAT16,
        files=(stored_file("gru.float16.ernn", b""),),
        details={},
    )
    assert exported_table([ARTEFACT, exact, half]).splitlines() == [
        f"file              bytes  of float32  {'checked':<43}  same answer",
        "gru.int8.onnx     2,500  25 %        mean error 0.12 % of the spread in 64 cases  98.4 %",
        "gru.int8.ernn     0      0 %         mean error 0.12 % of the spread in 64 cases  98.4 %",
        "gru.float16.ernn  0      0 %         max error 3e-04 in 1 case",
        "gru.int8.onnx: layers a, b as a Scan.",
        "gru.int8.onnx: layer c in float.",
        "gru.int8.ernn: integers as specified bit for bit.",
        "gru.float16.ernn: max error 2e-07 against the model with the rounded weights.",
    ]


def test_a_table_of_an_export_fits_100_columns_however_many_layers_a_sentence_names():
    layers = {f"layer bidirectional_{number}": "in float" for number in range(20)}
    lines = exported_table([replace(ARTEFACT, details=layers)]).splitlines()
    assert len(lines) > 4
    assert max(map(len, lines)) <= 100


def test_the_table_says_once_what_the_files_were_checked_on():
    kept = replace(
        ARTEFACT, verification=replace(INTEGERS, checked_on="kept-back rows"), details={}
    )
    made_up = replace(kept, verification=replace(FLOAT16, checked_on="made-up inputs"))
    assert exported_table([kept, kept]).splitlines()[3:] == ["Checked on kept-back rows."]
    assert exported_table([kept, made_up]).splitlines()[3:] == [
        "Checked on kept-back rows: gru.int8.onnx.",
        "Checked on made-up inputs: gru.int8.onnx.",
        "gru.int8.onnx: max error 2e-07 against the model with the rounded weights.",
    ]


def test_a_file_in_words_has_all_that_the_check_found():
    assert verification_text(replace(INTEGERS, integers="within")) == (
        "mean error 0.12 % of the spread in 64 cases, same answer in 98.4 %, integers as specified"
    )
    assert verification_text(FLOAT16) == (
        "max error 3e-04 in 1 case, max error 2e-07 against the model with the rounded weights"
    )


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
    assert verification_text(replace(INTEGERS, mean_error=1e-6)).startswith("mean error <0.01 %")


def test_a_pair_of_files_says_so():
    step = DecoderStep(
        file="say.decoder.onnx", input="previous", output="p", start=0, stop=0, longest=9
    )
    pair = replace(
        ARTEFACT,
        files=(stored_file("say.encoder.onnx", b"1"), stored_file("say.decoder.onnx", b"23")),
        decoder=step,
    )
    table = exported_table([pair])
    assert "say.encoder.onnx: its decoder is say.decoder.onnx; bytes and check are those" in table
    assert "say.encoder.onnx  3 " in table
