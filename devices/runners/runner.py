"""The interface of a runner, which runs one runtime on a device, and the tasks that it can do.

A runner does a task in one fresh process on the device.  If the runtime is not installed, the
result is `Skipped`; if it refuses the model or crashes, `Failed`.  Both are values, so that the
other rows of a table are still measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias, runtime_checkable

from typing_extensions import assert_never

from edgernn.devices.device import Device
from edgernn.devices.runners.outcome import (
    Description,
    Failed,
    Instructions,
    Memory,
    Outputs,
    Skipped,
    Timing,
)
from edgernn.graph import DecoderStep, State
from edgernn.graph.tensor import AnyArray

Case: TypeAlias = Mapping[str, AnyArray]  # the arguments of one call by name, batch first


#: Calls whose instructions are counted: they show how well counts repeat.
COUNTED_CALLS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model on disk and how to run it."""

    path: Path
    backend: str  # "onnx", "tflite", "native": decides the runner
    extra_files: tuple[Path, ...] = ()  # external data, libraries of custom operators
    states: tuple[State, ...] = ()  # start as zeros; output -> input of the next call
    streaming: bool = False  # one step (or a few) for each call
    decoder: DecoderStep | None = None  # its file is one of extra_files; a call writes a sequence
    threads: int = 1
    cpus: tuple[int, ...] | None = None  # confined to these; None: the system chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """Load the model; report inputs, outputs, the files `read` and the commands `ask`."""

    read: tuple[str, ...] = ()
    ask: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunCases:
    """Run every case; a streaming model gets whole sequences and is fed step by step."""

    cases: Sequence[Case]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeCalls:
    """Time the first call, then a hot loop, then (with a period) a paced loop."""

    case: Case
    warm_up_s: float
    min_time_s: float
    period_ms: float | None = None
    read: tuple[str, ...] = ()
    ask: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasureMemory:
    """Load and call the model a few times; report the peak of resident memory."""

    case: Case


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountInstructions:
    """Call the model a few times; report how many instructions each call executed.

    For emulated targets: `counter` is their program that counts (edgernn.devices.facts.MARKER).
    """

    case: Case
    counter: str


Task: TypeAlias = Describe | RunCases | TimeCalls | MeasureMemory | CountInstructions
Answer: TypeAlias = Description | Outputs | Timing | Memory | Instructions


def cases_of(task: Task) -> list[Case]:
    """The arguments of calls that a task needs."""
    match task:
        case Describe():
            return []
        case RunCases():
            return list(task.cases)
        case TimeCalls() | MeasureMemory() | CountInstructions():
            return [task.case]
        case _:
            assert_never(task)


@runtime_checkable
class Runner(Protocol):
    """Executes one kind of model file.  `run` raises DeviceError without a connection."""

    NAME: str  # "onnxruntime"

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        """Does `task` in one fresh process.  The type of the answer depends on the task."""
        ...
