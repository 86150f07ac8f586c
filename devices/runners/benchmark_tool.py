"""Google's benchmark_model on a device: the mean latency of a TFLite file.

The tool makes the calls itself and reports neither outputs nor the time of each call.  So there is
no accuracy, no percentile and no paced loop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.devices.device import Device
from edgernn.devices.runners import native_script
from edgernn.devices.runners.file_ports import FilePorts, file_ports
from edgernn.devices.runners.outcome import (
    Description,
    Failed,
    Memory,
    Process,
    Skipped,
    Timing,
)
from edgernn.devices.runners.payload.arrays import Arrays
from edgernn.devices.runners.payload.model import Model as Calls
from edgernn.devices.runners.payload.sessions import Tensor
from edgernn.devices.runners.program_run import exit_code, problem, scripted
from edgernn.devices.runners.reply import port
from edgernn.devices.runners.runner import (
    Answer,
    CountInstructions,
    Describe,
    MeasureMemory,
    Model,
    RunCases,
    Task,
    TimeCalls,
    cases_of,
)
from edgernn.errors import DeviceError

NAME: Final = "benchmark_model"
#: The minimum of the Python payload and of the other programs.
FEWEST_VALUES: Final = 10
MEMORY_CALLS: Final = 3
MEGABYTE: Final = 1024 * 1024

_NUMBER: Final = r"(-?[\d.]+(?:e[+-]?\d+)?)"
_SUMMARY: Final = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
#: One for the warm-up, then one for the measured calls; the oldest versions print only these.
_STATISTICS: Final = re.compile(r"count=\d+(?: \w+=[^\s=]+)*")
_INIT: Final = re.compile(rf"Initialized session in {_NUMBER}\s*ms")
_PEAK: Final = re.compile(
    rf"Overall peak memory footprint \(MB\) via periodic monitoring: {_NUMBER}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmarked:
    """The figures that the tool reports, in milliseconds; None: this version does not report it."""

    init_ms: float
    first_ms: float
    warm_up_ms: float | None  # mean
    mean_ms: float
    median_ms: float | None
    count: int
    peak_bytes: int | None

    @property
    def typical_ms(self) -> float:
        """The median, or the mean if the tool reports no median."""
        return self.mean_ms if self.median_ms is None else self.median_ms


def read_benchmark(text: str) -> Benchmarked:
    """Parses the output of any version so far.  Raises ValueError if it contains no times."""
    statistics = [_fields(found) for found in _STATISTICS.findall(text)]
    summary = _SUMMARY.search(text)
    if not statistics or (summary is None and len(statistics) < 2):
        raise ValueError("it printed no times")
    calls = statistics[-1]
    if summary is not None:
        init, first, warm_up, mean = (float(value) / 1e3 for value in summary.groups())
    else:
        found = _INIT.search(text)
        if found is None:
            raise ValueError("it did not report the time to load the model")
        init = float(found[1])
        warm = statistics[0]
        first = warm.get("first", warm.get("curr", 0.0)) / 1e3
        warm_up = warm.get("avg", warm.get("curr", 0.0)) / 1e3
        mean = calls.get("avg", calls.get("curr", 0.0)) / 1e3
    median = calls.get("median")
    peak = _PEAK.search(text)
    return Benchmarked(
        init_ms=init,
        first_ms=first,
        warm_up_ms=warm_up,
        mean_ms=mean,
        median_ms=None if median is None else median / 1e3,
        count=int(calls["count"]),
        peak_bytes=None if peak is None else round(float(peak[1]) * MEGABYTE),
    )


def _fields(line: str) -> dict[str, float]:
    return {
        name: float(value) for name, value in (word.split("=") for word in line.split() if word)
    }


class BenchmarkTool:
    """Runs .tflite files on a device without Python, by the user's binary of the tool."""

    NAME = NAME

    def __init__(self, tool: Path) -> None:
        self._tool = tool

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        if model.decoder is not None:
            return Skipped(
                reason=f"{NAME} calls single files, and {model.path.name} needs its decoder: "
                "give --android-runtime tensorflow-lite.aar"
            )
        match task:
            case RunCases():
                return Skipped(
                    reason=f"{NAME} does not return a model's outputs: give --android-runtime "
                    "tensorflow-lite.aar for its accuracy"
                )
            case CountInstructions():
                return Skipped(reason=f"{NAME} does not count instructions")
            case TimeCalls() if task.period_ms:
                return Skipped(
                    reason=f"{NAME} cannot time calls that are made once a period: "
                    "give --android-runtime tensorflow-lite.aar for --period"
                )
            case Describe() | TimeCalls() | MeasureMemory():
                pass
            case _:
                assert_never(task)
        try:
            ports = file_ports(model.path, model.backend)
        except DeviceError as error:
            return Failed(reason=f"{NAME}: {error.what}")
        words = [f"./{NAME}", f"--graph=./{model.path.name}", f"--num_threads={model.threads}"]
        feeds = _feeds(ports, model, task)
        completed, told = scripted(
            device,
            model,
            task,
            files={
                NAME: self._tool,
                model.path.name: model.path,
                **{_file(i): feeds[tensor.name].tobytes() for i, tensor in _given(ports, feeds)},
            },
            executable=NAME,
            words=[*words, *_input_flags(ports, feeds), *_task_flags(task)],
            timeout_s=timeout_s,
        )
        if failed := problem(NAME, completed, told, model, timeout_s):
            return failed
        output = told.get("program", "") + completed.stderr
        try:
            said = read_benchmark(output)
        except ValueError as error:
            last = (output.strip() or f"exit code {exit_code(told)}").splitlines()[-1]
            return Failed(reason=f"{NAME}: {error} ({last})", log=output[-2_000:])
        if exit_code(told) != 0:
            return Failed(reason=f"{NAME} ended with exit code {exit_code(told)}")
        process = Process(
            machine=native_script.machine(told),
            versions={NAME: "unknown"},  # the tool does not name the signal
            cpus=native_script.allowed_cpus(told),
            import_ms=0.0,  # part of the load
            load_ms=said.init_ms,
        )
        match task:
            case Describe():
                return Description(
                    process=process,
                    inputs=tuple(port(tensor.described()) for tensor in ports.inputs),
                    outputs=tuple(port(tensor.described()) for tensor in ports.outputs),
                    facts=native_script.facts(told, "before"),
                )
            case MeasureMemory():
                return Memory(process=process, peak_bytes=said.peak_bytes, runtime_bytes=None)
            case TimeCalls():
                return Timing(
                    process=process,
                    first_call_ms=said.first_ms,
                    calibration_ms=(),
                    warm_up_ms=() if said.warm_up_ms is None else (said.warm_up_ms,),
                    hot_ms=(said.typical_ms,),
                    stride=said.count,
                    per_call=False,
                    paced=None,
                    cpu_s=native_script.cpu_s(told),
                    wall_s=native_script.wall_s(told),
                    before=native_script.facts(told, "before"),
                    after=native_script.facts(told, "after"),
                )
            case _:
                raise AssertionError("it was skipped")


def _feeds(ports: FilePorts, model: Model, task: Task) -> Arrays:
    """The arguments of the first call; empty if the task has no case."""
    cases = cases_of(task)
    if not cases:
        return {}
    states = [[state.input, state.output] for state in model.states]
    calls = Calls(ports, {"states": states, "streaming": model.streaming})
    feeds = calls.feeds(calls.first_step(cases[0]))
    return {name: np.ascontiguousarray(x) for name, x in feeds.items()}


def _given(ports: FilePorts, feeds: Arrays) -> list[tuple[int, Tensor]]:
    return [(i, tensor) for i, tensor in enumerate(ports.inputs) if tensor.name in feeds]


def _file(index: int) -> str:
    return f"input{index}.bin"


def _input_flags(ports: FilePorts, feeds: Arrays) -> list[str]:
    """Inputs by position: the tool ignores other names, and names in a file may be empty."""
    if not feeds:
        return []
    given = _given(ports, feeds)
    shapes = [",".join(map(str, feeds[tensor.name].shape)) for _, tensor in given]
    return [
        "--input_layer=" + ",".join(f"input{i}" for i, _ in given),
        "--input_layer_shape=" + ":".join(shapes),
        "--input_layer_value_files=" + ",".join(f"input{i}:./{_file(i)}" for i, _ in given),
    ]


def _task_flags(task: Task) -> list[str]:
    match task:
        case TimeCalls():
            return [
                f"--warmup_min_secs={task.warm_up_s:g}",
                f"--min_secs={task.min_time_s:g}",
                f"--num_runs={FEWEST_VALUES}",
            ]
        case MeasureMemory():
            runs = ["--warmup_min_secs=0", "--min_secs=0", f"--num_runs={MEMORY_CALLS}"]
            return [*runs, "--report_peak_memory_footprint=true"]
        case _:
            return ["--warmup_min_secs=0", "--min_secs=0", "--num_runs=1"]
