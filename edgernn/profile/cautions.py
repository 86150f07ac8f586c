"""Cautions: reasons why a measurement is less reliable, each with a sentence and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Caution(Enum):
    """Each value is the sentence, then the remedy; both may contain figures in braces."""

    FIRST_CALL_SLOW = (
        "The first call took {ratio} times as long as a steady one.",
        "Call the model once after loading it, before a user waits for a result.",
    )
    SLOWER_WHEN_PACED = (
        "Called once every {period}, a call takes {ratio} times as long as in a loop.",
        "Trust the paced figure for a program that waits between calls.",
    )
    DEADLINES_MISSED = (
        "{missed} of {calls} calls missed their deadline of {period}.",
        "Choose a longer --period, a smaller model or more --threads.",
    )
    PROCESSES_DISAGREE = (
        "The medians of the processes lie {spread} apart.",
        "Close other programs, pin with --cpus, or raise --processes and --min-time.",
    )
    LONG_TAIL = (
        "One call in a hundred took more than {ratio} times the median.",
        "Close other programs, or pin to a quiet core with --cpus.",
    )
    FEW_PROCESSES = (
        "Too few processes were measured to call a difference significant: {processes}.",
        "Use --processes 5 or more.",
    )
    FEW_VALUES = (
        "The 99th percentile is estimated from only {values} calls.",
        "Raise --min-time to 1s or more.",
    )
    ONE_FIGURE = (
        "The device reported only a total time for all calls of a process, no percentiles.",
        "To time single calls, give --android-runtime tensorflow-lite.aar.",
    )
    UNJUDGED = (
        "The accuracy on the device is unknown: {reason}.",
        "Supply what is missing, or use the accuracy measured on another device.",
    )
    FOREIGN_LOAD = (
        "Other programs kept {cpus} CPUs busy during the measurement.",
        "Close them, and measure again.",
    )
    STOLEN_TIME = (
        "The hypervisor gave {percent} of a CPU's time to other machines during the measurement.",
        "Measure on dedicated hardware, or compare ratios only.",
    )
    GOVERNOR = (
        "The CPU's frequency governor is '{governor}': short calls run at a low clock.",
        "Try `sudo cpupower frequency-set -g performance`, if the product will do so too.",
    )
    FREQUENCY_CHANGED = (
        "The CPU's frequency went from {before} to {after} MHz during the measurement.",
        "Let the device cool down, or fix the frequency.",
    )
    THROTTLED = (
        "The device has reduced its clock (throttle word {word}).",
        "Cool it, then measure again.",
    )
    UNDER_VOLTAGE = (
        "The device's supply voltage is too low (throttle word {word}).",
        "Use its original power supply.",
    )
    THROTTLED_MEANWHILE = (
        "The device reduced its clock during the run (throttle word {before}, then {after}).",
        "Cool it, then measure again; --cool-down 2min waits between processes.",
    )
    THROTTLED_BEFORE = (
        "The device had reduced its clock before the run (throttle word {word}).",
        "Restart it before you measure: until then it cannot report a new reduction.",
    )
    UNDER_VOLTAGE_MEANWHILE = (
        "The supply voltage dropped during the run (throttle word {before}, then {after}).",
        "Use its original power supply, then measure again.",
    )
    GOVERNOR_CHANGED = (
        "The CPU's frequency governor went from '{before}' to '{after}' during the measurement.",
        "Find the power service that changes it, then measure again.",
    )
    BATTERY_LOW = (
        "The device's battery was at {level} and not charging: phones slow down to save it.",
        "Plug it in, wait until it is charged, then measure again.",
    )
    NOISY = (
        "Two series of one artefact ({file}) differ significantly: {ratio} as long.",
        "Close other programs, pin with --cpus, raise --processes and --min-time.",
    )
    MORE_THREADS_THAN_CPUS = (
        "There are more threads ({threads}) than CPUs ({cpus}).",
        "Lower --threads, or give more --cpus.",
    )
    ASSUMED_STEPS = (
        "The model takes sequences of any length; {steps} steps were assumed.",
        "Give real data with --data, or the length with --steps.",
    )
    FEW_TEST_ROWS = (
        "On {rows} test rows the 95 % interval of the {noun} is wide: {interval}.",
        "Give more rows with --data.",
    )
    SEQUENCES_CUT = (
        "{cut} of {rows} sequences lost steps: the model takes {steps}, the data have {have}.",
        "Give sequences of {steps} steps, as the product will make them.",
    )
    SEQUENCES_PADDED = (
        "{padded} of {rows} sequences were filled up with zeros, from {have} steps to {steps}.",
        "Give sequences of {steps} steps, as the product will make them.",
    )
    INTERRUPTED = (
        "Only {processes} of {wanted} processes were measured.",
        "Run the same command with --resume.",
    )
    EMULATED = (
        "{device} is emulated ({how}): size and accuracy are valid, times are not.",
        "Measure latency and memory on a real device.",
    )
    INVENTED = (
        "This is the fake device: its figures are made up.",
        "Use --device cpu.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A caution with its figures, for one row of a report."""

    caution: Caution
    severity: float  # larger is worse, among warnings of one kind
    figures: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        return self.caution.value[0].format(**dict(self.figures))

    @property
    def remedy(self) -> str:
        return self.caution.value[1].format(**dict(self.figures))


def warned(caution: Caution, severity: float = 0.0, /, **figures: str) -> Warned:
    return Warned(caution=caution, severity=severity, figures=tuple(figures.items()))
