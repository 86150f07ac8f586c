"""A limit on the loss binds each written file, in the arithmetic of its own format."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.artefact import Artefact
from edgernn.devices.runners.outcome import Skipped
from edgernn.errors import LossTooLarge, VerificationError
from edgernn.export.in_scheme import float_graph
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.export.study.labelled import predict
from edgernn.export.study.rescue import FileLimit
from edgernn.graph import Graph
from edgernn.reference import run
from edgernn.scheme import Scheme
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import Score, truth_of
from edgernn.stats import Interval
from edgernn.tasks.given import as_samples
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN
from tests.zoo.runtimes import open_file

MODEL = GOLDEN / "trained" / "digits_gru.keras"


class OnlyIn:
    """A limit that files of one format break so many times."""

    def __init__(self, backend: str, times: int) -> None:
        self.backend, self.times, self.asked = backend, times, 0
        self.noise: dict[str, float] = {}

    def require(self, artefact: Artefact, folder: Any, _graph: Any) -> None:
        assert (folder / artefact.name).exists()
        if artefact.backend == self.backend:
            self.asked += 1
            if self.asked <= self.times:
                raise LossTooLarge(f"{artefact.name} loses 3 points", remedy="Allow 3")


def exported(tmp_path: Any, limit: OnlyIn) -> tuple[Artefact, ...]:
    model = read_model(MODEL)
    graph = float_graph(model.graph)
    (entry,) = graph.inputs
    rows = {entry.name: splits_of("digits").calibration.x[:24]}
    request = Request(
        scheme=Scheme.INT8,
        ranges=calibrate(graph, rows),
        examples=Examples(inputs=rows),
        verify=False,
        backends=("onnx", "native"),
        limit=limit,
    )
    return export_model(model, tmp_path, request)


def chosen_for_the_limit(artefact: Artefact) -> dict[str, str]:
    said = artefact.details.items()
    return {key: value for key, value in said if "no more than allowed" in value}


def test_a_format_that_loses_too_much_gets_finer_activations_and_the_others_do_not(tmp_path):
    """The LSTM of 8-bit states is the loudest layer of the native file; its weights stay int8."""
    onnx, native = exported(tmp_path, OnlyIn("native", 1))
    (said,) = chosen_for_the_limit(native).values()
    assert "16 bits" in said or "activations in float32" in said
    assert not chosen_for_the_limit(onnx)
    plain = exported(tmp_path / "plain", OnlyIn("none", 0))[1]
    assert native.bytes < 1.1 * plain.bytes
    assert (tmp_path / native.name).read_bytes() != (tmp_path / "plain" / plain.name).read_bytes()


def test_layers_become_float_only_where_finer_activations_do_not_help(tmp_path):
    _, plain = exported(tmp_path / "plain", OnlyIn("none", 0))
    for times in range(1, 9):
        _, native = exported(tmp_path / str(times), OnlyIn("native", times))
        said = [value for value in chosen_for_the_limit(native).values() if "is in float" in value]
        if said:
            break
    assert times > 1
    assert len(said) == 1
    assert native.bytes > plain.bytes


def test_a_file_that_no_choice_of_layers_helps_is_refused(tmp_path):
    with pytest.raises(VerificationError, match=r"loses 3 points; no choice of finer or float"):
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


def test_where_a_runtime_is_missing_the_reference_measures_the_loss(tmp_path, monkeypatch):
    """Its integers on these rows; with the answers to other rows nothing is within the limit."""
    monkeypatch.setattr(
        "edgernn.export.study.rescue.artefact_predictions",
        lambda artefact, _folder, _samples: Skipped(reason=f"no runtime of {artefact.backend}"),
    )
    splits = splits_of("digits")
    x, y = splits.test.x[:8], splits.test.classified[:8]
    loaded = edgernn.load(MODEL)
    options: dict[str, Any] = {
        "to": "native", "scheme": "int8", "calibrate": splits.calibration.x[:24]
    }  # fmt: skip
    loaded.export(tmp_path / "a", data=(x, y), max_drop=0, **options)

    def of_other_rows(limit: FileLimit, graph: Graph) -> Predictions:
        assert graph.layers
        other = replace(limit.samples, x=splits.test.x[8:16])
        return predict(limit.graph, other, file=limit.file)

    monkeypatch.setattr(FileLimit, "_by_reference", of_other_rows)
    with pytest.raises(VerificationError, match="points of accuracy by the reference"):
        loaded.export(tmp_path / "b", data=(x, y), max_drop=0, **options)


@pytest.mark.parametrize(
    ("drop", "advice"),
    [
        (4 / 3, "Allow 1.34 with --max-drop, or leave this format out"),
        (0.0001, "Allow 0.01 with"),
        (0.07, "Allow 0.07 with"),
        (inf, r"\. Leave this format out"),  # of an error that was 0
        (nan, r"\. Leave this format out"),
    ],
)
def test_the_advised_limit_is_not_below_the_loss(tmp_path, monkeypatch, drop, advice):
    samples = as_samples((np.zeros((2, 3), np.float32), np.array([0.5, 1.5])))
    score = Score(metric="MAE", value=1.0, interval=Interval(1.0, 1.0), rows=2)
    limit = FileLimit(
        graph=read_model(GOLDEN / "small_gru.keras").graph, samples=samples,
        truth=truth_of(samples), of_float=(score,), points=0.0,
    )  # fmt: skip
    monkeypatch.setattr("edgernn.export.study.rescue.artefact_predictions", lambda *_: samples)
    monkeypatch.setattr(FileLimit, "_worst", lambda *_: (drop, score))
    monkeypatch.setattr(FileLimit, "_dynamic", lambda _: "")
    with pytest.raises(LossTooLarge, match=advice) as caught:
        limit.require(SimpleNamespace(name="a.tflite"), tmp_path, limit.graph)  # type: ignore[arg-type]
    if advice.startswith("Allow"):
        allowed = float(str(caught.value).partition("Allow ")[2].split()[0])
        replace(limit, points=allowed).require(SimpleNamespace(name="a"), tmp_path, limit.graph)  # type: ignore[arg-type]
