"""A row of the table of formats is all that a new back end needs; its schemes are enforced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgernn.artefact import Refusal, VerificationStatus, read_manifest, read_refusals
from edgernn.errors import UnsupportedScheme
from edgernn.export.contents import read_contents
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model
from edgernn.export.request import Request
from edgernn.formats import FORMATS
from edgernn.profile.candidates import find_candidates
from edgernn.scheme import Scheme
from tests.export.toy_backend import FORMAT
from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", FORMAT)


def test_a_row_makes_a_format_that_export_inspect_and_profile_know(tmp_path):
    (made,) = export_model(read_model(SMALL), tmp_path, Request(backends=("toy",)))
    path = tmp_path / "small_gru.toy"
    assert path.read_bytes().endswith(b" float32")
    assert made.verification.status is VerificationStatus.SKIPPED
    assert made.verification.reason == "no runner for toy files"
    assert read_contents(path).format == "toy"
    (tmp_path / "model.json").unlink()
    (candidate,) = find_candidates([tmp_path])
    assert candidate.item.backend == "toy"


@pytest.mark.parametrize(
    "request_",
    [
        Request(backends=("toy",), scheme=Scheme.DYNAMIC),
        Request(backends=("toy",), per_layer={"gru": Scheme.DYNAMIC}),
        Request(backends=("native", "toy"), scheme=Scheme.FLOAT16),
    ],
)
def test_a_named_format_that_lacks_the_scheme_is_an_error_and_nothing_is_written(
    tmp_path, request_
):
    asked = request_.fewest_bits.value
    with pytest.raises(UnsupportedScheme, match=f"the format 'toy' has no scheme {asked}") as error:
        export_model(read_model(SMALL), tmp_path / "out", request_)
    assert error.value.remedy == "Export it as float32, or choose another format with --to"
    assert not (tmp_path / "out").exists()


def test_a_format_that_is_not_named_and_lacks_the_scheme_is_left_out_with_the_reason(tmp_path):
    refused: list[Refusal] = []
    request = Request(scheme=Scheme.DYNAMIC, verify=False)
    made = export_model(read_model(SMALL), tmp_path, request, on_refusal=refused.append)
    assert [artefact.backend for artefact in made][:3] == ["onnx", "tflite", "native"]
    assert not list(tmp_path.glob("*.toy"))
    assert read_manifest(tmp_path) == made
    (refusal,) = refused
    assert read_refusals(tmp_path) == (refusal,)
    assert (refusal.file, refusal.backend) == ("small_gru.dynamic.toy", "toy")
    assert "the format 'toy' has no scheme dynamic. Export it as float32" in refusal.reason


def test_layers_kept_in_float_need_float_from_the_format_too(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", replace(FORMAT, schemes=frozenset({Scheme.DYNAMIC})))
    model = read_model(SMALL)
    whole = Request(backends=("toy",), scheme=Scheme.DYNAMIC)
    assert export_model(model, tmp_path / "whole", whole)[0].scheme is Scheme.DYNAMIC
    layer = model.graph.layers[0].name
    mixed = Request(backends=("toy",), scheme=Scheme.DYNAMIC, keep_float=(layer,))
    with pytest.raises(UnsupportedScheme, match="has no scheme float32"):
        export_model(model, tmp_path / "mixed", mixed)
