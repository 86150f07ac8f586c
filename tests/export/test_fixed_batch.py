"""Models that take a fixed number of rows, or keep states: every phase of an export serves them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.artefact import VerificationStatus
from edgernn.export.keras.file import read_model
from edgernn.export.rows import Origin
from edgernn.front.loaded import Loaded
from edgernn.graph import (
    AnyNotEqual,
    ApplyMask,
    Concatenate,
    Dense,
    Graph,
    Gru,
    Input,
    Layer,
    Lstm,
    Output,
    TensorSpec,
)
from tests.golden import GOLDEN

ROWS = 37
RNG = np.random.default_rng(11)


def weight(*shape: int) -> Any:
    return (0.5 * RNG.normal(size=shape)).astype(np.float32)


def cell(kind: type[Gru] | type[Lstm], features: int, **options: Any) -> Gru | Lstm:
    gates = 3 if kind is Gru else 4
    own = {"recurrent_bias": weight(gates * 8)} if kind is Gru else {"state_c": "c"}
    return kind(
        name="cell", output="h", state_h="s", kernel=weight(features, gates * 8),
        recurrent_kernel=weight(8, gates * 8), bias=weight(gates * 8),
        **{"input": "x"} | own | options,
    )  # fmt: skip


def model(*layers: Layer, **inputs: tuple[int | None, ...]) -> Loaded:
    graph = Graph(
        name="m",
        inputs=tuple(
            Input(name=name, spec=TensorSpec(shape=shape)) for name, shape in inputs.items()
        ),
        layers=layers,
        outputs=(Output(name="y", edge=layers[-1].writes[0]),),
    )
    return Loaded(model=replace(read_model(GOLDEN / "small_gru.keras"), graph=graph))


def head(source: str = "s", size: int = 8) -> Dense:
    return Dense(name="head", input=source, output="y", kernel=weight(size, 3), bias=weight(3))


def data(*shape: int) -> Any:
    return RNG.normal(size=(ROWS, *shape)).astype(np.float32)


ONE = model(cell(Gru, 4), head(), x=(1, 6, 4))
FOUR = model(cell(Lstm, 4), head(), x=(4, 6, 4))
STATEFUL = model(cell(Lstm, 4, stateful=True), head("h"), x=(2, 6, 4))
MASKED = model(
    AnyNotEqual(name="padding", input="x", output="mask"),
    ApplyMask(name="masking", input="x", mask="mask", output="kept"),
    cell(Gru, 4, input="kept", mask="mask"),
    head(),
    x=(3, None, 4),
)
DENSE = model(Dense(name="head", input="x", output="y", kernel=weight(9, 3), bias=None), x=(4, 9))
TWO = model(
    cell(Gru, 4),
    Concatenate(name="both", inputs=("s", "b"), output="j"),
    head("j", 10),
    x=(2, 6, 4),
    b=(2, 2),
)


@pytest.mark.parametrize(
    ("loaded", "streaming", "calibrate", "labelled", "scheme"),
    [
        *(
            pytest.param(FOUR, False, data(6, 4), True, scheme, id=f"four-{scheme}")
            for scheme in ("dynamic", "float16", "float32")
        ),
        pytest.param(ONE, False, data(6, 4), True, "int8", id="one"),
        pytest.param(FOUR, False, data(6, 4), True, "int8", id="four"),
        pytest.param(FOUR, True, data(6, 4), True, "int8", id="four-streaming"),
        pytest.param(STATEFUL, False, data(6, 4), True, "int8", id="stateful"),
        pytest.param(STATEFUL, True, data(6, 4), False, "int8", id="stateful-streaming"),
        pytest.param(MASKED, False, data(6, 4), True, "int8", id="masked"),
        pytest.param(DENSE, False, data(9), True, "int8", id="dense"),
        pytest.param(TWO, False, {"x": data(6, 4), "b": data(2)}, False, "int8", id="two-inputs"),
    ],
)
def test_it_is_calibrated_checked_and_scored(
    tmp_path, loaded, streaming, calibrate, labelled, scheme
):
    options: dict[str, Any] = {"calibrate": calibrate} if scheme == "int8" else {}
    if labelled:
        options["data"] = (calibrate, RNG.integers(0, 3, ROWS))
    made = loaded.export(tmp_path, scheme=scheme, streaming=streaming, to="onnx,native", **options)
    assert {one.verification.status for one in made.artefacts} == {VerificationStatus.PASSED}
    if scheme == "int8":
        assert made.study.costs is not None
        origin = Origin.BOTH if labelled else Origin.KEPT_BACK
        assert {one.verification.checked_on for one in made.artefacts} == {origin.value}
    if labelled:
        float_row, *rows = made.study.accuracies
        assert float_row.score is not None
        assert [row.reason for row in rows] == ["", ""]
        if scheme == "float32":
            assert [row.agreement for row in rows] == [1.0, 1.0]
