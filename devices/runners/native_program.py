"""The native runtime on a target: one static program is pushed, and started once for each task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from typing_extensions import assert_never

from edgernn.devices.device import Device
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners import native_script, program_files
from edgernn.devices.runners.outcome import (
    Description,
    Failed,
    Instructions,
    Memory,
    Outputs,
    Port,
    Skipped,
)
from edgernn.devices.runners.program import NAME, static_program
from edgernn.devices.runners.program_run import (
    MEMORY_CALLS,
    Ran,
    pulled,
    ran,
    timing_words,
)
from edgernn.devices.runners.reply import counted_calls, damaged
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
from edgernn.dtype import DType
from edgernn.errors import EdgernnError, MissingRuntime
from edgernn.graph import TOKENS, DecoderStep
from edgernn.runtime.ports import NativePort
from edgernn.version import __version__

if TYPE_CHECKING:
    from edgernn.runtime.model import Model as NativeModel

INPUTS: Final = "inputs.bin"
OUTPUTS: Final = "outputs.bin"
COUNTS: Final = "instructions.txt"
PROBE_TIMEOUT_S: Final = 60.0


class NativeProgram:
    """Runs .ernn files by the static runner: also on a phone, where there is no Python."""

    NAME = "native"

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        try:
            from edgernn.runtime import Model as NativeModel  # missing without a C compiler

            native = NativeModel(model.path)
            loop = _loop(NativeModel, model, native.outputs)
        except MissingRuntime as error:
            return Skipped(reason=str(error))
        except EdgernnError as error:
            return Failed(reason=f"{self.NAME}: {error.what}")
        found = static_program(_processors(device))
        if isinstance(found, Skipped):
            return found
        files: dict[str, Path | bytes] = {NAME: found, model.path.name: model.path}
        if model.decoder is not None:
            files |= {path.name: path for path in model.extra_files}
        if cases := cases_of(task):
            files[INPUTS] = program_files.packed(native.inputs, cases)
        counting = (task.counter, COUNTS) if isinstance(task, CountInstructions) else ()
        answer = ran(
            device,
            model,
            task,
            name=self.NAME,
            files=files,
            executable=NAME,
            words=[*counting, f"./{NAME}", *_arguments(model, task, native.inputs), *loop],
            timeout_s=timeout_s,
        )
        if isinstance(answer, Failed):
            return answer
        try:
            written = native.outputs if model.decoder is None else (_tokens(model.decoder),)
            return _answer(device, model, task, native.inputs, written, answer)
        except ValueError as error:
            return damaged(self.NAME, error)


def _answer(
    device: Device,
    model: Model,
    task: Task,
    inputs: tuple[NativePort, ...],
    outputs: tuple[NativePort, ...],
    answer: Ran,
) -> Answer:
    """Raises ValueError if a file that belongs to the reply is damaged."""
    process = answer.process({"edgernn": __version__})
    match task:
        case Describe():
            return Description(
                process=process,
                inputs=tuple(_port(port) for port in inputs),
                outputs=tuple(_port(port) for port in outputs),
                facts=native_script.facts(answer.told, "before"),
            )
        case RunCases():
            states = frozenset(state.output for state in model.states)
            every_step = frozenset(
                port.name for port in outputs if model.streaming and port.name not in states
            )
            content = pulled(device, OUTPUTS)
            cases = program_files.unpacked(content, outputs, task.cases, every_step)
            return Outputs(process=process, cases=cases)
        case TimeCalls():
            return answer.timing(task, process)
        case MeasureMemory():
            peak = answer.reply["peak_bytes"] or None
            return Memory(process=process, peak_bytes=peak, runtime_bytes=None)
        case CountInstructions():
            counts = pulled(device, COUNTS).decode()
            return Instructions(process=process, per_call=counted_calls(counts))
        case _:
            assert_never(task)


def _loop(
    open_model: Callable[[Path], NativeModel], model: Model, encoded: Sequence[NativePort]
) -> list[str]:
    """The arguments that name a decoder's ports by position."""
    decoder = model.decoder
    if decoder is None:
        return []
    path = next(path for path in model.extra_files if path.name == decoder.file)
    step = open_model(path)
    inputs, outputs = ([port.name for port in ports] for ports in (step.inputs, step.outputs))
    rules = (inputs.index(decoder.input), outputs.index(decoder.output))
    words = ["--decoder", f"./{decoder.file}", *map(str, rules)]
    words += [str(decoder.start), str(decoder.stop), str(decoder.longest)]
    for number, port in enumerate(encoded):
        if port.name in inputs:
            words += ["--begin", str(number), str(inputs.index(port.name))]
    return words


def _tokens(decoder: DecoderStep) -> NativePort:
    return NativePort(
        name=TOKENS,
        dtype=DType.INT32,
        numpy=np.dtype(np.int32),
        is_sequence=False,
        steps=None,
        width=decoder.longest,
        row_shape=(decoder.longest,),
        state_output=None,
    )


def _processors(device: Device) -> tuple[str, ...]:
    if isinstance(device, RemoteDevice):
        return device.processors
    return (device.run(["uname", "-m"], timeout_s=PROBE_TIMEOUT_S).stdout.strip(),)


def _arguments(model: Model, task: Task, ports: tuple[NativePort, ...]) -> list[str]:
    words = [f"./{model.path.name}"]
    cases = cases_of(task)
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
            words += timing_words(task)
        case MeasureMemory():
            words += ["--calls", str(MEMORY_CALLS)]
        case CountInstructions():
            words += ["--calls", str(COUNTED_CALLS)]
        case _:
            assert_never(task)
    return words


def _port(port: NativePort) -> Port:
    steps = [port.steps] if port.is_sequence else []
    return Port(name=port.name, shape=(None, *steps, *port.row_shape), dtype=port.dtype.value)
