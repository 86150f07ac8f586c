"""The same files in tflite-runtime 2.14, the last one for 32-bit ARM.

It wants numpy below 2 and so an environment of its own, whose Python
EDGERNN_TFLITE214_PYTHON names.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgernn.export import tflite
from edgernn.graph import AnyArray
from edgernn.reference import run
from tests.export.tflite.cases import CASES
from tests.export.tflite.quantized_cases import QUANTIZED, Quantized
from tests.export.tflite.test_model import assert_same
from tests.export.tflite.test_quantized import assert_close

PYTHON = os.environ.get("EDGERNN_TFLITE214_PYTHON", "")

#: Dynamic files for newer runtimes are refused there, which is the point of `runtime_min`.
OLD_QUANTIZED = {name: made for name, made in QUANTIZED.items() if not name.endswith(" dynamic")}

pytestmark = pytest.mark.skipif(
    not Path(PYTHON or "none").is_file(),
    reason="EDGERNN_TFLITE214_PYTHON does not name a Python with tflite-runtime 2.14",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AnyArray]:
    """All cases in one child: its start costs more than they do."""
    folder: Path = tmp_path_factory.mktemp("tflite214")
    stored: dict[str, AnyArray] = {}
    floats = {name: Quantized(graph=case.graph, case=case) for name, case in CASES.items()}
    for name, made in (floats | OLD_QUANTIZED).items():
        content = tflite.lower(made.graph, metadata={}, **made.options).content
        stored[f"{name}//model"] = np.frombuffer(content, np.uint8)
        stored.update({f"{name}//in//{key}": value for key, value in made.case.inputs.items()})
    source, target = folder / "cases.npz", folder / "results.npz"
    np.savez(source, allow_pickle=False, **stored)
    child = Path(__file__).with_name("tflite214_child.py")
    subprocess.run([PYTHON, str(child), str(source), str(target)], check=True, timeout=300)
    with np.load(target, allow_pickle=False) as found:
        return dict(found)


@pytest.mark.parametrize("name", CASES)
def test_runtime_214_computes_what_the_reference_computes(
    name: str, results: dict[str, AnyArray]
) -> None:
    case = CASES[name]
    assert f"{name}//error" not in results, str(results[f"{name}//error"])
    wanted = run(case.graph, case.inputs)
    assert_same({output: results[f"{name}//out//{output}"] for output in wanted}, wanted)


@pytest.mark.parametrize("name", OLD_QUANTIZED)
def test_runtime_214_stays_close_with_quantized_files(
    name: str, results: dict[str, AnyArray]
) -> None:
    case = OLD_QUANTIZED[name].case
    assert f"{name}//error" not in results, str(results[f"{name}//error"])
    wanted = run(case.graph, case.inputs)
    assert_close({output: results[f"{name}//out//{output}"] for output in wanted}, wanted)
