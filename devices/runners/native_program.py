"""The native runtime on a target: one static program is pushed, and started once for each task."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from typing_extensions import assert_never

from edgernn import __version__
from edgernn.devices import Completed, Device, signal_name
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners import (
    COUNTED_CALLS,
    Answer,
    Case,
    CountInstructions,
    Describe,
    MeasureMemory,
    Model,
    RunCases,
    Task,
    TimeCalls,
    native_script,
    program_files,
)
from edgernn.devices.runners.outcome import (
    Description,
    Failed,
    Instructions,
    Memory,
    Outputs,
    Paced,
    Port,
    Process,
    Skipped,
    Timing,
)
from edgernn.devices.runners.program import NAME, static_program
from edgernn.devices.runners.reply import counted_calls
from edgernn.errors import EdgernnError, MissingRuntime
from edgernn.runtime.ports import NativePort

SCRIPT: Final = "run.sh"
INPUTS: Final = "inputs.bin"
OUTPUTS: Final = "outputs.bin"
COUNTS: Final = "instructions.txt"
LOG_CHARACTERS: Final = 2_000
PROBE_TIMEOUT_S: Final = 60.0
#: Enough for every buffer to be touched; a hot loop would only take longer.
MEMORY_CALLS: Final = 3


class NativeProgram:
    """Runs .ernn files by the static runner: also on a phone, where there is no Python."""

    NAME = "native"

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        try:
            from edgernn.runtime import Model as NativeModel  # not there without a C compiler

            native = NativeModel(model.path)
        except MissingRuntime as error:
            return Skipped(reason=str(error))
        except EdgernnError as error:
            return Failed(reason=f"{self.NAME}: {error.what}")
        found = static_program(_processors(device))
        if isinstance(found, Skipped):
            return found
        word = secrets.token_hex(8)
        with tempfile.TemporaryDirectory(prefix="edgernn-") as folder:
            local = Path(folder)
            device.push(found, NAME)
            device.push(model.path, model.path.name)
            _push(device, local, SCRIPT, _script(task).encode())
            cases = _cases(task)
            if cases:
                _push(device, local, INPUTS, program_files.packed(native.inputs, cases))
            counting = (task.counter, COUNTS) if isinstance(task, CountInstructions) else ()
            completed = device.run(
                [
                    *("sh", "-c", 'chmod +x "$1" && shift && exec sh "$@"', "edgernn", NAME),
                    *(SCRIPT, word, native_script.cpu_mask(model.cpus), *counting, f"./{NAME}"),
                    *_arguments(model, task, native.inputs),
                ],
                timeout_s=timeout_s,
            )
            told = native_script.sections(completed.stdout, word)
            reply = self._reply(completed, told, model, timeout_s)
            if isinstance(reply, Failed):
                return reply
            process = _process(told, reply)
            match task:
                case Describe():
                    return Description(
                        process=process,
                        inputs=tuple(_port(port) for port in native.inputs),
                        outputs=tuple(_port(port) for port in native.outputs),
                        facts=native_script.facts(told, "before"),
                    )
                case RunCases():
                    device.pull(OUTPUTS, local / OUTPUTS)
                    content = (local / OUTPUTS).read_bytes()
                    states = frozenset(state.output for state in model.states)
                    every_step = frozenset(
                        port.name
                        for port in native.outputs
                        if model.streaming and port.name not in states
                    )
                    return Outputs(
                        process=process,
                        cases=program_files.unpacked(content, native.outputs, cases, every_step),
                    )
                case TimeCalls():
                    return _timing(task, process, told, reply)
                case MeasureMemory():
                    peak = reply["peak_bytes"] or None
                    return Memory(process=process, peak_bytes=peak, runtime_bytes=None)
                case CountInstructions():
                    device.pull(COUNTS, local / COUNTS)
                    counts = (local / COUNTS).read_text()
                    return Instructions(process=process, per_call=counted_calls(counts))
                case _:
                    assert_never(task)

    def _reply(
        self, completed: Completed, told: Mapping[str, str], model: Model, timeout_s: float
    ) -> dict[str, Any] | Failed:
        log = completed.stderr[-LOG_CHARACTERS:]
        if completed.timed_out:
            return Failed(reason=f"{self.NAME} was not done after {timeout_s:g} s", log=log)
        if completed.signal:
            reason = f"{self.NAME} crashed ({completed.signal})"
            return Failed(reason=reason, signal=completed.signal, log=log)
        if "program" not in told and model.cpus:
            complaint = (log.strip() or "taskset is missing").splitlines()[-1]
            return Failed(reason=f"it cannot be confined to CPUs {model.cpus}: {complaint}")
        code = int(told.get("exit", "").strip() or -1)
        if code > 128:
            killed_by = signal_name(code - 128)
            reason = f"{self.NAME} crashed ({killed_by})"
            return Failed(reason=reason, signal=killed_by, log=log)
        try:
            reply: dict[str, Any] = json.loads(told.get("program", ""))
        except ValueError:
            complaint = (log.strip() or f"exit code {code}").splitlines()[-1]
            return Failed(reason=f"{self.NAME} ended without an answer: {complaint}", log=log)
        if "error" in reply:
            return Failed(reason=f"{self.NAME}: {reply['error']}", log=log)
        return reply


def _processors(device: Device) -> tuple[str, ...]:
    if isinstance(device, RemoteDevice):
        return device.processors
    return (device.run(["uname", "-m"], timeout_s=PROBE_TIMEOUT_S).stdout.strip(),)


def _script(task: Task) -> str:
    match task:
        case Describe() | TimeCalls():
            return native_script.script(task.read, task.ask)
        case RunCases() | MeasureMemory() | CountInstructions():
            return native_script.script((), ())
        case _:
            assert_never(task)


def _cases(task: Task) -> list[Case]:
    match task:
        case Describe():
            return []
        case RunCases():
            return list(task.cases)
        case TimeCalls() | MeasureMemory() | CountInstructions():
            return [task.case]
        case _:
            assert_never(task)


def _arguments(model: Model, task: Task, ports: tuple[NativePort, ...]) -> list[str]:
    words = [f"./{model.path.name}"]
    cases = _cases(task)
    if cases:
        words += [INPUTS, "--max-steps", str(program_files.longest(ports, cases))]
    if model.streaming:
        words.append("--every-step")
    match task:
        case Describe():
            pass
        case RunCases():
            words.insert(2, OUTPUTS)
        case TimeCalls():
            words += ["--warm-up-ms", str(max(1, round(task.warm_up_s * 1e3)))]
            words += ["--time-ms", str(max(1, round(task.min_time_s * 1e3)))]
            if task.period_ms:
                words += ["--period-us", str(max(1, round(task.period_ms * 1e3)))]
        case MeasureMemory():
            words += ["--calls", str(MEMORY_CALLS)]
        case CountInstructions():
            words += ["--calls", str(COUNTED_CALLS)]
        case _:
            assert_never(task)
    return words


def _process(told: Mapping[str, str], reply: Mapping[str, Any]) -> Process:
    return Process(
        machine=native_script.machine(told),
        versions={"edgernn": __version__},
        cpus=native_script.allowed_cpus(told),
        import_ms=0.0,  # there is nothing to start before the model
        load_ms=reply["load_ns"] / 1e6,
    )


def _timing(
    task: TimeCalls, process: Process, told: Mapping[str, str], reply: Mapping[str, Any]
) -> Timing:
    return Timing(
        process=process,
        first_call_ms=reply["first_call_ns"] / 1e6,
        calibration_ms=_milliseconds(reply["calibration_ns"]),
        warm_up_ms=_milliseconds(reply["warm_up_ns"]),
        hot_ms=_milliseconds(reply["hot_ns"]),
        stride=reply["stride"],
        paced=_paced(reply, task.period_ms) if task.period_ms else None,
        cpu_s=native_script.cpu_s(told),
        wall_s=native_script.wall_s(told),
        before=native_script.facts(told, "before"),
        after=native_script.facts(told, "after"),
    )


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


def _port(port: NativePort) -> Port:
    steps = [port.steps] if port.is_sequence else []
    return Port(name=port.name, shape=(None, *steps, *port.row_shape), dtype=port.dtype.value)


def _push(device: Device, folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    device.push(folder / name, name)
