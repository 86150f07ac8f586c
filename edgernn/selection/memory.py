"""The peak of this process' memory, from a moment on."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"  # proc(5), since Linux 4.0


def reset_peak() -> None:
    """From now on `peak_bytes` counts anew, where the system can do that (Linux)."""
    with suppress(OSError):  # not Linux, or not allowed: the peak of the whole process remains
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")


def peak_bytes() -> int:
    """The most RAM that this process has had since `reset_peak`; 0 where that is not known."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        if sys.platform == "win32":
            return 0
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024
