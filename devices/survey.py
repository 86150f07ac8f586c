"""Facts about a target, found with sh alone, because nothing else may be installed there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from edgernn.devices.device import Device
from edgernn.devices.facts import (
    CONDITION_COMMANDS,
    CONDITION_FILES,
    IDENTITY_COMMANDS,
    IDENTITY_FILES,
    Conditions,
    Identity,
    conditions,
    identity,
)
from edgernn.devices.runners import native_script
from edgernn.devices.runners.outcome import Machine
from edgernn.errors import DeviceError
from edgernn.temporary import TemporaryFolder

SCRIPT: Final = "survey.sh"
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A target as it is now."""

    machine: Machine
    identity: Identity
    conditions: Conditions
    python: str | None  # the command that starts it


def survey(device: Device) -> Survey:
    """Raises DeviceError if the target does not answer, or does not run Linux."""
    word = secrets.token_hex(8)
    text = native_script.script(
        (*IDENTITY_FILES, *CONDITION_FILES), (*IDENTITY_COMMANDS, *CONDITION_COMMANDS)
    )
    with TemporaryFolder() as folder:
        local = folder / SCRIPT
        local.write_text(text)
        device.push(local, SCRIPT)
    completed = device.run(["sh", SCRIPT, word, "all", "true"], timeout_s=TIMEOUT_S)
    told = native_script.sections(completed.stdout, word)
    if "end" not in told:
        raise DeviceError(
            f"{device.name} does not report what it is: {completed.stderr.strip()[-200:]}",
            remedy="It must run Linux or Android",
        )
    facts = native_script.facts(told, "before")
    return Survey(
        machine=native_script.machine(told),
        identity=identity(facts),
        conditions=conditions(facts),
        python=" ".join(device.python) if device.python else None,
    )
