"""The results of a task: values of a successful one, or Failed or Skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgernn.graph.tensor import AnyArray, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The runtime refused the model, raised, crashed or took too long.  `signal`: "SIGSEGV"."""

    reason: str
    signal: str | None = None
    log: str = ""  # the end of its standard error

    def __str__(self) -> str:
        return f"failed: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The task could not be tried: for example, the runtime is not installed there."""

    reason: str

    def __str__(self) -> str:
        return f"skipped: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output as the runtime sees it; None is a free dimension.

    `stored` is set where the model takes quantized integers and the payload converts.
    """

    name: str
    shape: Shape
    dtype: str
    stored: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine.  Runs of machines that differ in any of this are never combined."""

    node: str
    system: str  # "Linux 6.1.0"
    architecture: str  # "x86_64", "aarch64"
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Facts that every process reports, whatever its task."""

    machine: Machine
    versions: Mapping[str, str]  # versions of runtime, numpy, Python
    cpus: tuple[int, ...] | None  # the CPUs it was confined to; None: unknown
    import_ms: float  # start of the runtime, before any model
    load_ms: float  # from the model file to a session that is ready for its first call


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The model's inputs and outputs as the runtime reports them, and facts about the machine."""

    process: Process
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    facts: Mapping[str, str]  # file or command -> text; edgernn.devices.facts reads them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """The outputs of each case by name.

    A streaming model's outputs have a time axis after the batch: [B, steps, ...].
    """

    process: Process
    cases: tuple[dict[str, AnyArray], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """Calls made once a period, as an application makes them."""

    period_ms: float
    values_ms: tuple[float, ...]
    late_ms: tuple[float, ...]  # how long after its due time each call began
    deadlines_missed: int
    duty_cycle: float  # share of the time in calls, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of one process, in milliseconds.  Calibration and warm-up are never counted.

    Without `per_call`, `hot_ms` is one figure for all calls: the tool does not report each call.
    """

    process: Process
    first_call_ms: float
    calibration_ms: tuple[float, ...]
    warm_up_ms: tuple[float, ...]
    hot_ms: tuple[float, ...]
    stride: int  # one out of this many calls was timed; without per_call, the number of calls
    paced: Paced | None
    cpu_s: float  # CPU seconds of this process while it measured
    wall_s: float
    before: Mapping[str, str]  # facts, as in Description
    after: Mapping[str, str]
    per_call: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """Instructions that calls executed on an emulated processor, including the binding's."""

    process: Process
    per_call: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Peak resident memory (VmHWM) of a process that did nothing but load and call the model."""

    process: Process
    peak_bytes: int | None  # None: unknown
    runtime_bytes: int | None  # before the model is loaded: interpreter, numpy, runtime
