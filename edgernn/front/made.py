"""What an export made: files by format, scheme or name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgernn.artefact import Artefact, Refusal, Verification
from edgernn.export.study.study import Study
from edgernn.front.arguments import checked_arguments
from edgernn.front.measuring import measure
from edgernn.front.notebook import html_lines, html_table
from edgernn.front.progress import Show
from edgernn.front.reports import Report
from edgernn.profile.scheme_choice import SchemeCandidate
from edgernn.profile.workload import DEFAULT_STEPS
from edgernn.report.candidates import candidates_text
from edgernn.report.exported import exported_table, keras_text, outcome_text, verification_text
from edgernn.report.quantized import study_texts
from edgernn.tasks.given import Given


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFile:
    """One model file that an export wrote.

    path: where it is.  artefact: what model.json says of it.
    """

    path: Path
    artefact: Artefact

    @property
    def format(self) -> str:
        """ "onnx", "tflite" or "native"."""
        return self.artefact.backend

    @property
    def scheme(self) -> str:
        """ "float32", "float16", "dynamic" or "int8"."""
        return str(self.artefact.scheme.value)

    @property
    def bytes(self) -> int:
        """The size, with extra files that belong to it."""
        return self.artefact.bytes

    def __str__(self) -> str:
        checked = verification_text(self.artefact.verification)
        return f"{self.path}: {self.format} {self.scheme}, {self.bytes:,} bytes, {checked}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Made(Mapping[Any, MadeFile]):
    """What an export made: a mapping from file names to `MadeFile`.

    Files are found by name, by format, or by format and scheme.  A format that was made in several
    schemes needs the scheme, or the file's name:

    >>> made["native"]  # one scheme was exported
    >>> made["native", "int8"], made["gru.int8.ernn"]  # always possible

    artefacts: what model.json says of each file, in the order of the table.
    refusals: files that were left out, with the reason; those that failed the check too.
    warnings: sentences about the model, the calibration and the names.
    study: accuracy beside the float model, and what each layer costs in int8.
    against_keras: how far what was read is from Keras itself; None where that was not asked for.
    candidates: every file that scheme "auto" made and measured, kept or not; else none.
    """

    folder: Path
    artefacts: tuple[Artefact, ...]
    refusals: tuple[Refusal, ...]
    warnings: tuple[str, ...]
    study: Study
    against_keras: Verification | None = None
    candidates: tuple[SchemeCandidate, ...] = ()

    def __getitem__(self, key: str | tuple[str, str]) -> MadeFile:
        format_, scheme = key if isinstance(key, tuple) else (key, None)
        found = [
            one
            for one in self.artefacts
            if one.name == key
            or (one.backend == format_ and (scheme is None or one.scheme == scheme))
        ]
        if len(found) == 1:
            return MadeFile(path=self.folder / found[0].name, artefact=found[0])
        if found:
            names = ", ".join(one.name for one in found)
            raise KeyError(
                f"{key!r} stands for {names}: write [format, scheme] or the name of the file"
            )
        reason = next((one.reason for one in self.refusals if one.backend == format_), None)
        why = reason or f"the files are {', '.join(self)}"
        raise KeyError(f"there is no {key!r}; {why}")

    def __iter__(self) -> Iterator[str]:
        return iter(one.name for one in self.artefacts)

    def __len__(self) -> int:
        return len(self.artefacts)

    @property
    def refusal_sentences(self) -> tuple[str, ...]:
        """Which files are left out, and why."""
        return tuple(
            f"{one.file} {'failed and ' if one.failed else ''}is left out"
            f"{', and that of an earlier export is removed' if one.removed else ''}: {one.reason}"
            for one in self.refusals
        )

    @property
    def outcome(self) -> str:
        """Which files passed the check, which were not checked, and which failed."""
        return outcome_text(self.artefacts, self.refusals, self.folder)

    @checked_arguments
    def profile(
        self,
        *,
        device: str | Sequence[str] = "cpu",
        data: Given | None = None,
        target: str | None = None,
        metric: str | None = None,
        threads: int = 1,
        cpus: Sequence[int] | None = None,
        processes: int = 5,
        min_time_ms: float = 500.0,
        warm_up_ms: float = 100.0,
        period_ms: float | None = None,
        steps: int = DEFAULT_STEPS,
        cool_down_s: float = 0.0,
        check_noise: bool = False,
        emulated_timing: bool = False,
        device_python: bool = False,
        android_runtimes: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        benchmark_model: str | os.PathLike[str] | None = None,
        stream: str | os.PathLike[str] | None = None,
        false_alarms_per_hour: float = 1.0,
        background: Sequence[str] | None = None,
        progress: Show | None = None,
    ) -> Report:
        """Measures these files where they are to run: size, latency, memory and accuracy.

        device: "cpu", "pi", "user@host", "android" or a name of devices.toml; several as a list.
        data: rows to score: (x, y), (x, y, lengths), a path or a spec such as "digits:test".
            x is float [N, T, F] or whole numbers [N, T], y the class of each row [N].
        threads: of the runtime.  cpus: run on these only.
        processes: fresh ones for each file; verdicts about speed need 5.
        min_time_ms, warm_up_ms: of each process.  period_ms: also one call in each period.
        steps: of made-up sequences, where there are no data and the length is free.
        The others are as in `edgernn.measure`, which takes any files.

        Raises WrongOption, DataError, DeviceError or MissingRuntime, as there.

        >>> report = made.profile(device="cpu", data=(x_test, y_test), period_ms=10)
        >>> print(report)
        """
        return measure(
            [file.path for file in self.values()],
            device=device,
            data=data,
            target=target,
            metric=metric,
            threads=threads,
            cpus=cpus,
            processes=processes,
            min_time_ms=min_time_ms,
            warm_up_ms=warm_up_ms,
            period_ms=period_ms,
            steps=steps,
            cool_down_s=cool_down_s,
            check_noise=check_noise,
            emulated_timing=emulated_timing,
            device_python=device_python,
            android_runtimes=android_runtimes,
            benchmark_model=benchmark_model,
            stream=stream,
            false_alarms_per_hour=false_alarms_per_hour,
            background=background,
            progress=progress,
        )

    def __str__(self) -> str:
        texts = [exported_table(self.artefacts), *study_texts(self.study)]
        if self.candidates:
            texts.insert(0, candidates_text(self.candidates))
        if self.against_keras is not None:
            texts.append(keras_text(self.against_keras))
        return "\n\n".join([*texts, self.outcome])

    def __repr__(self) -> str:
        return f"<edgernn.Made {self.folder}: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        head = ("file", "format", "scheme", "bytes", "checked")
        rows = [
            (
                one.path.name,
                one.format,
                one.scheme,
                f"{one.bytes:,}",
                verification_text(one.artefact.verification),
            )
            for one in self.values()
        ]
        return html_table(head, rows) + html_lines([*self.warnings, *self.refusal_sentences])
