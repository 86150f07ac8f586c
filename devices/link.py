"""How commands reach the shell of a target.  ssh and adb are the two links."""

from __future__ import annotations

from typing import Protocol

from edgernn.errors import DeviceError


class Link(Protocol):
    """A way to start commands in the shell of one target, through a program of this machine.

    The program passes standard input, output and error through, and ends when the command ends.
    """

    name: str  # the user's name of the device

    def first(self, command: str) -> list[str]:
        """The program and its arguments for the first command, which lasts as long as the link."""
        ...

    def further(self, command: str) -> list[str]:
        """The same for later commands: they use the first one's connection, and fail without it."""
        ...

    def refusal(self, stderr: str) -> DeviceError:
        """The error to raise if the first command did not answer."""
        ...


class Unreachable(DeviceError):
    """No answer, or a lost connection: worth another try, unlike a refusal."""
