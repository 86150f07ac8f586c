"""ONNX Runtime and TensorFlow Lite without Python, with a library that the user gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from typing_extensions import assert_never

from edgernn import atomic
from edgernn.devices.device import Device
from edgernn.devices.runners import native_script, tensor_files
from edgernn.devices.runners.file_ports import FilePorts, file_ports
from edgernn.devices.runners.outcome import Description, Failed, Memory, Outputs, Skipped
from edgernn.devices.runners.payload.arrays import Arrays
from edgernn.devices.runners.payload.model import Model as Calls
from edgernn.devices.runners.payload.sessions import Tensor, needs_edgernn
from edgernn.devices.runners.program import LIBRARY_NAME, OPERATORS_NAME, library_program
from edgernn.devices.runners.program_run import (
    MEMORY_CALLS,
    Ran,
    pulled,
    ran,
    timing_words,
)
from edgernn.devices.runners.reply import damaged, port
from edgernn.devices.runners.runner import (
    Answer,
    Case,
    CountInstructions,
    Describe,
    MeasureMemory,
    Model,
    RunCases,
    Task,
    TimeCalls,
    cases_of,
)
from edgernn.devices.runners.user_libraries import Library
from edgernn.errors import DeviceError
from edgernn.folders import cache_folder
from edgernn.graph import TOKENS, DecoderStep

INPUTS: Final = "inputs.bin"
OUTPUTS: Final = "outputs.bin"


class LibraryProgram:
    """Loads the library on the target and does the same tasks as the Python payload.

    The arguments of each call are computed here, by the same code; the program only makes the calls
    and passes the states of one call to the next.
    """

    def __init__(self, name: str, library: Library) -> None:
        self.NAME = name
        self._library = library

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        if isinstance(task, CountInstructions):
            return Skipped(reason="instructions are counted only for Python packages")
        abi = self._library.about.abi
        program = library_program(abi)
        if isinstance(program, Skipped):
            return program
        operators = library_program(abi, OPERATORS_NAME) if _needs_operators(model) else None
        if isinstance(operators, Skipped):
            return operators
        try:
            ports = file_ports(model.path, model.backend)
        except DeviceError as error:
            return Failed(reason=f"{self.NAME}: {error.what}")
        written = ports if model.decoder is None else _as_pair(ports, model.decoder)
        calls = _calls(written, model)
        files: dict[str, Path | bytes] = {
            LIBRARY_NAME: program,
            model.path.name: model.path,
            **{path.name: path for path in model.extra_files if path.suffix != ".so"},
            **{each.name: kept(each) for each in (self._library, *self._library.companions)},
        }
        if operators:
            files[OPERATORS_NAME] = operators
        if cases_of(task):
            files[INPUTS] = _inputs(written, calls, model, task)
        answer = ran(
            device,
            model,
            task,
            name=self.NAME,
            files=files,
            executable=LIBRARY_NAME,
            words=self._words(ports, model, task),
            timeout_s=timeout_s,
        )
        if isinstance(answer, Failed):
            return self._explained(answer)
        if refused := self._other_ports(ports, answer, model.backend):
            return refused
        try:
            return self._answer(device, written, calls, model, task, answer)
        except ValueError as error:
            return damaged(self.NAME, error)

    def _explained(self, failed: Failed) -> Failed:
        """The program exists, so "No such file" is about its loader."""
        if not re.search(rf"env: .*{LIBRARY_NAME}.*No such file", failed.reason):
            return failed
        reason = f"{self.NAME}: the device has no loader for programs of {self._library.about.abi}"
        return replace(failed, reason=reason)

    def _words(self, ports: FilePorts, model: Model, task: Task) -> list[str]:
        # The loader searches there for a library's dependencies, not beside the library.
        words = ["env", "LD_LIBRARY_PATH=.", f"./{LIBRARY_NAME}"]
        words += [f"./{self._library.name}", f"./{model.path.name}"]
        if cases_of(task):
            words.append(INPUTS)
        if isinstance(task, RunCases):
            words.append(OUTPUTS)
        words += ["--threads", str(model.threads)]
        if _needs_operators(model):
            words += ["--operators", f"./{OPERATORS_NAME}"]
        inputs = [tensor.name for tensor in ports.inputs]
        outputs = [tensor.name for tensor in ports.outputs]
        for state in model.states:
            words += ["--state", str(inputs.index(state.input)), str(outputs.index(state.output))]
        if model.decoder is not None:
            words += _loop(ports, model, model.decoder)
        if isinstance(task, TimeCalls):
            words += timing_words(task)
        if isinstance(task, MeasureMemory):
            words += ["--calls", str(MEMORY_CALLS)]
        return words

    def _other_ports(self, ports: FilePorts, answer: Ran, backend: str) -> Failed | None:
        """Failed if the runtime finds other tensors in the file than edgernn read from it."""
        for side, tensors in (("inputs", ports.inputs), ("outputs", ports.outputs)):
            read = [(tensor.name, tensor.dtype.name) for tensor in tensors]
            seen = [(entry["name"], entry["dtype"]) for entry in answer.reply[side]]
            if backend == "tflite":  # names its tensors differently from the signature
                read, seen = ([("", dtype) for _, dtype in each] for each in (read, seen))
            if read != seen:
                return Failed(reason=f"{self.NAME} finds the {side} {seen}, the file has {read}")
        return None

    def _answer(
        self,
        device: Device,
        ports: FilePorts,
        calls: Calls,
        model: Model,
        task: Task,
        answer: Ran,
    ) -> Answer:
        """Raises ValueError if a file that belongs to the reply is damaged."""
        process = answer.process({self.NAME: answer.reply["version"]})
        match task:
            case Describe():
                return Description(
                    process=process,
                    inputs=tuple(port(tensor.described()) for tensor in ports.inputs),
                    outputs=tuple(port(tensor.described()) for tensor in ports.outputs),
                    facts=native_script.facts(answer.told, "before"),
                )
            case RunCases():
                kinds = [(tensor.name, tensor.dtype) for tensor in ports.outputs]
                rows = tensor_files.unpacked(pulled(device, OUTPUTS), kinds)
                return Outputs(process=process, cases=tuple(_joined(calls, model, task, rows)))
            case TimeCalls():
                return answer.timing(task, process)
            case MeasureMemory():
                return Memory(
                    process=process,
                    peak_bytes=answer.reply["peak_bytes"] or None,
                    runtime_bytes=answer.reply["runtime_bytes"] or None,
                )
            case CountInstructions():
                raise AssertionError("it was skipped")
            case _:
                assert_never(task)


def _needs_operators(model: Model) -> bool:
    files = (model.path, *(path for path in model.extra_files if path.suffix == model.path.suffix))
    return model.backend == "onnx" and any(needs_edgernn(str(path)) for path in files)


def _as_pair(encoder: FilePorts, decoder: DecoderStep) -> FilePorts:
    """An encoder and its decoder as one model: a sequence in, tokens out."""
    tokens = Tensor(TOKENS, (None, decoder.longest), "int32")
    return FilePorts(inputs=encoder.inputs, outputs=(tokens,))


def _loop(encoder: FilePorts, model: Model, decoder: DecoderStep) -> list[str]:
    """The arguments that name the decoder's tensors by position."""
    path = next(path for path in model.extra_files if path.name == decoder.file)
    ports = file_ports(path, model.backend)
    inputs, outputs = ([one.name for one in side] for side in (ports.inputs, ports.outputs))
    rules = (inputs.index(decoder.input), outputs.index(decoder.output))
    words = ["--decoder", f"./{decoder.file}", *map(str, rules)]
    words += [str(decoder.start), str(decoder.stop), str(decoder.longest)]
    for number, tensor in enumerate(encoder.outputs):
        if tensor.name in inputs:
            words += ["--begin", str(number), str(inputs.index(tensor.name))]
    for state in decoder.states:
        words += ["--state", str(inputs.index(state.input)), str(outputs.index(state.output))]
    return words


def _rows(calls: Calls, model: Model, case: Case) -> list[Arrays]:
    """The pieces of a case that one run of the program takes: of a decoder, a sequence each."""
    if model.decoder is None:
        return calls.rows(case)
    batch = next(iter(case.values())).shape[0]
    return [{name: x[row : row + 1] for name, x in case.items()} for row in range(batch)]


def _calls(ports: FilePorts, model: Model) -> Calls:
    """The payload's rules for calls, for a session on the target."""
    request = {
        "states": [[state.input, state.output] for state in model.states],
        "streaming": model.streaming,
    }
    return Calls(ports, request)


def _inputs(ports: FilePorts, calls: Calls, model: Model, task: Task) -> bytes:
    names = [tensor.name for tensor in ports.inputs]
    states = {name for name, _ in calls.states}
    cases: list[Sequence[Arrays]] = []
    if isinstance(task, RunCases):
        for case in task.cases:
            for row in _rows(calls, model, case):
                given = {name: x for name, x in row.items() if name in states}
                first, *others = calls.calls(row)
                made = [calls.feeds({**first, **given})]
                made += [
                    {name: calls.inputs[name].stored(x) for name, x in call.items()}
                    for call in others
                ]
                cases.append(made)
    else:
        (case,) = cases_of(task)
        cases.append([calls.feeds(calls.first_step(case))])
    return tensor_files.packed(names, cases)


def _joined(
    calls: Calls, model: Model, task: RunCases, rows: Sequence[Sequence[Arrays]]
) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Joins the outputs of the calls of each row into the outputs of each case."""
    left = iter(rows)
    return [
        calls.joined([calls.result(next(left)) for _ in _rows(calls, model, case)])
        for case in task.cases
    ]


def kept(library: Library) -> Path:
    """Writes it to a file: devices transfer files only."""
    path = cache_folder() / "android-runtimes" / library.digest / library.name
    if not path.is_file():
        atomic.write_bytes(path, library.content)
    return path
