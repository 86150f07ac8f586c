"""The shell script around the native program, and the parser of its output.

The script does what the Python payload does itself: it pins the process to CPUs, reads facts about
the machine before and after, and takes the time.  Its output consists of sections; each begins
with a line that contains a secret word and the section's name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from edgernn.devices.runners.outcome import Machine

#: The characters of a file pattern: patterns are unquoted in the script, so that sh expands them.
_PATTERN: Final = re.compile(r"[\w/.:*\[\]-]+")

_SCRIPT: Final = """\
word=$1 mask=$2
shift 2
section() { printf '\\n%s %s\\n' "$word" "$1"; }
facts() {
  for file in PATTERNS; do
    if [ -r "$file" ] && [ -f "$file" ]; then
      section "$1:$file"
      head -c 100000 "$file" 2> /dev/null
    fi
  done
COMMANDS
}
run=
if [ "$mask" != all ]; then run="taskset $mask"; fi
section machine
uname -n; uname -s; uname -r; uname -m
grep -c '^cpu[0-9]' /proc/stat
section cpus
$run grep Cpus_allowed_list /proc/self/status || exit
facts before
section uptime-before
cat /proc/uptime 2> /dev/null
section program
$run "$@"
code=$?
section exit
echo "$code"
section uptime-after
cat /proc/uptime 2> /dev/null
section times
times
facts after
section end
"""


def script(read: Sequence[str], ask: Sequence[Sequence[str]]) -> str:
    """The script that reads these patterns of files and runs these commands for facts.

    Its arguments are the word, a CPU mask in hexadecimal or "all", and the program's arguments.
    """
    for pattern in read:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{pattern!r} is not a pattern of files")
    commands = "".join(
        f'  if command -v {shlex.quote(argv[0])} > /dev/null; then section "$1:"'
        f"{shlex.quote(' '.join(argv))}; {shlex.join(argv)} 2> /dev/null; fi\n"
        for argv in ask
    )
    patterns = " ".join(read) or "/dev/null"
    return _SCRIPT.replace("PATTERNS", patterns).replace("COMMANDS\n", commands)


def sections(stdout: str, word: str) -> dict[str, str]:
    """The text of each section by its name."""
    parts = re.split(rf"\n{word} (.*)\n", f"\n{stdout}")
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def facts(told: Mapping[str, str], when: str) -> dict[str, str]:
    """The facts from "before" or "after"."""
    prefix = f"{when}:"
    return {
        name.removeprefix(prefix): text for name, text in told.items() if name.startswith(prefix)
    }


def machine(told: Mapping[str, str]) -> Machine:
    """The machine in the form that the Python payload uses."""
    node, system, release, architecture, cores = told["machine"].split("\n")[:5]
    return Machine(
        node=node, system=f"{system} {release}", architecture=architecture, cores=int(cores)
    )


def cpu_mask(cpus: Sequence[int] | None) -> str:
    """The argument of taskset: all versions accept masks, not all accept lists."""
    return f"{sum(1 << cpu for cpu in cpus):x}" if cpus else "all"


def allowed_cpus(told: Mapping[str, str]) -> tuple[int, ...] | None:
    """Parses a line like "Cpus_allowed_list:	0-2,5"."""
    found: list[int] = []
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", told.get("cpus", "")):
        found += range(int(first), int(last or first) + 1)
    return tuple(found) or None


def wall_s(told: Mapping[str, str]) -> float:
    """Elapsed seconds by the kernel's monotonic clock; 0.0 if it is not available."""
    before, after = (told.get(f"uptime-{when}", "").split() for when in ("before", "after"))
    return float(after[0]) - float(before[0]) if before and after else 0.0


def cpu_s(told: Mapping[str, str]) -> float:
    """CPU seconds of the program and all other children, from the shell's `times`."""
    children = told.get("times", "").strip().split("\n")[-1]
    return sum(60 * float(m) + float(s) for m, s in re.findall(r"(\d+)m\s*([\d.]+)s", children))
