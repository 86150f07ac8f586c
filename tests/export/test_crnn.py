"""Trained models of convolutions over rows and columns in front of a recurrent layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

from edgernn.artefact import read_manifest
from edgernn.cli import edgernn as program
from edgernn.export import backend_named
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.verify import relative_error
from edgernn.graph import Graph, Ranges
from edgernn.reference import integer
from edgernn.runtime import Model, available_isas
from edgernn.scheme import Scheme
from tests.edgernn.tasks.reference_data import splits_of
from tests.formats import RUN
from tests.golden import GOLDEN
from tests.golden.crnn import pictures
from tests.zoo.runtimes import open_session

MOST_POINTS: Final = 0.3
BATCH: Final = 50


class Trained(NamedTuple):
    """`y` [N] or [N, places]; `expected` is what Keras itself answers."""

    graph: Graph
    ranges: Ranges
    x: Any
    y: Any
    expected: Any


def path_of(name: str) -> Path:
    return GOLDEN / "trained" / f"{name}.keras"


@pytest.fixture(scope="module", params=["image_crnn", "keyword_crnn"])
def trained(request: pytest.FixtureRequest) -> Trained:
    import keras

    if request.param == "image_crnn":
        calibration, (x, y) = pictures(60, 2).x, pictures(100, 1)
    else:
        splits = splits_of("digits")
        calibration, x, y = splits.calibration.x, splits.test.x, splits.test.y
    graph = float_graph(read_model(path_of(request.param)).graph)
    ranges = calibrate(graph, {graph.inputs[0].name: calibration})
    expected = keras.saving.load_model(path_of(request.param)).predict(x, verbose=0)
    return Trained(graph=graph, ranges=ranges, x=x, y=y, expected=expected)


def answers(session: Any, graph: Graph, x: Any) -> Any:
    name = graph.inputs[0].name
    parts = [session({name: x[at : at + BATCH]}) for at in range(0, len(x), BATCH)]
    return np.concatenate([next(iter(part.values())) for part in parts])


@pytest.mark.parametrize("target", ["reference", *RUN])
def test_floats_answer_as_keras_does(trained: Trained, target: str) -> None:
    x = trained.x[:20]
    given = answers(open_session(target, trained.graph), trained.graph, x)
    assert relative_error(given, trained.expected[:20]) <= 1e-5


@pytest.mark.parametrize("backend", RUN)
@pytest.mark.parametrize("scheme", [Scheme.FLOAT16, Scheme.DYNAMIC, Scheme.INT8])
def test_fewer_bits_stay_within_a_third_of_a_point(
    trained: Trained, scheme: Scheme, backend: str
) -> None:
    small = quantize(trained.graph, trained.ranges if scheme is Scheme.INT8 else None, scheme)
    given = answers(open_session(backend, small), small, trained.x)
    right, wanted = ((each.argmax(-1) == trained.y).mean() for each in (given, trained.expected))
    assert wanted > 0.95
    assert 100 * (wanted - right) <= MOST_POINTS


def test_every_instruction_set_gives_the_bits_of_the_reference(trained: Trained) -> None:
    """Up to the scores before softmax, whose exponential is not of integers."""
    small = quantize(trained.graph, trained.ranges, Scheme.INT8)
    x = {small.inputs[0].name: trained.x[:4]}
    edges = integer.execute(small, x)
    (name,) = small.output_specs

    content = backend_named("native").lower(small, metadata={}).content
    results = [Model(content, isa=isa).run(x)[name] for isa in available_isas()]
    assert all(np.array_equal(result, results[0]) for result in results)
    assert relative_error(results[0], edges[small.outputs[0].edge]) <= 2e-6


def test_the_command_line_exports_an_image_model(tmp_path: Path) -> None:
    data, out = tmp_path / "pictures.npz", tmp_path / "out"
    np.savez(data, x=pictures(24, 3).x)
    words = ["export", str(path_of("image_crnn")), "--scheme", "float32,int8"]
    result = CliRunner().invoke(program, [*words, "--calibrate", str(data), "-o", str(out)])
    assert result.exit_code == 0, result.output
    artefacts = read_manifest(out)
    assert len(artefacts) == 2 * len(RUN)
    native = Model((out / "image_crnn.int8.ernn").read_bytes())
    assert native.inputs[0].shape(48 * 160) == (48, 160, 1)
    assert native(pictures(2, 4).x).shape == (2, 20, 11)
