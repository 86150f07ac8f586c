"""Profiles artefacts on a device: contents, accuracy, size and speed.

Extends a Report and yields a new one after each process, so that a caller who saves it loses
nothing.  Results that the report already contains are not measured again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edgernn.devices.device import Device
from edgernn.devices.facts import (
    CONDITION_COMMANDS,
    CONDITION_FILES,
    IDENTITY_COMMANDS,
    IDENTITY_FILES,
    Conditions,
    conditions,
    identity,
)
from edgernn.devices.runners import count_instructions, describe, measure_memory, run_cases
from edgernn.devices.runners.outcome import (
    Description,
    Failed,
    Instructions,
    Memory,
    Outputs,
    Skipped,
)
from edgernn.devices.runners.runner import CountInstructions, Describe, Model
from edgernn.errors import DataError, IncomparableRuns
from edgernn.profile.candidates import Candidate
from edgernn.profile.changes import PLAN_OPTIONS, changes
from edgernn.profile.cooling import Cooling
from edgernn.profile.measure import Plan, Run, interleaved, measured, require_agreement
from edgernn.profile.report import Cell, Noise, PeakMemory, Reference, Report, Target
from edgernn.profile.workload import Workload, called_shape, data_port, data_ports
from edgernn.scoring.class_names import data_numbers
from edgernn.scoring.fitting import cases_of, fitted, refit_of
from edgernn.scoring.reading import predictions_of
from edgernn.scoring.truth import require_read, truth_of
from edgernn.tasks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The results so far, and the next step."""

    report: Report
    next: str
    done: int  # processes
    total: int


def begun(created: str, plan: Plan, workload: Workload) -> Report:
    """A report without measurements."""
    samples = workload.samples
    truth = truth_of(samples, metric=workload.metric) if samples else None
    return Report(created=created, plan=plan, truth=truth)


def resumed(earlier: Report, plan: Plan, workload: Workload) -> Report:
    """The earlier report, to be continued: failed and skipped rows are tried again.

    Raises IncomparableRuns if it was measured with another plan (except for more processes) or
    with other data.
    """
    if replace(earlier.plan, processes=plan.processes) != plan:
        raise IncomparableRuns(
            "the report to resume was measured with another plan: "
            f"{changes(replace(earlier.plan, processes=plan.processes), plan, PLAN_OPTIONS)}",
            remedy="Give the same options, or another --json file",
        )
    truth = None
    if workload.samples is not None:
        truth = truth_of(workload.samples, metric=workload.metric)
    if earlier.truth != truth:
        raise IncomparableRuns(
            "the report to resume was measured with other data",
            remedy="Give the same --data, or another --json file",
        )
    return replace(earlier, plan=plan)


def profiled(
    report: Report, device: Device, candidates: Sequence[Candidate], workload: Workload
) -> Iterator[Progress]:
    """Measures the candidates on this device as far as results are missing in `report`.

    Yields before each process, and once at the end.  A model that the data do not fit becomes a
    failed row.  Raises DataError if they fit none, IncomparableRuns if the device is not the one
    that the report has under its name.
    """
    profile = _Profile(report=report, device=device, workload=workload)
    done = 0
    for what in profile.steps(candidates):
        total = done + profile.processes_due(candidates)
        yield Progress(report=profile.report, next=what, done=done, total=total)
        done += not isinstance(what, _Wait)
    yield Progress(report=profile.report, next="", done=done, total=done)


class _Wait(str):
    """A step without a process."""

    __slots__ = ()


class _Profile:
    """The report while it grows.  `steps` yields before each step."""

    def __init__(self, *, report: Report, device: Device, workload: Workload) -> None:
        self.report = report
        self._device = device
        self._workload = workload
        self._cooling = Cooling(limit_s=report.plan.cool_down_s)
        self._tried: set[str] = set()  # files, described or not
        self._noise_due = 2 * report.plan.processes
        if not report.plan.check_noise or self._has_noise:
            self._noise_due = 0
        self._misfits: list[DataError] = []

    def processes_due(self, candidates: Sequence[Candidate]) -> int:
        """How many processes are still needed, if none fails."""
        due = sum(self._due(candidate) for candidate in candidates)
        return due + (self._noise_due if self._is_timed else 0)

    def _due(self, candidate: Candidate) -> int:
        cell = self._cell(candidate)
        is_new = candidate.item.file not in self._tried
        if cell.outcome is not None and not is_new:
            return 0
        counts = bool(self.report.counter_of(self._device.name)) and not cell.instructions
        has_rows = self._answered is not None and cell.unjudged is None
        rows_due = has_rows and cell.predictions is None
        weighs = self._workload.weighs and cell.memory is None
        timed = max(0, self.report.plan.processes - len(cell.runs)) + weighs
        return is_new + rows_due + counts + (timed if self._is_timed else 0)

    def steps(self, candidates: Sequence[Candidate]) -> Iterator[str]:
        for candidate in candidates:
            yield from self._once_if_it_fits(candidate)
        sound = [one for one in candidates if self._cell(one).outcome is None]
        if self._misfits and not sound:
            raise self._misfits[0]
        self._add_references(sound if self._misfits else candidates)
        if not self._is_timed:
            return
        yield from self._timed(candidates)
        if self.report.plan.check_noise and not self._has_noise:
            yield from self._timed_twice(candidates)

    def _add_references(self, candidates: Sequence[Candidate]) -> None:
        """The original models' answers for the data, if their files exist."""
        samples = self._answered
        if samples is None:
            return
        for candidate in candidates:
            digest = candidate.item.source_sha256
            known = any(one.source_sha256 == digest for one in self.report.references)
            is_out = self._cell(candidate).outcome is not None
            if candidate.source is None or digest is None or known or is_out:
                continue
            predictions = self._workload.references.of(
                candidate.source, samples, candidate.labels, candidate.decoding
            )
            if predictions is not None:
                found = Reference(source_sha256=digest, predictions=predictions)
                self.report = self.report.with_reference(found)

    def _once_if_it_fits(self, candidate: Candidate) -> Iterator[str]:
        try:
            yield from self._once(candidate)
        except DataError as misfit:
            self._misfits.append(misfit)
            failed = Failed(reason=str(misfit))
            self.report = self.report.with_cell(replace(self._cell(candidate), outcome=failed))

    def _once(self, candidate: Candidate) -> Iterator[str]:
        """The tasks of a single process each: description, outputs, memory."""
        file = candidate.item.file
        yield f"{file}: loading"
        self._tried.add(file)
        cell = replace(self._cell(candidate), outcome=None)  # from an earlier try
        cell = self._described(candidate, cell)
        self.report = self.report.with_cell(cell)
        if cell.outcome is not None:
            return
        if self._answered is not None and cell.predictions is None:
            yield f"{file}: running {len(self._answered)} rows"
            cell = self._predicted(candidate, cell, self._answered)
            self.report = self.report.with_cell(cell)
        weighs = self._workload.weighs and self._is_timed
        if cell.outcome is None and cell.memory is None and weighs:
            yield f"{file}: measuring memory"
            cell = self._weighed(candidate, cell)
            self.report = self.report.with_cell(cell)
        counter = self.report.counter_of(self._device.name)
        if counter and cell.outcome is None and not cell.instructions:
            yield f"{file}: counting instructions"
            self.report = self.report.with_cell(self._counted(candidate, cell, counter))

    def _timed(self, candidates: Sequence[Candidate]) -> Iterator[str]:
        """The processes of the plan, alternating between the candidates.

        One that fails or is skipped gets no further process.
        """
        plan = self.report.plan
        done = [len(self._cell(candidate).runs) for candidate in candidates]
        for candidate, number in interleaved(candidates, done, plan.processes):
            cell = self._cell(candidate)
            if cell.outcome is not None:
                continue
            yield from self._cooled(candidate)
            yield f"{candidate.item.file}: process {number + 1} of {plan.processes}"
            result = self._run(candidate, cell)
            if isinstance(result, Run):
                require_agreement((*cell.runs, result))  # before earlier results are changed
                cell = replace(cell, runs=(*cell.runs, result))
            else:
                cell = replace(cell, outcome=result)
            self.report = self.report.with_cell(cell)

    def _timed_twice(self, candidates: Sequence[Candidate]) -> Iterator[str]:
        """The fastest artefact in two series, which differ only by noise."""
        plan = self.report.plan
        timed = [
            (cell.benchmark.hot.p50_ms, candidate)
            for candidate in candidates
            if (cell := self._cell(candidate)).benchmark and cell.outcome is None
        ]
        if not timed:
            return
        _, fastest = min(timed, key=lambda pair: pair[0])
        cell = self._cell(fastest)
        series: tuple[list[Run], list[Run]] = ([], [])
        for which, number in interleaved((0, 1), (0, 0), plan.processes):
            yield from self._cooled(fastest)
            yield f"{cell.item.file}: noise, process {number + 1} of {plan.processes}"
            self._noise_due -= 1
            result = self._run(fastest, cell)
            if not isinstance(result, Run):
                self.report = self.report.with_cell(replace(cell, outcome=result))
                return
            series[which].append(result)
        first, second = (tuple(runs) for runs in series)
        noise = Noise(device=self._device.name, file=cell.item.file, first=first, second=second)
        self.report = self.report.with_noise(noise)

    def _cooled(self, candidate: Candidate) -> Iterator[str]:
        for wait in self._cooling.waits(partial(self._conditions, candidate)):
            yield _Wait(wait)

    def _run(self, candidate: Candidate, cell: Cell) -> Run | Failed | Skipped:
        model, case = self._model(candidate), self._workload.case(candidate, cell.inputs)
        return measured(self._device, model, case, self.report.plan)

    def _conditions(self, candidate: Candidate) -> Conditions | None:
        task = Describe(read=CONDITION_FILES, ask=CONDITION_COMMANDS)
        answer = describe(self._device, self._model(candidate), task)
        return conditions(answer.facts) if isinstance(answer, Description) else None

    def _described(self, candidate: Candidate, cell: Cell) -> Cell:
        answer = describe(
            self._device,
            self._model(candidate),
            Describe(read=IDENTITY_FILES, ask=IDENTITY_COMMANDS),
        )
        if isinstance(answer, Failed | Skipped):
            return replace(cell, outcome=answer)
        self._meet(answer)
        cell = replace(cell, inputs=answer.inputs)
        case = self._workload.case(candidate, cell.inputs)
        free_time = any(None in port.shape[1:2] for port in data_ports(candidate, cell.inputs))
        made_up = self._workload.samples is None and free_time and not candidate.item.streaming
        shapes = tuple((name, called_shape(x, candidate)) for name, x in case.items())
        if cell.runs and cell.shapes != shapes:
            raise IncomparableRuns(
                f"{candidate.item.file} was measured with {dict(cell.shapes)}, now {dict(shapes)}",
                remedy="Give the same --steps and --data, or another --json file",
            )
        return replace(
            cell,
            versions=answer.process.versions,
            shapes=shapes,
            assumed_steps=self._workload.steps if made_up else None,
        )

    @property
    def _answered(self) -> Samples | None:
        """The rows that each file answers, where that is wanted."""
        return self._workload.samples if self._workload.answers else None

    @property
    def _is_timed(self) -> bool:
        """Times and memory of an emulated device differ from those of the real device."""
        emulated = self.report.is_emulated(self._device.name)
        return self.report.plan.emulated_timing or not emulated

    @property
    def _has_noise(self) -> bool:
        return any(noise.device == self._device.name for noise in self.report.noise)

    def _meet(self, answer: Description) -> None:
        target = Target(
            name=self._device.name,
            machine=answer.process.machine,
            identity=identity(answer.facts),
        )
        known = next((one for one in self.report.targets if one.name == target.name), target)
        if known.machine != target.machine:
            raise IncomparableRuns(
                f"'{target.name}' is another machine now: {changes(known.machine, target.machine)}",
                remedy="Begin a new report: give another --json file, or leave --resume out",
            )
        self.report = self.report.with_target(target)

    def _predicted(self, candidate: Candidate, cell: Cell, samples: Samples) -> Cell:
        item = candidate.item
        port = data_port(candidate, cell.inputs, samples)
        given = samples
        samples = fitted(given, port, streaming=item.streaming, file=item.file)
        refit = refit_of(given, port, streaming=item.streaming, file=item.file)
        numbers = data_numbers(candidate.labels, samples, file=item.file)
        answer = run_cases(
            self._device,
            candidate.path,
            item.backend,
            cases_of(samples, port, streaming=item.streaming),
            extra_files=candidate.extra_files,
            states=candidate.states,
            streaming=item.streaming,
            decoder=candidate.decoder,
            threads=self.report.plan.threads,
        )
        if isinstance(answer, Skipped):  # the device could describe it: it can still be timed
            return replace(cell, unjudged=answer)
        if not isinstance(answer, Outputs):
            return replace(cell, outcome=answer)
        state_outputs = {state.output for state in candidate.states}
        in_file = [name for name in answer.cases[0] if name not in state_outputs]
        name, *further = [one for one in candidate.outputs if one in in_file] or in_file
        scored = [one.output or name for one in samples.outputs]
        for row, case in enumerate(answer.cases):
            for output in scored:
                if output in case and not np.isfinite(case[output]).all():
                    first = row * len(case[output])
                    where = f"row {first} of the data"
                    reason = f"output '{output}' contains NaN or infinity for {where}"
                    return replace(cell, outcome=Failed(reason=reason))
        predictions = predictions_of(answer.cases, samples, name, numbers, further=further)
        if self.report.truth is not None:
            require_read(predictions, self.report.truth)
        return replace(cell, predictions=predictions, refit=refit, unjudged=None)

    def _weighed(self, candidate: Candidate, cell: Cell) -> Cell:
        case = self._workload.case(candidate, cell.inputs)
        answer = measure_memory(self._device, self._model(candidate), case)
        if not isinstance(answer, Memory):
            return replace(cell, outcome=answer)
        memory = PeakMemory(peak_bytes=answer.peak_bytes, runtime_bytes=answer.runtime_bytes)
        return replace(cell, memory=memory)

    def _counted(self, candidate: Candidate, cell: Cell, counter: str) -> Cell:
        task = CountInstructions(case=self._workload.case(candidate, cell.inputs), counter=counter)
        answer = count_instructions(self._device, self._model(candidate), task)
        if not isinstance(answer, Instructions):
            return replace(cell, outcome=answer)
        return replace(cell, instructions=answer.per_call)

    def _model(self, candidate: Candidate) -> Model:
        return Model(
            path=candidate.path,
            backend=candidate.item.backend,
            extra_files=candidate.extra_files,
            states=candidate.states,
            streaming=candidate.item.streaming,
            decoder=candidate.decoder,
            threads=self.report.plan.threads,
            cpus=self.report.plan.cpus,
        )

    def _cell(self, candidate: Candidate) -> Cell:
        new = Cell(device=self._device.name, item=candidate.item)
        return self.report.cell(new.key) or new
