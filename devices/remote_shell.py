"""The scripts that run in a target's own shell: POSIX sh, as in dash, busybox and Android.

A script gets its arguments as "$1", "$2", …: names of files and commands are never inserted into
its text.  Each script ends by writing a secret word and its exit code to standard error.  If the
word is missing, the connection was lost, whatever the exit code of ssh or adb.
"""

from __future__ import annotations

import gzip
import re
import shlex
import zlib
from dataclasses import dataclass
from typing import Final

#: $1 the session's secret word, $2 user and machine, $3 how many seconds to wait until Android has
#: booted.  Takes the target's lock, makes the working directory, prints facts about the target, and
#: waits.  When standard input ends (at the end, after a crash, after a lost connection), it deletes
#: everything.
KEEP: Final = """
umask 077
word=$1 who=$2
cache=${XDG_CACHE_HOME:-${HOME:-/}/.cache}/edgernn
boot_s=$3 abis=
if [ -d /data/local/tmp ]; then
  cache=/data/local/tmp/edgernn
  abis=$(getprop ro.product.cpu.abilist 2>/dev/null)
  while command -v getprop > /dev/null && [ "$(getprop sys.boot_completed)" != 1 ]; do
    if [ "$boot_s" -le 0 ]; then echo "booting $3"; exit 0; fi
    boot_s=$((boot_s - 1))
    sleep 1
  done
fi
lock=$cache/lock work=$cache/work.$word
end_running() {
  for file in "$cache"/work.*/.running; do
    [ -f "$file" ] || continue
    read -r pid < "$file"
    if [ "$(readlink "/proc/$pid/cwd")" = "${file%/.running}" ]; then
      kill -9 "-$pid" || kill -9 -- "-$pid"
    fi
  done
} 2>/dev/null
fail() { echo failed; exit 1; }
mkdir -p "$cache/files" "$cache/packages" || fail
if ! ln -s "$word $$ $who" "$lock" 2>/dev/null; then
  set -- $(readlink "$lock")
  other=$1 pid=${2:-0}
  if [ $# -gt 1 ]; then shift 2; fi
  if [ "$other" != "$word" ] && grep -q "$other" "/proc/$pid/cmdline" 2>/dev/null; then
    echo "busy $pid $*"
    exit 0
  fi
  rm -f "$lock"
  ln -s "$word $$ $who" "$lock" || fail
fi
end_running
rm -rf "$cache"/work.*
trap '' HUP INT TERM PIPE
find "$cache/files" -type f -mtime +30 -exec rm -f {} + 2>/dev/null
mkdir "$work" && echo "probe" > "$work/.probe" && rm "$work/.probe" || { rm -f "$lock"; fail; }
echo "work $work"
echo "cache $cache"
echo "machine $(uname -m)"
echo "abis $abis"
echo "python $(command -v python3)"
echo "ready $word"
cat > /dev/null
if [ "$(readlink "$lock")" = "$word $$ $who" ]; then
  end_running
  cd / && rm -rf "$work"
  rm -f "$lock"
fi
echo gone
"""

#: $1 the secret word, $2 the working directory, then the command.  It runs in a session of its
#: own, and is killed with all that it started when standard input ends before it does.  (dash knows
#: no "--" in kill: with it, only the process itself was killed.)
RUN: Final = """
word=$1
cd -- "$2" || exit 1
shift 2
exec 3<&0
setsid "$@" < /dev/null 3<&- &
pid=$!
echo "$pid" > .running
(read -r _ <&3; kill -9 "-$pid" || kill -9 -- "-$pid" || kill -9 "$pid") 2> /dev/null &
watcher=$!
wait "$pid"
code=$?
kill -9 "$watcher" 2> /dev/null
rm -f .running
printf '\\n%s %s\\n' "$word" "$code" >&2
"""

#: Whether the file $1 has the SHA-256 $2.  Where the target has no sha256sum, its size must do.
_IS: Final = """
is() {
  command -v sha256sum > /dev/null || return 0
  set -- "$2" $(sha256sum < "$1")
  [ "$1" = "$2" ]
}
"""

#: $1 the word, $2 the file to write, $3 its size in bytes, $4 its SHA-256.  Whole, or not there.
STORE: Final = (
    _IS
    + """
cat > "$2.part" && [ "$(($(wc -c < "$2.part")))" = "$3" ] &&
  is "$2.part" "$4" && mv -f "$2.part" "$2"
code=$?
[ $code = 0 ] || { rm -f "$2.part"; echo "it arrived damaged, or there is no space left" >&2; }
printf '\\n%s %s\\n' "$1" "$code" >&2
"""
)

#: $1 the word, $2 the file in the cache, $3 its destination, $4 its SHA-256.
#: Exit code 4: it is not in the cache, or damaged there.
LINK: Final = (
    _IS
    + """
if [ -f "$2" ] && is "$2" "$4"; then
  touch "$2"
  ln -f "$2" "$3" 2> /dev/null || cp "$2" "$3"
  code=$?
else
  rm -f "$2"
  code=4
fi
printf '\\n%s %s\\n' "$1" "$code" >&2
"""
)
NOT_IN_CACHE: Final = 4

#: $1 the word, $2 the file, $3 the size in bytes from which on it is compressed.  The first
#: line names the encoding of the rest: "gzip", or "plain" where there is no gzip.
READ: Final = """
if [ "$(($(wc -c < "$2")))" -gt "$3" ] && gzip -c < /dev/null > /dev/null 2>&1; then
  echo gzip
  gzip -1 -c < "$2"
else
  echo plain
  cat "$2"
fi
printf '\\n%s %s\\n' "$1" "$?" >&2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a script ended; None if the connection was lost before it reported that."""

    code: int | None
    stdout: bytes
    stderr: str


def command(script: str, *arguments: str) -> str:
    """One line for any shell of the POSIX family that starts `script` with these arguments."""
    return shlex.join(["exec", "sh", "-c", script, "edgernn", *arguments])


def unpacked(read: bytes) -> bytes:
    """The content of the file, from the output of READ.  Raises ValueError if it is damaged."""
    how, _, content = read.partition(b"\n")
    match how:
        case b"plain":
            return content
        case b"gzip":
            try:
                return gzip.decompress(content)
            except (OSError, EOFError, zlib.error) as error:
                raise ValueError(f"it came back damaged ({error})") from error
        case _:
            raise ValueError(f"its encoding is {how[:20]!r}")


def ended(word: str, stdout: bytes, stderr: bytes) -> Ended:
    """Splits the script's secret word and exit code from its standard error."""
    text = stderr.decode(errors="replace").replace("\r\n", "\n")
    found = re.search(rf"\n{word} (\d+)\n", text)
    if found is None:
        return Ended(code=None, stdout=stdout, stderr=text)
    rest = text[: found.start()] + text[found.end() :]
    return Ended(code=int(found[1]), stdout=stdout, stderr=rest)
