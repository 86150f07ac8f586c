"""A limit on the loss binds each written file, in the arithmetic of its own format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.artefact import Artefact
from edgernn.errors import LossTooLarge, VerificationError
from edgernn.export.in_scheme import float_graph
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.graph import Multiplying
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN
from tests.zoo.runtimes import open_file

MODEL = GOLDEN / "trained" / "digits_gru.keras"


class OnlyIn:
    """A limit that files of one format break until enough layers stay in float."""

    costly: tuple[str, ...] = ()

    def __init__(self, backend: str, layers: int) -> None:
        self.backend, self.layers, self.asked = backend, layers, 0

    def require(self, artefact: Artefact, folder: Any) -> None:
        assert (folder / artefact.name).exists()
        if artefact.backend == self.backend:
            self.asked += 1
            if self.asked <= self.layers:
                raise LossTooLarge(f"{artefact.name} loses 3 points", remedy="Allow 3")


def exported(tmp_path: Any, limit: OnlyIn) -> tuple[Artefact, ...]:
    model = read_model(MODEL)
    graph = float_graph(model.graph)
    limit.costly = tuple(layer.name for layer in graph.layers if isinstance(layer, Multiplying))
    (entry,) = graph.inputs
    ranges = calibrate(graph, {entry.name: splits_of("digits").calibration.x[:24]})
    request = Request(scheme=Scheme.INT8, ranges=ranges, verify=False, backends=("onnx", "native"))
    return export_model(model, tmp_path, replace(request, limit=limit))


def test_a_format_that_loses_too_much_keeps_more_layers_and_the_others_do_not(tmp_path):
    limit = OnlyIn("native", 1)
    onnx, native = exported(tmp_path, limit)
    kept = [key for key, value in native.details.items() if "no more than allowed" in value]
    assert kept == [f"layer {limit.costly[0]}"]
    assert not any("no more than allowed" in value for value in onnx.details.values())
    assert native.bytes > exported(tmp_path / "plain", OnlyIn("none", 0))[1].bytes


def test_a_file_that_no_choice_of_layers_helps_is_refused(tmp_path):
    with pytest.raises(VerificationError, match=r"loses 3 points; no choice of float layers helps"):
        exported(tmp_path, OnlyIn("native", 99))
    assert [path.suffix for path in tmp_path.glob("*.onnx")] == [".onnx"]
    assert list(tmp_path.glob("*.ernn")) == []


def test_the_limit_holds_in_the_runtime_of_each_file(tmp_path):
    """Rows that int8 answers otherwise than float32: of these, none may be lost."""
    splits = splits_of("digits")
    graph = float_graph(read_model(MODEL).graph)
    (entry,) = graph.inputs
    (output,) = graph.outputs
    exact = run(graph, {entry.name: splits.test.x})[output.name].argmax(axis=-1)
    calibration = splits.calibration.x[:24]
    loaded = edgernn.load(MODEL)
    plain = loaded.export(tmp_path / "plain", to="tflite", scheme="int8", calibrate=calibration)

    def answers(made: Any, x: Any) -> Any:
        session = open_file("tflite", made["tflite"].path.read_bytes())
        return np.array([session({entry.name: row[None]})[output.name].argmax() for row in x])

    other = np.flatnonzero(answers(plain, splits.test.x) != exact)
    rows = np.concatenate([other, np.arange(40)])
    x, y = splits.test.x[rows], exact[rows]
    assert len(other) > 0
    made = loaded.export(
        tmp_path / "held", to="tflite", scheme="int8", calibrate=calibration, data=(x, y),
        max_drop=0,
    )  # fmt: skip
    assert (answers(made, x) == y).all()
