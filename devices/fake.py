"""A device with made-up numbers, for tests of scheduling, statistics and reports.

It uses the payload's protocol: a request is pushed, a command is run, a reply is printed.
Each model file has a script of replies.  Nothing is run and no time passes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from typing_extensions import Self

from edgernn.devices.device import Completed
from edgernn.devices.runners.payload.arrays import Arrays, pack, unpack
from edgernn.devices.runners.python_runtime import COUNTS
from edgernn.errors import DeviceError
from edgernn.graph.tensor import Shape

#: The name of the emulator, so that every report shows that the numbers are made up.
INVENTED_SYSTEM: Final = "none: made up"


def _no_outputs(case: Arrays) -> Arrays:
    rows = next(iter(case.values())).shape[0]
    return {"y": np.zeros((rows, 1), np.float32)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FakeModel:
    """The scripted behaviour of a model file on the fake device."""

    hot_ms: Sequence[Sequence[float]] = ((1.0, 1.0, 1.0),)  # one a process, repeated
    paced_ms: Sequence[float] = (2.0, 2.0)
    deadlines_missed: int = 0
    load_ms: float = 5.0
    first_call_ms: float = 1.5
    wall_s: float = 1.0  # duration of the timing, in which it used 1 CPU second
    peak_bytes: int = 60_000_000
    runtime_bytes: int = 50_000_000
    instructions: Sequence[int] = (2_000_000, 2_000_000, 2_000_001)
    inputs: Mapping[str, Shape] = field(default_factory=lambda: {"x": (None, None, 1)})
    compute: Callable[[Arrays], Arrays] = _no_outputs
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=lambda: {"fake": "1"})
    missing: str = ""  # the runtime is not installed
    ends: Mapping[str, Completed] = field(default_factory=dict)  # task -> how its process ends


@dataclass(slots=True, kw_only=True)
class FakeDevice:
    """Keeps what is pushed in memory; `log` lists the tasks in order."""

    name: str = "fake"
    models: Mapping[str, FakeModel] = field(default_factory=dict)  # by file name
    python: tuple[str, ...] | None = ("python",)
    node: str = "fake"
    system: str = "Fake 1"
    architecture: str = "none"
    log: list[tuple[str, str]] = field(default_factory=list)  # (task, model file)
    _files: dict[str, bytes] = field(default_factory=dict)
    _processes: dict[str, int] = field(default_factory=dict)

    @property
    def is_this_machine(self) -> bool:
        return False

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:  # noqa: ARG002
        request = json.loads(self._files[argv[-1]])
        task, file = request["task"], request["model"]
        self.log.append((task, file))
        model = self.models.get(file, FakeModel())
        if task in model.ends:
            return model.ends[task]
        if model.missing:
            return Completed(exit_code=0, stdout=json.dumps({"missing": model.missing}))
        reply = {**self._process(request, model), **self._answer(request, model)}
        return Completed(exit_code=0, stdout=json.dumps(reply))

    def push(self, local: Path, remote: str) -> None:
        self._files[remote] = local.read_bytes()

    def pull(self, remote: str, local: Path) -> None:
        if remote not in self._files:
            raise DeviceError(f"there is no file {remote} on {self.name}")
        local.write_bytes(self._files[remote])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.clear()

    def _process(self, request: Mapping[str, Any], model: FakeModel) -> dict[str, Any]:
        return {
            "machine": {
                "node": self.node,
                "system": self.system,
                "architecture": self.architecture,
                "cores": 4,
            },
            "versions": dict(model.versions),
            "cpus": request["cpus"],
            "import_ms": 10.0,
            "load_ms": model.load_ms,
            "runtime_bytes": model.runtime_bytes,
        }

    def _answer(self, request: Mapping[str, Any], model: FakeModel) -> dict[str, Any]:
        match request["task"]:
            case "describe":
                ports = [
                    {"name": name, "shape": shape, "dtype": "float32", "stored": None}
                    for name, shape in model.inputs.items()
                ]
                return {"inputs": ports, "outputs": [], "facts": dict(model.before)}
            case "outputs":
                arrays, index = pack([model.compute(case) for case in self._cases(request)])
                content = io.BytesIO()
                np.savez(content, **arrays)  # type: ignore[arg-type]
                self._files[request["outputs"]] = content.getvalue()
                return {"index": index}
            case "memory":
                return {"peak_bytes": model.peak_bytes}
            case "instructions":
                counts = (1_000, 10, *(count + 10 for count in model.instructions))
                self._files[COUNTS] = "\n".join(map(str, counts)).encode()
                return {}
            case "latency":
                return self._latency(request, model)
            case task:
                raise ValueError(f"unknown task {task!r}")

    def _latency(self, request: Mapping[str, Any], model: FakeModel) -> dict[str, Any]:
        process = self._processes.get(request["model"], 0)
        self._processes[request["model"]] = process + 1
        hot_ms = list(model.hot_ms[process % len(model.hot_ms)])
        period_ms = request["period_ms"]
        paced = {
            "period_ms": period_ms,
            "values_ms": list(model.paced_ms),
            "late_ms": [0.0] * len(model.paced_ms),
            "deadlines_missed": model.deadlines_missed,
            "duty_cycle": 0.5,
        }
        return {
            "latency": {
                "first_call_ms": model.first_call_ms,
                "calibration_ms": [hot_ms[0]],
                "warm_up_ms": [hot_ms[0]],
                "hot_ms": hot_ms,
                "stride": 1,
                "paced": paced if period_ms else None,
            },
            "cpu_s": 1.0,
            "wall_s": model.wall_s,
            "before": dict(model.before),
            "after": dict(model.after),
        }

    def _cases(self, request: Mapping[str, Any]) -> list[Arrays]:
        content = io.BytesIO(self._files[request["inputs"]])
        with np.load(content, allow_pickle=False) as stored:
            return list(unpack({key: stored[key] for key in stored.files}, request["index"]))
