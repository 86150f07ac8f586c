"""Runs a native program on a target for one task, within the script that reads the conditions.

Files and arguments depend on the program; the form of the reply does not.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typing_extensions import assert_never

from edgernn.devices.device import Completed, Device, signal_name
from edgernn.devices.runners import native_script
from edgernn.devices.runners.outcome import Failed, Paced, Process, Timing
from edgernn.devices.runners.reply import LOG_CHARACTERS, unfinished
from edgernn.devices.runners.runner import (
    CountInstructions,
    Describe,
    MeasureMemory,
    Model,
    RunCases,
    Task,
    TimeCalls,
)
from edgernn.temporary import TemporaryFolder

SCRIPT: Final = "run.sh"
#: Enough calls to touch every buffer; more would only take longer.
MEMORY_CALLS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The sections of the script's output, and the output of the program."""

    told: Mapping[str, str]
    reply: Mapping[str, Any]

    def process(self, versions: Mapping[str, str]) -> Process:
        return Process(
            machine=native_script.machine(self.told),
            versions=versions,
            cpus=native_script.allowed_cpus(self.told),
            import_ms=self.reply.get("import_ns", 0) / 1e6,  # ours has nothing to start
            load_ms=self.reply["load_ns"] / 1e6,
        )

    def timing(self, task: TimeCalls, process: Process) -> Timing:
        reply = self.reply
        return Timing(
            process=process,
            first_call_ms=reply["first_call_ns"] / 1e6,
            calibration_ms=_milliseconds(reply["calibration_ns"]),
            warm_up_ms=_milliseconds(reply["warm_up_ns"]),
            hot_ms=_milliseconds(reply["hot_ns"]),
            stride=reply["stride"],
            paced=_paced(reply, task.period_ms) if task.period_ms else None,
            cpu_s=native_script.cpu_s(self.told),
            wall_s=native_script.wall_s(self.told),
            before=native_script.facts(self.told, "before"),
            after=native_script.facts(self.told, "after"),
        )


def ran(
    device: Device,
    model: Model,
    task: Task,
    *,
    name: str,
    files: Mapping[str, Path | bytes],
    executable: str,
    words: Sequence[str],
    timeout_s: float,
) -> Ran | Failed:
    """Pushes `files` under their remote names and runs `words`; errors name the runtime `name`."""
    told = scripted(
        device, model, task, files=files, executable=executable, words=words, timeout_s=timeout_s
    )
    completed, sections = told
    reply = _reply(name, completed, sections, model, timeout_s)
    return reply if isinstance(reply, Failed) else Ran(told=sections, reply=reply)


def scripted(
    device: Device,
    model: Model,
    task: Task,
    *,
    files: Mapping[str, Path | bytes],
    executable: str,
    words: Sequence[str],
    timeout_s: float,
) -> tuple[Completed, dict[str, str]]:
    """How the script ended, and its sections; one of them is the program's output."""
    word = secrets.token_hex(8)
    with TemporaryFolder() as folder:
        for remote, content in {**files, SCRIPT: _script(task).encode()}.items():
            local = content
            if isinstance(local, bytes):
                local = folder / remote
                local.write_bytes(content)  # type: ignore[arg-type]
            device.push(local, remote)
        completed = device.run(
            [
                *("sh", "-c", 'chmod +x "$1" && shift && exec sh "$@"', "edgernn", executable),
                *(SCRIPT, word, native_script.cpu_mask(model.cpus), *words),
            ],
            timeout_s=timeout_s,
        )
    return completed, native_script.sections(completed.stdout, word)


def pulled(device: Device, remote: str) -> bytes:
    with TemporaryFolder() as folder:
        device.pull(remote, folder / remote)
        return (folder / remote).read_bytes()


def timing_words(task: TimeCalls) -> list[str]:
    """The arguments that set how long to measure, for both programs."""
    words = ["--warm-up-ms", str(max(1, round(task.warm_up_s * 1e3)))]
    words += ["--time-ms", str(max(1, round(task.min_time_s * 1e3)))]
    if task.period_ms:
        words += ["--period-us", str(max(1, round(task.period_ms * 1e3)))]
    return words


def problem(
    name: str, completed: Completed, told: Mapping[str, str], model: Model, timeout_s: float
) -> Failed | None:
    """Why there is no output of the program; None if it ran to its end."""
    if failed := unfinished(name, completed, timeout_s):
        return failed
    log = completed.stderr[-LOG_CHARACTERS:]
    if "program" not in told and model.cpus:
        complaint = (log.strip() or "taskset is missing").splitlines()[-1]
        return Failed(reason=f"it cannot be confined to CPUs {model.cpus}: {complaint}")
    code = exit_code(told)
    if code > 128:
        killed_by = signal_name(code - 128)
        return Failed(reason=f"{name} crashed ({killed_by})", signal=killed_by, log=log)
    return None


def exit_code(told: Mapping[str, str]) -> int:
    return int(told.get("exit", "").strip() or -1)


def _reply(
    name: str, completed: Completed, told: Mapping[str, str], model: Model, timeout_s: float
) -> dict[str, Any] | Failed:
    if failed := problem(name, completed, told, model, timeout_s):
        return failed
    log = completed.stderr[-LOG_CHARACTERS:]
    try:
        reply: dict[str, Any] = json.loads(told.get("program", ""))
    except ValueError:
        complaint = (log.strip() or f"exit code {exit_code(told)}").splitlines()[-1]
        return Failed(reason=f"{name} ended without an answer: {complaint}", log=log)
    if "error" in reply:
        return Failed(reason=f"{name}: {' '.join(reply['error'].split())}", log=log)
    return reply


def _script(task: Task) -> str:
    match task:
        case Describe() | TimeCalls():
            return native_script.script(task.read, task.ask)
        case RunCases() | MeasureMemory() | CountInstructions():
            return native_script.script((), ())
        case _:
            assert_never(task)


def _paced(reply: Mapping[str, Any], period_ms: float) -> Paced:
    return Paced(
        period_ms=period_ms,
        values_ms=_milliseconds(reply["paced_ns"]),
        late_ms=_milliseconds(reply["late_ns"]),
        deadlines_missed=reply["deadlines_missed"],
        duty_cycle=sum(reply["paced_ns"]) / reply["paced_wall_ns"],
    )


def _milliseconds(values_ns: list[int]) -> tuple[float, ...]:
    return tuple(value / 1e6 for value in values_ns)
