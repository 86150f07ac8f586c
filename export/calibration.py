"""Where an export's ranges come from: the user's data, or a file of an earlier calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgernn.errors import CalibrationError
from edgernn.export.examples import read_examples
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.ranges_file import read_ranges, write_ranges
from edgernn.export.rows import Examples, split
from edgernn.graph import CalibrationMethod, Graph, Ranges, Rounding
from edgernn.tasks.given import Given


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """Ranges, rows to check on (others than those of the ranges), and sentences for the user."""

    ranges: Ranges | None
    examples: Examples | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """What the user said about calibration."""

    spec: Given | None  # data to calibrate on: edgernn.tasks.given
    method: CalibrationMethod = CalibrationMethod.MINMAX
    file: Path | None = None  # with a spec: where ranges are saved; without: where they come from
    rounding: Rounding = Rounding.COMPENSATED
    zero_states: bool = False  # first states that the data lack are zeros, as a stream begins

    def of(self, graph: Graph, progress: Callable[[str], None]) -> Calibrated:
        """The ranges of `graph`.

        Raises DataError, DownloadError, CalibrationError or OutputError.
        """
        if self.spec is None:
            if self.file is None:
                return Calibrated(ranges=None, examples=None)
            if not self.file.exists():
                raise CalibrationError(
                    f"there is no file of ranges {self.file}",
                    remedy="Make it with --calibrate DATA --ranges FILE",
                )
            ranges = read_ranges(self.file, graph)
            return Calibrated(
                ranges=self._for_rounding(ranges), examples=None, warnings=ranges.warnings
            )
        seen, fresh = split(read_examples(self.spec, graph, zero_states=self.zero_states))
        progress("calibrating")
        ranges = calibrate(
            graph,
            seen.inputs,
            method=self.method,
            progress=lambda done, total: progress(f"calibrating: {done} of {total} sequences"),
        )
        if self.file is not None:
            write_ranges(self.file, ranges)
        return Calibrated(
            ranges=self._for_rounding(ranges), examples=fresh, warnings=ranges.warnings
        )

    def _for_rounding(self, ranges: Ranges) -> Ranges:
        """Without moments, all is rounded to nearest."""
        if self.rounding is Rounding.NEAREST:
            return replace(ranges, moments={}, candidates={})
        return ranges
