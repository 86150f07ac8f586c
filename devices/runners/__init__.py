"""The runners by format, and the tasks that each of them can do.

runner.py defines the interface of a runner; outcome.py defines its results.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Final, TypeVar

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
from edgernn.devices.runners.runner import (
    Case,
    CountInstructions,
    Describe,
    MeasureMemory,
    Model,
    RunCases,
    Runner,
    Task,
    TimeCalls,
)
from edgernn.errors import ConnectionLost
from edgernn.formats import FORMATS
from edgernn.graph import DecoderStep, State

#: How often a task is repeated after a lost connection: nothing of it is kept on the target.
ATTEMPTS_AFTER_A_CUT: Final = 2
#: Ends a runtime that hangs; a crash is reported at once.
TIMEOUT_S: Final = 600.0


def runner_for(backend: str) -> Runner | None:
    """The runner for files of a format; None if there is none.

    An unknown format has none either: a newer edgernn may have written the manifest.
    """
    row = FORMATS.get(backend)
    if row is None or row.runner is None:
        return None
    runner = resolve_name(row.runner)
    if not isinstance(runner, Runner):
        raise TypeError(f"the runner of the format '{backend}' is {runner!r}, not a Runner")
    return runner


def run_cases(
    device: Device,
    artefact: Path,
    backend: str,
    cases: Sequence[Case],
    *,
    extra_files: Sequence[Path] = (),
    states: Sequence[State] = (),
    streaming: bool = False,
    decoder: DecoderStep | None = None,
    threads: int = 1,
    timeout_s: float = TIMEOUT_S,
) -> Outputs | Failed | Skipped:
    """The outputs of every case, computed by the artefact's own runtime in one child process.

    Cases are calls: arguments by name, batch first; shapes may differ from case to case.  State
    inputs that a case leaves out start as zeros.  With `streaming` a case holds whole sequences
    [B, T, ...].  Each output is [B, T, ...], one step for each call; each state output is the state
    after the last call.  With a `decoder` each case is read once, and written token by token: the
    output "tokens" is [B, longest], -1 behind the last token.
    """
    model = Model(
        path=artefact,
        backend=backend,
        extra_files=tuple(extra_files),
        states=tuple(states),
        streaming=streaming,
        decoder=decoder,
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
            continue  # the device connects again, and waits longer each time
    else:
        answer = runner.run(device, model, task, timeout_s=timeout_s)
    if not isinstance(answer, kind | Failed | Skipped):
        raise TypeError(f"{runner.NAME} answered {type(task).__name__} with {type(answer)}")
    return answer
