"""-q/--quiet and -v/--verbose, on every command, and what they change.

Quiet hides progress and notes; results, warnings and errors stay.  Verbose shows the log of the
`edgernn` loggers on stderr: steps and their times, and below an error the errors that caused it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import click

from edgernn.errors import EdgernnError

#: Every logger of the package is below this one.
LOGGER: Final = logging.getLogger("edgernn")
_CHOSEN: Final = "edgernn.verbosity"  # in the meta of the contexts: the flag that was given
_QUIET, _VERBOSE = "--quiet", "--verbose"


def add_verbosity(command: click.Command) -> None:
    """Adds both flags to the command, or to each command of a group, once."""
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            add_verbosity(subcommand)
    elif not any(_QUIET in option.opts for option in command.params):
        command.params += [
            _flag("-q", _QUIET, "Print results, warnings and errors only.", _hidden_progress),
            _flag("-v", _VERBOSE, "Also print steps, their times and causes of errors.", _logged),
        ]


def is_quiet() -> bool:
    """Whether the running command was called with --quiet."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(_CHOSEN) == _QUIET


def log_causes(error: EdgernnError) -> None:
    """The error with its traceback and what caused it; seen with --verbose only."""
    LOGGER.debug("the error comes from:", exc_info=error)


def _flag(
    short: str, name: str, text: str, scope: Callable[[], AbstractContextManager[None]]
) -> click.Option:
    def choose(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if not value or context.resilient_parsing:
            return
        if _CHOSEN in context.meta:
            raise click.UsageError(f"{_QUIET} and {_VERBOSE} exclude each other")
        context.meta[_CHOSEN] = name
        # Until the whole command line is done with: the error that ends it is logged, too.
        context.find_root().with_resource(scope())

    return click.Option([short, name], is_flag=True, expose_value=False, callback=choose, help=text)


@contextmanager
def _hidden_progress() -> Iterator[None]:
    from edgernn.front.hidden import hidden

    with hidden():
        yield


@contextmanager
def _logged() -> Iterator[None]:
    """Lines of the log on stderr, instead of bars, which they would tear apart."""
    handler = logging.StreamHandler()
    handler.setFormatter(_SinceStart())
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    try:
        with _hidden_progress():
            yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


class _SinceStart(logging.Formatter):
    """Seconds since the command began, and the message."""

    def __init__(self) -> None:
        super().__init__()
        self._start_s = time.time()

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging names it
        return f"{record.created - self._start_s:8.3f} s  {record.message}"
