"""Which language is this word?  On models with small margins, int8 is as quiet as its weights.

The models in tests/golden/trained come from `edgernn train languages --units 64`, with `--cell
conv-lstm` and with `--cell bi-lstm --epochs 5`.  Words are new to them, and run one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model, float_graph, scaled
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.request import Request
from edgernn.export.rows import Examples, split
from edgernn.export.source_model import SourceModel
from edgernn.graph import AnyArray, Graph, Ranges
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.edgernn.tasks.reference_data import splits_of
from tests.formats import RUN
from tests.golden import GOLDEN
from tests.zoo.runtimes import open_file

WORDS = 2_000
#: Of the mean error, what int8 may have beyond its weights rounded to nearest.
MOST_NOISE = 1.2
MOST_POINTS = 0.003
MOST_BYTES = 0.30


class Trained(NamedTuple):
    name: str
    model: SourceModel
    graph: Graph
    ranges: Ranges
    kept_back: Examples
    words: AnyArray  # [WORDS, steps]
    classes: AnyArray
    exact: npt.NDArray[np.float32]  # probabilities in float


@pytest.fixture(scope="module", params=["languages_conv_lstm", "languages_bi_lstm"])
def trained(request: pytest.FixtureRequest) -> Trained:
    splits = splits_of("languages")
    model = read_model(GOLDEN / "trained" / f"{request.param}.keras")
    graph = float_graph(model.graph)
    (entry,) = graph.inputs
    seen, kept = split(Examples(inputs={entry.name: splits.calibration.x}))
    ranges = calibrate(graph, seen.inputs)
    words, classes = splits.test.x[:WORDS], splits.test.classified[:WORDS]
    exact = only(run(graph, {entry.name: words}))
    return Trained(request.param, model, graph, ranges, kept, words, classes, exact)


def only(outputs: Mapping[str, Any]) -> Any:
    (value,) = outputs.values()
    return value


def rounded_to_nearest(trained: Trained) -> npt.NDArray[np.float32]:
    """The int8 weights of plain rounding, in float arithmetic: what every format is held to."""
    request = Request(scheme=Scheme.INT8, ranges=trained.ranges)
    graph, settled = scaled(trained.graph, request)
    assert settled.ranges is not None
    plain = quantize(graph, replace(settled.ranges, moments={}, candidates={}), Scheme.INT8)
    return np.asarray(only(run(replace(plain, quantization=None), inputs(trained))))


def inputs(trained: Trained) -> dict[str, AnyArray]:
    return {trained.graph.inputs[0].name: trained.words}


def mean_error(given: AnyArray, trained: Trained) -> float:
    return float(np.abs(given - trained.exact).mean())


def alike(given: AnyArray, trained: Trained) -> float:
    return float((given.argmax(-1) == trained.exact.argmax(-1)).mean())


def right(given: AnyArray, trained: Trained) -> float:
    return float((given.argmax(-1) == trained.classes).mean())


def written(trained: Trained, backend: str, scheme: Scheme, folder: Path) -> bytes:
    request = Request(
        backends=(backend,),
        scheme=scheme,
        ranges=trained.ranges if scheme is Scheme.INT8 else None,
        examples=trained.kept_back,
    )
    (artefact,) = export_model(trained.model, folder, request)
    return (folder / artefact.name).read_bytes()


def test_the_models_know_languages_better_than_a_linear_model(trained: Trained) -> None:
    baselines = splits_of("languages").test.baselines
    assert baselines is not None
    assert right(trained.exact, trained) > baselines.linear + 0.05


@pytest.mark.parametrize("backend", RUN)
def test_int8_is_as_quiet_as_its_weights(
    trained: Trained,
    backend: str,
    tmp_path: Path,
    record_property: pytest.RecordProperty,  # type: ignore[name-defined]
) -> None:
    plain = rounded_to_nearest(trained)
    content = written(trained, backend, Scheme.INT8, tmp_path / "int8")
    whole = written(trained, backend, Scheme.FLOAT32, tmp_path / "float32")
    session = open_file(backend, content)
    ((name, words),) = inputs(trained).items()
    given = np.concatenate([only(session({name: word[None]})) for word in words])
    noise, allowed = mean_error(given, trained), mean_error(plain, trained)
    record_property(
        "figure",
        f"{trained.name} ({len(words):,} words) int8 in {backend}: {right(given, trained):.2%} "
        f"right, float {right(trained.exact, trained):.2%}, {alike(given, trained):.2%} alike; "
        f"mean error {noise:.5f}, weights to nearest {allowed:.5f}; "
        f"{len(content) / len(whole):.3f} of the bytes",
    )
    assert noise <= MOST_NOISE * allowed
    assert alike(given, trained) >= alike(plain, trained) - 0.01
    assert abs(right(given, trained) - right(trained.exact, trained)) <= MOST_POINTS
    assert len(content) <= MOST_BYTES * len(whole)


def test_compensated_rounding_takes_a_fifth_of_the_weights_noise_away(trained: Trained) -> None:
    graph, request = scaled(trained.graph, Request(scheme=Scheme.INT8, ranges=trained.ranges))
    made = quantize(graph, request.ranges, Scheme.INT8)
    given = only(run(replace(made, quantization=None), inputs(trained)))
    assert mean_error(given, trained) < 0.8 * mean_error(rounded_to_nearest(trained), trained)
