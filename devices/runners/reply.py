"""Parses the JSON object that a payload prints.

Every runner's payload prints the same object, so that the host never parses a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from edgernn.devices.device import Completed
from edgernn.devices.runners.outcome import (
    Description,
    Failed,
    Instructions,
    Machine,
    Memory,
    Outputs,
    Paced,
    Port,
    Process,
    Timing,
)
from edgernn.graph.tensor import AnyArray

Reply = Mapping[str, Any]

#: How many characters of standard error are kept, from its end.
LOG_CHARACTERS: Final = 2_000


def unfinished(name: str, completed: Completed, timeout_s: float) -> Failed | None:
    """Why there is no reply of the runtime `name`: out of time, or killed."""
    log = completed.stderr[-LOG_CHARACTERS:]
    if completed.timed_out:
        return Failed(reason=f"{name} was not done after {timeout_s:g} s", log=log)
    if completed.signal:
        reason = f"{name} crashed ({completed.signal})"
        return Failed(reason=reason, signal=completed.signal, log=log)
    return None


def damaged(name: str, error: ValueError) -> Failed:
    """The runtime `name` reported success, but one of its files is incomplete."""
    return Failed(reason=f"{name}: its output is damaged: {error}")


def description(reply: Reply) -> Description:
    return Description(
        process=_process(reply),
        inputs=tuple(port(entry) for entry in reply["inputs"]),
        outputs=tuple(port(entry) for entry in reply["outputs"]),
        facts=reply["facts"],
    )


def outputs(reply: Reply, cases: Sequence[dict[str, AnyArray]]) -> Outputs:
    return Outputs(process=_process(reply), cases=tuple(cases))


def timing(reply: Reply) -> Timing:
    measured = reply["latency"]
    return Timing(
        process=_process(reply),
        first_call_ms=measured["first_call_ms"],
        calibration_ms=tuple(measured["calibration_ms"]),
        warm_up_ms=tuple(measured["warm_up_ms"]),
        hot_ms=tuple(measured["hot_ms"]),
        stride=measured["stride"],
        paced=_paced(measured["paced"]) if measured["paced"] else None,
        cpu_s=reply["cpu_s"],
        wall_s=reply["wall_s"],
        before=reply["before"],
        after=reply["after"],
    )


def instructions(reply: Reply, counts: str) -> Instructions:
    """Raises ValueError if the file is not one of a counter."""
    return Instructions(process=_process(reply), per_call=counted_calls(counts))


def counted_calls(counts: str) -> tuple[int, ...]:
    """Instructions of each call.  The lines: before the first mark, of one mark, of each call.

    Raises ValueError where there is no call.
    """
    before, marking, *calls = (int(line) for line in counts.split())
    if not calls:
        raise ValueError(f"{before} instructions were counted, but no call")
    return tuple(call - marking for call in calls)


def memory(reply: Reply) -> Memory:
    return Memory(
        process=_process(reply),
        peak_bytes=reply["peak_bytes"],
        runtime_bytes=reply["runtime_bytes"],
    )


def _process(reply: Reply) -> Process:
    return Process(
        machine=Machine(**reply["machine"]),
        versions=reply["versions"],
        cpus=None if reply["cpus"] is None else tuple(reply["cpus"]),
        import_ms=reply["import_ms"],
        load_ms=reply["load_ms"],
    )


def port(entry: Reply) -> Port:
    return Port(
        name=entry["name"],
        shape=tuple(entry["shape"]),
        dtype=entry["dtype"],
        stored=entry["stored"],
    )


def _paced(entry: Reply) -> Paced:
    return Paced(
        period_ms=entry["period_ms"],
        values_ms=tuple(entry["values_ms"]),
        late_ms=tuple(entry["late_ms"]),
        deadlines_missed=entry["deadlines_missed"],
        duty_cycle=entry["duty_cycle"],
    )
