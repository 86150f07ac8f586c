"""How one runtime is executed on a device, and what can be asked of it.

A runner does a task in one fresh process on the device.  A runtime that is not there is `Skipped`,
one that refuses the model or crashes is `Failed`: both are values, since a table with nine rows out
of ten is worth more than none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias, TypeVar

from typing_extensions import assert_never

from edgernn.devices import Device
from edgernn.devices.runners.outcome import (
    Description,
    Failed,
    Instructions,
    Machine,
    Memory,
    Outputs,
    Paced,
    Port,
    Process,
    Skipped,
    Timing,
)
from edgernn.errors import ConnectionLost
from edgernn.graph import State
from edgernn.graph.tensor import AnyArray

__all__ = [
    "Case",
    "Description",
    "Failed",
    "Instructions",
    "Machine",
    "Memory",
    "Model",
    "Outputs",
    "Paced",
    "Port",
    "Process",
    "Runner",
    "Skipped",
    "Timing",
    "count_instructions",
    "describe",
    "measure_memory",
    "run_cases",
    "runner_for",
    "time_calls",
]

Case: TypeAlias = Mapping[str, AnyArray]  # the arguments of one call by name, batch first


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


class Runner(Protocol):
    """Executes one kind of model file.  `run` raises DeviceError when the device is gone."""

    NAME: str  # "onnxruntime"

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        """Does `task` in one fresh process: the answer is of the kind that the task asks for."""
        ...


def _onnxruntime() -> Runner:
    from edgernn.devices.runners.vendor_runtime import VendorRuntime

    return VendorRuntime("onnxruntime", packages=("onnxruntime",))


def _litert() -> Runner:
    from edgernn.devices.runners.vendor_runtime import VendorRuntime

    return VendorRuntime("litert", packages=("ai-edge-litert", "tflite-runtime"))


def _native() -> Runner:
    from edgernn.devices.runners.native import NativeRuntime

    return NativeRuntime()


RUNNERS: Final[dict[str, Callable[[], Runner]]] = {
    "onnx": _onnxruntime,
    "tflite": _litert,
    "native": _native,
}

#: A task whose connection was cut begins again so often: nothing of it is kept on the target.
ATTEMPTS_AFTER_A_CUT: Final = 2
#: Calls whose instructions are counted: they show how well counts repeat.
COUNTED_CALLS: Final = 5
#: A crash comes at once and a hang never ends: this only bounds the latter.
TIMEOUT_S: Final = 600.0


def runner_for(backend: str) -> Runner | None:
    """The runner for the files of a back end, if there is one."""
    make = RUNNERS.get(backend)
    return make() if make else None


def run_cases(
    device: Device,
    artefact: Path,
    backend: str,
    cases: Sequence[Case],
    *,
    extra_files: Sequence[Path] = (),
    states: Sequence[State] = (),
    streaming: bool = False,
    threads: int = 1,
    timeout_s: float = TIMEOUT_S,
) -> Outputs | Failed | Skipped:
    """The outputs of every case, computed by the artefact's own runtime in one child process.

    Cases are calls: arguments by name, batch first; shapes may differ from case to case.  State
    inputs that a case leaves out start as zeros.  With `streaming` a case holds whole sequences
    [B, T, ...], each output comes back as [B, T, ...] with what the model said after each call, and
    each state output as it was after the last.
    """
    model = Model(
        path=artefact,
        backend=backend,
        extra_files=tuple(extra_files),
        states=tuple(states),
        streaming=streaming,
        threads=threads,
    )
    return _asked(Outputs, device, model, RunCases(cases=cases), timeout_s)


def describe(device: Device, model: Model, task: Describe) -> Description | Failed | Skipped:
    return _asked(Description, device, model, task, TIMEOUT_S)


def time_calls(device: Device, model: Model, task: TimeCalls) -> Timing | Failed | Skipped:
    return _asked(Timing, device, model, task, TIMEOUT_S)


def measure_memory(device: Device, model: Model, case: Case) -> Memory | Failed | Skipped:
    return _asked(Memory, device, model, MeasureMemory(case=case), TIMEOUT_S)


def count_instructions(
    device: Device, model: Model, task: CountInstructions
) -> Instructions | Failed | Skipped:
    return _asked(Instructions, device, model, task, TIMEOUT_S)


A = TypeVar("A", Description, Outputs, Timing, Memory, Instructions)


def _asked(
    kind: type[A], device: Device, model: Model, task: Task, timeout_s: float
) -> A | Failed | Skipped:
    runner = runner_for(model.backend)
    if runner is None:
        return Skipped(reason=f"no runner for {model.backend} files")
    for _ in range(ATTEMPTS_AFTER_A_CUT):
        try:
            answer = runner.run(device, model, task, timeout_s=timeout_s)
            break
        except ConnectionLost:
            continue  # the device reaches for its target again, and waits longer each time
    else:
        answer = runner.run(device, model, task, timeout_s=timeout_s)
    if not isinstance(answer, kind | Failed | Skipped):
        raise TypeError(f"{runner.NAME} answered {type(task).__name__} with {type(answer)}")
    return answer
