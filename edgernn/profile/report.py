"""The results of a profile, as values.  edgernn.report shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from edgernn.devices.facts import Identity
from edgernn.devices.runners.outcome import Failed, Machine, Port, Skipped
from edgernn.graph import Shape
from edgernn.profile.alarms import Alarms
from edgernn.profile.measure import Benchmark, Plan, Run, latency_ratio
from edgernn.scoring.fitting import Refit
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import Truth
from edgernn.stats import Ratio
from edgernn.version import __version__

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The training of the model that an artefact was made from."""

    task: str | None = None  # the data that it was trained on
    cell: str
    units: int
    layers: int
    seconds: float
    seconds_to_best: float
    epochs_to_best: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One measured model file."""

    file: str
    sha256: str  # of the model file: distinguishes two files of one name
    model: str  # the user's name for it: the Keras file's stem
    backend: str
    scheme: str  # "unknown" without a manifest
    bytes: int  # with extra files
    parameters: int | None
    streaming: bool
    verification: str  # "passed (2e-7)", "not run", "unknown"
    source_sha256: str | None  # of the Keras file: artefacts of one source are comparable
    training: Training | None = None
    outputs: tuple[Shape, ...] | None = None  # without batch and states, from the manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakMemory:
    """Peak resident memory of a separate process, and the part used before the model was loaded."""

    peak_bytes: int | None
    runtime_bytes: int | None

    @property
    def model_bytes(self) -> int | None:
        """The memory that loading and calling the model added to the peak."""
        if self.peak_bytes is None or self.runtime_bytes is None:
            return None
        return self.peak_bytes - self.runtime_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All results for one item on one device so far."""

    device: str
    item: Item
    versions: Mapping[str, str] = field(default_factory=dict)  # of the runtime and its parts
    inputs: tuple[Port, ...] = ()  # as the runtime reports them
    shapes: tuple[tuple[str, Shape], ...] = ()  # of the arguments that were timed, by input
    assumed_steps: int | None = None  # time is free, and no data show how long sequences are
    outcome: Failed | Skipped | None = None  # why there are no further results
    memory: PeakMemory | None = None
    instructions: tuple[int, ...] = ()  # executed by each call, on an emulated device that counts
    predictions: Predictions | None = None
    unjudged: Skipped | None = None  # why there are no predictions, though there are data
    refit: Refit | None = None  # of the rows that they are for
    runs: tuple[Run, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.device, self.item.file, self.item.sha256)

    @property
    def benchmark(self) -> Benchmark | None:
        return Benchmark(runs=self.runs) if self.runs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device of the profile."""

    name: str
    machine: Machine
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The original model's answers for the data in float32, computed on the host."""

    source_sha256: str
    predictions: Predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One artefact of a device, measured in two series: their difference is the device's noise."""

    device: str
    file: str
    first: tuple[Run, ...]
    second: tuple[Run, ...]

    @property
    def ratio(self) -> Ratio:
        """The first series over the second; 1 without noise."""
        return latency_ratio(Benchmark(runs=self.first), Benchmark(runs=self.second))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A profile, complete or not.  Immutable: measuring makes new ones."""

    created: str  # ISO 8601, UTC
    plan: Plan
    truth: Truth | None = None
    targets: tuple[Target, ...] = ()
    cells: tuple[Cell, ...] = ()
    references: tuple[Reference, ...] = ()
    noise: tuple[Noise, ...] = ()  # by device, where it was asked for
    alarms: tuple[Alarms, ...] = ()  # by artefact, where there are long recordings
    edgernn_version: str = __version__

    def cell(self, key: tuple[str, str, str]) -> Cell | None:
        return next((cell for cell in self.cells if cell.key == key), None)

    def with_cell(self, cell: Cell) -> Report:
        """The report with this cell, which replaces its earlier state or is added at the end."""
        return replace(self, cells=_replaced(self.cells, cell, lambda one: one.key))

    def with_reference(self, reference: Reference) -> Report:
        new = _replaced(self.references, reference, lambda one: one.source_sha256)
        return replace(self, references=new)

    def with_device(self, name: str, other: Report) -> Report:
        """The report with another one's results for a device; both started from the same one."""
        report = self
        for target in other.targets:
            if target.name == name:
                report = report.with_target(target)
        for cell in other.cells:
            if cell.device == name:
                report = report.with_cell(cell)
        for reference in other.references:
            report = report.with_reference(reference)
        for noise in other.noise:
            if noise.device == name:
                report = report.with_noise(noise)
        return report

    def with_noise(self, noise: Noise) -> Report:
        return replace(self, noise=_replaced(self.noise, noise, lambda one: one.device))

    def counter_of(self, device: str) -> str | None:
        """The program on an emulated device that counts instructions."""
        return next((one.identity.counter for one in self.targets if one.name == device), None)

    def is_emulated(self, device: str) -> bool:
        """Whether it is emulated: then its times and memory are not those of the real device."""
        return any(one.identity.emulated for one in self.targets if one.name == device)

    def with_target(self, target: Target) -> Report:
        return replace(self, targets=_replaced(self.targets, target, lambda one: one.name))


def _replaced(items: tuple[T, ...], new: T, key: Callable[[T], object]) -> tuple[T, ...]:
    if any(key(item) == key(new) for item in items):
        return tuple(new if key(item) == key(new) else item for item in items)
    return (*items, new)
