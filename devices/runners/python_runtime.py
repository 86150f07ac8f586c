"""Runtimes that are Python packages: the payload is pushed, started, and its reply read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import assert_never

from edgernn.array_archive import read_arrays
from edgernn.devices.device import Completed, Device
from edgernn.devices.host import HostDevice
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners import archive
from edgernn.devices.runners.kept import asked
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.devices.runners.payload.arrays import Arrays, pack, unpack
from edgernn.devices.runners.reply import (
    LOG_CHARACTERS,
    damaged,
    description,
    instructions,
    memory,
    outputs,
    timing,
    unfinished,
)
from edgernn.devices.runners.runner import (
    COUNTED_CALLS,
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
from edgernn.devices.runners.wheels import packages_on
from edgernn.temporary import TemporaryFolder

REQUEST = "request.json"
INPUTS = "inputs.npz"
OUTPUTS = "outputs.npz"
COUNTS = "instructions.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Python:
    """A Python interpreter of a device, and the folders of packages to add to its path."""

    argv: tuple[str, ...]
    packages: tuple[str, ...] = ()


class PythonRuntime:
    """Runs the payload with one of its runtimes."""

    def __init__(self, name: str, *, packages: tuple[str, ...]) -> None:
        """`packages`: the packages to install, in order of preference."""
        self.NAME = name
        self._packages = packages

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        python = self._python(device)
        if isinstance(python, Skipped):
            return python
        arrays, index = pack(cases_of(task))
        request = {**_request(self.NAME, model, task), "index": index}
        with TemporaryFolder() as folder:
            local = folder
            _push_content(device, local, archive.NAME, archive.payload_archive())
            _push_content(device, local, REQUEST, json.dumps(request).encode())
            if arrays:
                np.savez(local / INPUTS, **arrays)  # type: ignore[arg-type]
                device.push(local / INPUTS, INPUTS)
            for path in (model.path, *model.extra_files):
                device.push(path, path.name)
            completed = self._completed(device, python, model, task, timeout_s)
            reply = self._reply(completed, timeout_s)
            if isinstance(reply, Failed | Skipped):
                return reply
            try:
                return _answer(device, local, task, reply)
            except ValueError as error:
                return damaged(self.NAME, error)

    def _completed(
        self, device: Device, python: _Python, model: Model, task: Task, timeout_s: float
    ) -> Completed:
        """In the kept process of this runtime, where one works on this machine; else in a new one.

        What stays with a process is asked of a new one only: its memory, its instructions, the CPUs
        that it is confined to.
        """
        is_apart = model.cpus is not None or isinstance(task, MeasureMemory | CountInstructions)
        if isinstance(device, HostDevice) and not is_apart:
            kept = asked(self.NAME, python.argv, device.folder, REQUEST, timeout_s=timeout_s)
            if kept is not None:
                return kept
        argv = (*_started(python, task), archive.NAME, REQUEST)
        return device.run(argv, timeout_s=timeout_s)

    def _python(self, device: Device) -> _Python | Skipped:
        if device.python is None:
            return Skipped(reason=f"there is no Python on {device.name} to run {self.NAME}")
        if isinstance(device, RemoteDevice) and not device.choices.own_packages:
            folders = packages_on(device, device.python, self._packages)
            if isinstance(folders, Skipped):
                return folders
            return _Python(argv=(*device.python, "-s"), packages=folders)
        return _Python(argv=device.python)

    def _reply(self, completed: Completed, timeout_s: float) -> dict[str, Any] | Failed | Skipped:
        if failed := unfinished(self.NAME, completed, timeout_s):
            return failed
        log = completed.stderr[-LOG_CHARACTERS:]
        if completed.exit_code != 0:
            return self._broken_start(completed, log)
        try:
            reply: dict[str, Any] = json.loads(completed.stdout)
        except ValueError:
            return Failed(reason=f"{self.NAME} ended without an answer", log=log)
        if "missing" in reply:
            return Skipped(
                reason=f"{self.NAME} is not installed there: pip install {self._packages[0]} "
                f"({reply['missing']})"
            )
        if "skipped" in reply:
            return Skipped(reason=reply["skipped"])
        if "error" in reply:
            return Failed(reason=f"{self.NAME}: {' '.join(reply['error'].split())}", log=log)
        return reply

    def _broken_start(self, completed: Completed, log: str) -> Failed | Skipped:
        """Python or numpy did not start: the payload itself catches errors of runtimes."""
        if "No module named 'numpy'" in completed.stderr:
            return Skipped(reason=f"numpy is not installed there: pip install {self._packages[0]}")
        return Failed(reason=f"Python ended with exit code {completed.exit_code}", log=log)


def _started(python: _Python, task: Task) -> tuple[str, ...]:
    """The command line of Python.  For counting, the hash seed is fixed, so that counts repeat."""
    environment = [f"PYTHONPATH={':'.join(python.packages)}"] if python.packages else []
    counting: tuple[str, ...] = ()
    if isinstance(task, CountInstructions):
        environment.append("PYTHONHASHSEED=0")
        counting = (task.counter, COUNTS)
    return (*(("env", *environment) if environment else ()), *counting, *python.argv)


def _request(runtime: str, model: Model, task: Task) -> dict[str, Any]:
    common = {
        "runtime": runtime,
        "model": model.path.name,
        "libraries": [path.name for path in model.extra_files if path.suffix == ".so"],
        "states": [[state.input, state.output] for state in model.states],
        "streaming": model.streaming,
        "decoder": _rules(model),
        "threads": model.threads,
        "cpus": model.cpus,
        "inputs": INPUTS,
        "outputs": OUTPUTS,
    }
    match task:
        case Describe():
            return {**common, "task": "describe", "read": task.read, "ask": task.ask}
        case RunCases():
            return {**common, "task": "outputs"}
        case TimeCalls():
            return {
                **common,
                "task": "latency",
                "warm_up_s": task.warm_up_s,
                "min_time_s": task.min_time_s,
                "period_ms": task.period_ms,
                "read": task.read,
                "ask": task.ask,
            }
        case MeasureMemory():
            return {**common, "task": "memory"}
        case CountInstructions():
            return {**common, "task": "instructions", "calls": COUNTED_CALLS}
        case _:
            assert_never(task)


def _rules(model: Model) -> dict[str, Any] | None:
    decoder = model.decoder
    if decoder is None:
        return None
    states = [[state.input, state.output] for state in decoder.states]
    return {**asdict(decoder), "states": states}


def _answer(device: Device, folder: Path, task: Task, reply: Mapping[str, Any]) -> Answer:
    """Raises ValueError if a file that belongs to the reply is damaged."""
    match task:
        case Describe():
            return description(reply)
        case RunCases():
            device.pull(OUTPUTS, folder / OUTPUTS)
            return outputs(reply, _read(folder / OUTPUTS, reply["index"]))
        case TimeCalls():
            return timing(reply)
        case MeasureMemory():
            return memory(reply)
        case CountInstructions():
            device.pull(COUNTS, folder / COUNTS)
            return instructions(reply, (folder / COUNTS).read_text())
        case _:
            assert_never(task)


def _push_content(device: Device, folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    device.push(folder / name, name)


def _read(path: Path, index: Mapping[str, Any]) -> tuple[Arrays, ...]:
    """Raises ValueError if it is damaged."""
    try:
        return tuple(unpack(read_arrays(path), index))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(str(error)) from error
