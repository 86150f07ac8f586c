"""A child of this machine that cannot outlive us, nor take all of its memory or time.

A shell between this process and the child holds the read end of a pipe whose other end is here.
When the pipe closes, because the work is done or this process was killed, the shell kills the child
with all that it started.  It terminates what a child leaves running when it ends.  A death signal
(prctl) is not enough: Linux sends it when the thread ends that started the child.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Final

#: Bytes of address space that a child may have, instead of what this machine's memory suggests.
MEMORY_VARIABLE: Final = "EDGERNN_CHILD_MEMORY"

#: Runtimes reserve address space that they never fill: 1 to 2 GiB on a few threads.
_FEWEST_BYTES: Final = 4 << 30
_MOST_BYTES: Final = 8 << 30

#: How long a child's processors may compute after its time is up, until it is ended by us.
_SPARE_S: Final = 10

#: By its place, since PATH may be empty.
_SHELL: Final = "/bin/sh"

#: $1 seconds of processor time, $2 KiB of address space, then the command.
_SCRIPT: Final = """
ulimit -t "$1" 2> /dev/null
ulimit -v "$2" 2> /dev/null
shift 2
exec 3<&0 4>&2 < /dev/null
"$@" 3<&- 2>&4 4>&- &
pid=$!
exec 2> /dev/null 4>&-
(read -r _ <&3; kill -9 "-$$" || kill -9 -- "-$$") > /dev/null &
watcher=$!
exec 3<&-
wait "$pid"
code=$?
trap '' TERM
kill -TERM "-$$" || kill -TERM -- "-$$"
kill -9 "$watcher"
wait "$watcher"
exit "$code"
"""


def supervised(argv: Sequence[str], *, timeout_s: float) -> list[str]:
    """The command that runs `argv` under the shell: to be started as the leader of a session.

    Its standard input is the pipe.  It exits as `argv` does, with 128 + n for signal n, and 126 or
    127 where `argv` cannot be started.

    >>> subprocess.Popen(supervised(argv, timeout_s=60), stdin=reading_end, start_new_session=True)
    """
    processor_s = math.ceil(timeout_s + _SPARE_S) * (os.cpu_count() or 1)
    return [_SHELL, "-c", _SCRIPT, "edgernn", str(processor_s), str(memory_limit() >> 10), *argv]


def memory_limit() -> int:
    """Bytes of address space for a child: half of this machine's memory, between 4 and 8 GiB."""
    given = os.environ.get(MEMORY_VARIABLE, "")
    if given.isdecimal():
        return int(given)
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):  # a system that does not say
        return _MOST_BYTES
    return max(_FEWEST_BYTES, min(_MOST_BYTES, installed // 2))
