"""Completion in bash of words with `:` and `=`, such as `digits:test` and `gru=int8`.

bash splits a line there, and replaces only what stands after the last of them; click's own script
takes the parts for words.  This one sends the line as it was typed.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    split_arg_string,
)

#: Before each of these the shell wants a backslash.
_SPECIAL: Final = re.compile(r"(?=[^\w./:=,@%+-])")

_SCRIPT: Final = """\
%(complete_func)s() {
    local type value nospace
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            open) nospace=yes; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1")
    if [[ $nospace ]]; then compopt -o nospace; fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class WholeWords(BashComplete):
    """bash gets what belongs after the last `:` or `=` of the word."""

    source_template = _SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        incomplete = "" if not words or line.endswith((" ", "\t")) else words.pop()
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """`open`: the word goes on after this, so bash adds no space."""
        kind = "open" if item.type == "plain" and item.value.endswith(("/", "=")) else item.type
        value = item.value.removeprefix(self._kept())
        escaped = _SPECIAL.sub(lambda _: "\\", value)
        return f"{kind},{escaped}"

    def _kept(self) -> str:
        """The start of the word, which bash leaves alone."""
        _, word = self.get_completion_args()
        if word.startswith("-"):
            word = word.partition("=")[2]
        breaks = [mark for mark in ":=@" if mark in os.environ.get("COMP_WORDBREAKS", ":=@")]
        return word[: max((word.rfind(mark) + 1 for mark in breaks), default=0)]
