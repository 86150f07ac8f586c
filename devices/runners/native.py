"""The native runtime: its Python binding on this machine, a static program on targets."""

from __future__ import annotations

from typing import Final

from edgernn.devices.device import Device
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners.native_program import NativeProgram
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.devices.runners.python_runtime import PythonRuntime
from edgernn.devices.runners.runner import Answer, Model, Runner, Task


class NativeRuntime:
    """Runs .ernn files."""

    NAME = "native"

    def run(
        self, device: Device, model: Model, task: Task, *, timeout_s: float
    ) -> Answer | Failed | Skipped:
        runner: Runner = (
            NativeProgram()
            if isinstance(device, RemoteDevice)
            else PythonRuntime(self.NAME, packages=("edgernn",))
        )
        return runner.run(device, model, task, timeout_s=timeout_s)


NATIVE: Final[Runner] = NativeRuntime()
