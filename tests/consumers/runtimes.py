"""Runtimes of other people: how each runs a file, and what it answers."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
#: Results of one call by name, or why there are none.
Answer: TypeAlias = dict[str, npt.NDArray[Any]] | str
#: Files and the calls of each -> an answer for each call.
Run: TypeAlias = Callable[[Sequence[tuple[bytes, Sequence[Arrays]]]], list[list[Answer]]]

#: Where `make consumers` puts onnxruntime-web.
FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """`version`: of the installed one.  `missing`: why it cannot be tried; empty where it can."""

    name: str
    run: Run
    version: Callable[[], str]
    missing: Callable[[], str]


def each_file(run: Callable[[bytes, Sequence[Arrays]], list[Answer]]) -> Run:
    """A file that cannot be opened has the same answer to every call."""

    def run_one(content: bytes, calls: Sequence[Arrays]) -> list[Answer]:
        answers = _tried(lambda: run(content, calls))
        return [answers] * len(calls) if isinstance(answers, str) else answers

    return lambda files: [run_one(content, calls) for content, calls in files]


def each_call(call: Callable[[Arrays], Arrays], calls: Sequence[Arrays]) -> list[Answer]:
    def run_one(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
        return {name: np.array(array) for name, array in call(arrays).items()}

    return [_tried(partial(run_one, arrays)) for arrays in calls]


def _tried(run: Callable[[], T]) -> T | str:
    try:
        return run()
    except Exception as error:  # noqa: BLE001 - of the runtime's own type: it is the answer
        return told(error)


#: What a message of a runtime means, in our words.
_MEANING: Final = (
    (r"Can't create layer .* of type \"(?:[\w.]*\.)?(\w+)\"", "lacks the operator {}"),
    (r"Node type '(\w+)' from domain", "lacks the operator {}"),
    (r"No implementation for operator '(\w+)' domain '' and version (\d+)", "lacks {} of opset {}"),
    (r"Insufficient inputs for LSTM", "takes no lengths of rows for an LSTM"),
    (r"num_scan_outputs can't be negative", "takes no Scan that reads computed weights"),
    (r"Axis must be 0 when input is empty", "fails inside its own ReduceLayer"),
    (r"isDynamicShape in function 'parseShape'", "fails inside its own parseShape"),
)


def told(error: Exception | str) -> str:
    """A runtime's message as a phrase."""
    text = " ".join(str(error).split())
    for pattern, meaning in _MEANING:
        found = re.search(pattern, text)
        if found:
            return meaning.format(*found.groups())
    return f"fails: {text.rsplit('error: ', maxsplit=1)[-1][:120]}"


#: OpenVINO rounds to bfloat16 where the CPU can, and quantizes inputs of large int8 layers, unless
#: it is told not to.
_OPENVINO: Final = {
    "INFERENCE_NUM_THREADS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}


def _openvino(content: bytes, calls: Sequence[Arrays]) -> list[Answer]:
    import onnx
    import openvino

    core = openvino.Core()
    core.set_property("CPU", _OPENVINO)
    model = core.compile_model(core.read_model(content), "CPU")
    # As in the file: OpenVINO may name a result after an operator before it.
    names = [entry.name for entry in onnx.load_from_string(content).graph.output]

    def call(arrays: Arrays) -> Arrays:
        results = model(dict(arrays))
        return {name: results[port] for name, port in zip(names, model.outputs, strict=True)}

    return each_call(call, calls)


def _opencv(content: bytes, calls: Sequence[Arrays]) -> list[Answer]:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    names = net.getUnconnectedOutLayersNames()

    def call(arrays: Arrays) -> Arrays:
        for name, array in arrays.items():
            net.setInput(array, name)
        return dict(zip(names, net.forward(names), strict=True))

    return each_call(call, calls)


def _evaluator(content: bytes, calls: Sequence[Arrays]) -> list[Answer]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    opened = ReferenceEvaluator(onnx.load_from_string(content))
    names = opened.output_names

    def call(arrays: Arrays) -> Arrays:
        return dict(zip(names, opened.run(names, dict(arrays)), strict=True))

    return each_call(call, calls)


def _web(files: Sequence[tuple[bytes, Sequence[Arrays]]]) -> list[list[Answer]]:
    """All files in one process of node."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        listed = []
        for number, (content, calls) in enumerate(files):
            (folder / f"{number}.onnx").write_bytes(content)
            for position, arrays in enumerate(calls):
                key = f"{number}-{position}"
                given = {}
                for argument, (port, array) in enumerate(arrays.items()):
                    (folder / f"{key}-{argument}").write_bytes(array.tobytes())
                    given[port] = {
                        "dtype": array.dtype.name,
                        "shape": array.shape,
                        "file": f"{key}-{argument}",
                    }
                listed.append({"id": key, "model": f"{number}.onnx", "arguments": given})
        (folder / "calls.json").write_text(json.dumps(listed), encoding="utf-8")
        subprocess.run(
            ["node", FOLDER / "web.mjs", folder, FOLDER],
            check=True, capture_output=True, timeout=600,
        )  # fmt: skip
        return [
            [_from_json(folder / f"{number}-{position}.json") for position in range(len(calls))]
            for number, (_, calls) in enumerate(files)
        ]


def _from_json(path: Path) -> Answer:
    found = json.loads(path.read_text(encoding="utf-8"))
    if "error" in found:
        return told(found["error"])
    return {
        name: np.array(result["values"]).reshape(result["shape"])
        for name, result in found["results"].items()
    }


def _package(name: str, module: str) -> tuple[Callable[[], str], Callable[[], str]]:
    """The version of a Python package, and why it cannot be tried."""

    def missing() -> str:
        there = importlib.util.find_spec(module) is not None
        return "" if there else f"{name} is not installed: make consumers"

    return lambda: importlib.metadata.version(name), missing


def _web_version() -> str:
    package = FOLDER / "node_modules" / "onnxruntime-web" / "package.json"
    return str(json.loads(package.read_text(encoding="utf-8"))["version"])


def _web_missing() -> str:
    if shutil.which("node") is None:
        return "node is not installed"
    there = (FOLDER / "node_modules" / "onnxruntime-web").is_dir()
    return "" if there else "onnxruntime-web is not installed: make consumers"


def _runtime(name: str, package: str, module: str, run: Run) -> Runtime:
    version, missing = _package(package, module)
    return Runtime(name=name, run=run, version=version, missing=missing)


RUNTIMES: Final = (
    Runtime(
        name="onnxruntime-web",
        run=_web,
        version=_web_version,
        missing=_web_missing,
    ),
    _runtime("OpenVINO", "openvino", "openvino", each_file(_openvino)),
    _runtime("OpenCV", "opencv-python-headless", "cv2", each_file(_opencv)),
    _runtime("ONNX's reference evaluator", "onnx", "onnx", each_file(_evaluator)),
)
