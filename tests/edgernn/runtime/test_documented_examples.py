"""The examples of the native runtime in the documentation are run as they stand there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn.artefact import VerificationStatus, read_manifest
from edgernn.export.native import lower
from tests.edgernn.runtime.models import cell, graph_of, numbers
from tests.edgernn.runtime.toolchain import HOST
from tests.pages import blocks

FEATURES, UNITS = 13, 10

# What stands around the example: a file read into aligned memory, a frame, and the result printed.
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
{include}
int main(int argc, char **argv) {{
  static _Alignas(64) unsigned char bytes[1 << 20];
  float frame[13] = {{0}}, scores[10];
  FILE *file = fopen(argv[argc - 1], "rb");
  size_t size = fread(bytes, 1, sizeof bytes, file);
  frame[3] = 1.5f;
  {example}
  for (int i = 0; i < 10; i++) printf("%.9g\\n", scores[i]);
  return 0;
}}
"""


def example(name: str, language: str, holding: str) -> str:
    (one,) = (code for code in blocks(name, language) if holding in code)
    return one


@pytest.fixture
def model(tmp_path: Path) -> Path:
    layer = cell("gru", np.random.default_rng(0), units=UNITS, features=FEATURES)
    path = tmp_path / "gru.ernn"
    path.write_bytes(lower(graph_of(layer, features=FEATURES), metadata={}).content)
    return path


def test_the_python_example_runs(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    features = numbers(np.random.default_rng(0), 1, 20, FEATURES)
    names: dict[str, object] = {"features": features}
    exec(example("python.md", "python", "session.step("), names)
    np.testing.assert_array_equal(names["scores"], edgernn.Model(model)(features)[0])
    assert isinstance(names["saved"], bytes)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_model_in_memory_is_exported_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    layers = [keras.Input((None, 3)), keras.layers.GRU(4), keras.layers.Dense(2)]
    exec(
        example("python.md", "python", "from_keras("),
        {"model": keras.Sequential(layers, name="doorbell")},
    )
    found = read_manifest(tmp_path / "out")
    assert [one.name for one in found] == ["doorbell.onnx", "doorbell.tflite", "doorbell.ernn"]
    assert {one.labels for one in found} == {("no", "yes")}
    assert {one.verification.status for one in found} == {VerificationStatus.PASSED}


def test_the_c_example_compiles_and_gives_what_python_gives(model: Path, tmp_path: Path) -> None:
    include, _, rest = example("runtime.md", "c", "ernn_session_init(").partition("\n")
    source = tmp_path / "example.c"
    source.write_text(PROGRAM.format(include=include, example=rest))
    program = HOST.build(tmp_path / "example", source)
    frame = np.zeros(FEATURES, np.float32)
    frame[3] = 1.5
    told = [float(line) for line in HOST.run(program, model).split()]
    np.testing.assert_allclose(told, edgernn.Model(model).session().step(frame), rtol=1e-6)
