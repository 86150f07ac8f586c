"""What a program that only runs a model has to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from edgernn.export.native import lower
from tests.edgernn.runtime.models import cell, graph_of

#: Packages of edgernn, all its dependencies but numpy and cffi's C part, and parts of Python that
#: take milliseconds.
HEAVY = (
    "edgernn.graph",
    "edgernn.reference",
    "edgernn.streaming",
    "edgernn.export",
    "edgernn.devices",
    "edgernn.profile",
    "edgernn.report",
    "edgernn.cli",
    "edgernn.tasks",
    "onnx",
    "tflite",
    "flatbuffers",
    "onnxruntime",
    "click",
    "rich",
    "cffi",
    "zipfile",
    "tomllib",
    "tomli",
    "difflib",
)


def test_a_process_that_steps_through_a_model_loads_no_graph_and_no_exporter(
    tmp_path: Path,
) -> None:
    gru = cell("gru", np.random.default_rng(0), units=6, features=3)
    path = tmp_path / "gru.ernn"
    path.write_bytes(lower(graph_of(gru, features=3), metadata={}).content)
    code = (
        "import sys, numpy, edgernn\n"
        "model = edgernn.Model(sys.argv[1])\n"
        "model.session().step(numpy.zeros(3, numpy.float32))\n"
        "model(numpy.zeros((1, 5, 3), numpy.float32))\n"
        "print(model)\n"
        "print('modules', *sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.splitlines()[-1].split())
    assert "edgernn.runtime.session" in loaded
    assert not loaded.intersection(HEAVY)
