"""An Android phone or emulator over the developer's adb: same lock, cache and clean-up as ssh.

Only the shell is used, also for files: it returns exit codes and both streams (shell v2).
"""

from __future__ import annotations

import subprocess
from typing import Final

from edgernn.devices.link import Unreachable
from edgernn.errors import DeviceError

ADB_TIMEOUT_S: Final = 30.0

_STATES: Final = {
    "unauthorized": (
        "does not trust this computer yet",
        "Unlock it and allow USB debugging in the dialog that it shows",
    ),
    "offline": ("is offline", "Unplug it and plug it in again, or run `adb reconnect`"),
    "no": (
        "may not be opened by this user",
        "Install udev rules for it (apt-get install android-sdk-platform-tools-common)",
    ),
    "recovery": ("is in recovery", "Boot it into Android"),
    "bootloader": ("is in its boot loader", "Boot it into Android"),
    "authorizing": ("is still being authorized", "Try again in a moment"),
}


#: How adb 29 and adb 30 answer -T if the device does not support shell v2 (Android 6 and older).
_WITHOUT_SHELL_V2: Final = ("only supports allocating a pty", "doesn't support PTY args")


class AdbLink:
    """Commands in the shell of one Android device."""

    def __init__(self, serial: str, *, name: str, server_port: str = "") -> None:
        """`serial` may be empty if only one device is attached.

        `server_port` is the port of the adb server that manages the device; empty: the default.
        """
        self.name = name
        self._adb = _adb(server_port)
        self._server_port = server_port
        self._wanted = serial
        self._serial = serial

    def first(self, command: str) -> list[str]:
        self._serial = ready_serial(self._wanted, self._server_port)
        return self.further(command)

    def further(self, command: str) -> list[str]:
        # One word: adb passes it to the device's shell, which parses it once.
        return [*self._adb, "-s", self._serial, "shell", "-T", command]

    def refusal(self, stderr: str) -> DeviceError:
        complaint = _complaint(stderr)
        if any(sign in complaint for sign in _WITHOUT_SHELL_V2):
            return DeviceError(
                f"{self.name} is too old: its adb reports no exit codes",
                remedy="Android 7 or newer is needed",
            )
        return Unreachable(
            f"{self.name} cannot be reached: {complaint}", remedy="See `adb devices`"
        )


def ready_serial(wanted: str = "", server_port: str = "") -> str:
    """The serial number of the device, or of the only one if `serial` is empty.

    Raises DeviceError if there is no such device or it is not ready.
    """
    states = attached(server_port)
    if wanted:
        if wanted not in states:
            others = f"; attached are {', '.join(states)}" if states else ""
            raise Unreachable(
                f"there is no Android device {wanted}{others}",
                remedy="Plug it in and enable USB debugging, or run `adb connect HOST`",
            )
    elif len(states) != 1:
        raise _not_one(states)
    serial = wanted or next(iter(states))
    if (state := states[serial]) != "device":
        what, remedy = _STATES.get(state, (f"is in state '{state}'", "See `adb devices`"))
        raise Unreachable(f"{serial} {what}", remedy=remedy)
    return serial


def _adb(server_port: str) -> list[str]:
    return ["adb", "-P", server_port] if server_port else ["adb"]


def attached(server_port: str = "") -> dict[str, str]:
    """Serial number -> state, of all devices that adb lists.  Raises DeviceError without adb."""
    try:
        listed = subprocess.run(
            [*_adb(server_port), "devices"],
            capture_output=True,
            text=True,
            check=False,
            timeout=ADB_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise DeviceError("adb is not installed", remedy="apt-get install adb") from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError("adb does not answer", remedy="Run `adb kill-server`") from error
    if listed.returncode != 0:
        raise DeviceError(
            f"adb cannot work with its server: {_complaint(listed.stderr)}",
            remedy="Another adb may have started it: use one version only, or `adb kill-server`",
        )
    lines = [line.split() for line in listed.stdout.splitlines() if "\t" in line]
    return {words[0]: words[1] for words in lines}


def _complaint(stderr: str) -> str:
    return (stderr.strip() or "adb gave no reason").splitlines()[-1]


def _not_one(states: dict[str, str]) -> DeviceError:
    if states:
        return DeviceError(
            f"there are {len(states)} Android devices: {', '.join(states)}",
            remedy="Choose one with --device android:SERIAL",
        )
    return Unreachable(
        "no Android device is attached",
        remedy="Plug one in and enable USB debugging, or run `adb connect HOST`",
    )
