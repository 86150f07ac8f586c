"""How words get to a target's shell, and what its silence means: ssh and adb are the two links."""

from __future__ import annotations

from typing import Protocol

from edgernn.errors import DeviceError


class Link(Protocol):
    """A way to start commands in the shell of one target, through a program of this machine.

    The program passes standard input, output and error through, and ends when the command ends.
    """

    name: str  # of the device, as the user calls it

    def first(self, command: str) -> list[str]:
        """The program and its arguments for the first command, which lasts as long as the link."""
        ...

    def further(self, command: str) -> list[str]:
        """The same for all others: they use what the first set up, and fail when it is gone."""
        ...

    def refusal(self, stderr: str) -> DeviceError:
        """What to tell the user when the first command never answered."""
        ...


class Unreachable(DeviceError):
    """Nobody answered, or the connection broke: worth another try, unlike a refusal."""
