"""ONNX Runtime and LiteRT: Python packages, or without Python the libraries that a user gives."""

from __future__ import annotations

from typing import Final

from edgernn.devices.device import Device
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners.benchmark_tool import BenchmarkTool
from edgernn.devices.runners.library_program import LibraryProgram
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.devices.runners.python_runtime import PythonRuntime
from edgernn.devices.runners.runner import Answer, Model, Runner, Task
from edgernn.devices.runners.user_libraries import found_library


class VendorRuntime:
    """Runs the files of a back end with its vendor's runtime."""

    def __init__(self, name: str, *, packages: tuple[str, ...]) -> None:
        self.NAME = name
        self._python = PythonRuntime(name, packages=packages)

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        runner = self._runner(device, model)
        if isinstance(runner, Skipped):
            return runner
        return runner.run(device, model, task, timeout_s=timeout_s)

    def _runner(self, device: Device, model: Model) -> Runner | Skipped:
        if not isinstance(device, RemoteDevice) or device.python is not None:
            return self._python
        if not device.abis:
            return self._python  # which reports that there is none
        library = found_library(device.choices.android_runtimes, model.backend, device.abis)
        if not isinstance(library, Skipped):
            return LibraryProgram(self.NAME, library)
        tool = device.choices.benchmark_model
        if model.backend == "tflite" and tool is not None:
            return BenchmarkTool(tool)
        or_tool = ", or --benchmark-model FILE" if model.backend == "tflite" else ""
        return Skipped(
            reason=f"there is no Python on {device.name} to run {self.NAME}: "
            f"{library.reason}{or_tool}"
        )


ONNX_RUNTIME: Final[Runner] = VendorRuntime("onnxruntime", packages=("onnxruntime",))
LITERT: Final[Runner] = VendorRuntime("litert", packages=("ai-edge-litert", "tflite-runtime"))
