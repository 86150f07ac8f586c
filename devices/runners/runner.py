"""How one runtime is executed on a device, and what can be asked of it.

A runner does a task in one fresh process on the device.  A runtime that is not there is `Skipped`,
one that refuses the model or crashes is `Failed`: both are values, since a table with nine rows out
of ten is worth more than none.
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
from edgernn.graph import State
from edgernn.graph.tensor import AnyArray

Case: TypeAlias = Mapping[str, AnyArray]  # the arguments of one call by name, batch first


#: Calls whose instructions are counted: they show how well counts repeat.
COUNTED_CALLS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model on disk and how it is to be run."""

    path: Path
    backend: str  # "onnx", "tflite", "native": decides the runner
    extra_files: tuple[Path, ...] = ()  # external data, libraries of custom operators
    states: tuple[State, ...] = ()  # start as zeros; output -> input of the next call
    streaming: bool = False  # takes a step (or a few) a call
    threads: int = 1
    cpus: tuple[int, ...] | None = None  # confined to these; None: where the system puts it


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """Load the model; tell inputs, outputs and what `read` (file patterns) and `ask` give."""

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
    """Load and call the model a few times, and tell the peak of resident memory."""

    case: Case


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountInstructions:
    """Call the model a few times and tell how many instructions each call executed.

    For emulated targets: `counter` is their program that counts (edgernn.devices.facts.MARKER).
    """

    case: Case
    counter: str


Task: TypeAlias = Describe | RunCases | TimeCalls | MeasureMemory | CountInstructions
Answer: TypeAlias = Description | Outputs | Timing | Memory | Instructions


def cases_of(task: Task) -> list[Case]:
    """The calls' arguments that a task needs over there."""
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
    """Executes one kind of model file.  `run` raises DeviceError when the device is gone."""

    NAME: str  # "onnxruntime"

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        """Does `task` in one fresh process: the answer is of the kind that the task asks for."""
        ...
