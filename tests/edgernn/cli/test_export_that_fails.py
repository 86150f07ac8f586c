"""`edgernn export` where a file fails its check: what passed is kept, and all say so."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgernn import errors
from edgernn.artefact import read_manifest, read_refusals
from edgernn.export import backend_named, one_format, verify
from edgernn.export.quantization import unlike
from edgernn.front.loaded import load
from tests.edgernn.cli.exported import SMALL
from tests.formats import RUN


def off_by_a_little(graph):
    """The same graph, every bias too large by 0.01: a mistake that only running it shows."""
    layers = tuple(
        replace(layer, bias=layer.bias + np.float32(0.01)) if "bias" in layer.weights else layer
        for layer in graph.layers
    )
    return replace(graph, layers=layers)


@pytest.mark.parametrize("backend", RUN)
def test_an_artefact_that_disagrees_is_not_handed_over(edgernn, tmp_path, monkeypatch, backend):
    honest = backend_named(backend)

    def lower(graph, *, metadata):
        return honest.lower(off_by_a_little(graph), metadata=metadata)

    lying = replace(honest, lower=lower)
    monkeypatch.setattr(one_format, "backend_named", lambda _name: lying)
    ran = edgernn("export", SMALL, "-o", tmp_path / "out", "--to", backend)
    assert ran.code == errors.VerificationError.code
    assert "'probabilities' is off by" in ran.err
    assert not (tmp_path / "out").exists()


def lie_in(monkeypatch, *backends):
    """These back ends write another model than they were given."""

    def named(name):
        honest = backend_named(name)
        if name not in backends:
            return honest
        return replace(
            honest, lower=lambda graph, **given: honest.lower(off_by_a_little(graph), **given)
        )

    monkeypatch.setattr(one_format, "backend_named", named)


def test_what_passed_is_kept_when_one_format_fails_and_all_say_so(edgernn, tmp_path, monkeypatch):
    assert edgernn("export", SMALL, "-o", tmp_path).code == 0
    lie_in(monkeypatch, "tflite")
    ran = edgernn("export", SMALL, "-o", tmp_path)
    assert ran.code == errors.VerificationError.code
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.json",
        "small_gru.ernn",
        "small_gru.onnx",
    ]
    outcome = (
        f"Written to {tmp_path}/ with model.json. "
        "Passed the check: small_gru.onnx, small_gru.ernn. FAILED, not written: small_gru.tflite."
    )
    assert ran.out.splitlines()[-1] == outcome
    assert ran.err.splitlines()[-1] == outcome
    (refusal,) = read_refusals(tmp_path)
    assert refusal.failed
    assert refusal.removed
    assert "'probabilities' is off by" in refusal.reason
    assert [artefact.backend for artefact in read_manifest(tmp_path)] == ["onnx", "native"]
    monkeypatch.undo()
    assert edgernn("export", SMALL, "-o", tmp_path).code == 0
    assert not read_refusals(tmp_path)


def test_a_scheme_that_fails_in_each_format_does_not_cost_another_scheme_its_files(
    edgernn, tmp_path, monkeypatch
):
    assert edgernn("export", SMALL, "-o", tmp_path, "--scheme", "dynamic").code == 0
    monkeypatch.setattr(verify, "MADE_UP_TOLERANCE", 1e-12)
    ran = edgernn("export", SMALL, "-o", tmp_path, "--scheme", "float32,dynamic", "--json")
    assert ran.code == errors.VerificationError.code
    document = json.loads(ran.out)
    assert {entry["scheme"] for entry in document["artefacts"]} == {"float32"}
    failed = [entry["file"] for entry in document["refused"] if entry["failed"]]
    assert failed == [f"small_gru.dynamic.{suffix}" for suffix in ("onnx", "tflite", "ernn")]
    assert all(entry["removed"] for entry in document["refused"])
    assert not list(tmp_path.glob("*.dynamic.*"))
    assert [refusal.file for refusal in read_refusals(tmp_path)] == failed


def test_the_remedy_of_a_failed_scheme_is_one_that_was_tried_and_passes(
    edgernn, tmp_path, monkeypatch
):
    monkeypatch.setattr(verify, "MADE_UP_TOLERANCE", 1e-12)  # float16 is off by more, too
    out = tmp_path / "out"
    ran = edgernn("export", SMALL, "-o", out, "--scheme", "dynamic", "--to", "native")
    assert ran.code == errors.VerificationError.code
    assert "--scheme float32 passes the check on the same inputs (max error" in ran.err
    assert "--scheme dynamic" not in ran.err
    assert not out.exists()


def test_where_no_scheme_passes_the_error_says_so(edgernn, tmp_path, monkeypatch):
    lie_in(monkeypatch, "native")
    monkeypatch.setattr(verify, "MADE_UP_TOLERANCE", 1e-12)
    ran = edgernn("export", SMALL, "-o", tmp_path, "--scheme", "float16", "--to", "native")
    assert "Nor does float32 pass the check. The artefact was not written." in ran.err


def test_warnings_are_shown_where_nothing_passed(edgernn, tmp_path, monkeypatch):
    """Features of unlike scale are why few bits fail, and --calibrate is what helps."""
    monkeypatch.setattr(unlike, "_UNLIKE", 1.001)
    monkeypatch.setattr(verify, "MADE_UP_TOLERANCE", 1e-12)
    ran = edgernn("export", SMALL, "-o", tmp_path, "--scheme", "dynamic")
    assert ran.code == errors.VerificationError.code
    assert "as for features of unlike scale" in ran.err
    assert "--calibrate" in ran.err


def test_a_python_caller_gets_what_passed_with_the_error(tmp_path, monkeypatch):
    lie_in(monkeypatch, "onnx")
    with pytest.raises(errors.VerificationError) as caught:
        load(SMALL).export(tmp_path, to=["onnx", "native"])
    assert list(caught.value.made) == ["small_gru.ernn"]
    assert "Passed the check: small_gru.ernn." in str(caught.value)
