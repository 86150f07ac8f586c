"""A click group that imports a subcommand only when it is used, and suggests after a typo.

It gives each of them -q and -v, and names of environment variables.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping

import click

from edgernn.cli.verbosity import add_verbosity, log_causes
from edgernn.errors import EdgernnError


class LazyGroup(click.Group):
    """Subcommands by name, each in the module `edgernn.cli.<name>` as `command`.

    The one-line helps are given here so that `edgernn --help` imports none of them.
    """

    def __init__(self, *, summaries: Mapping[str, str], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._summaries:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"edgernn.cli.{module}").command
        add_verbosity(command)
        _name_variables(command, prefix=f"EDGERNN_{module.upper()}")
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EdgernnError as error:
            log_causes(error)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._summaries and not name.startswith("-"):
            near = difflib.get_close_matches(name, self._summaries, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"There is no command '{name}'.{hint}")
        return super().resolve_command(ctx, args)


def _name_variables(command: click.Command, *, prefix: str) -> None:
    """Gives each option the environment variable of its name on the command line.

    click would take the name of the function's parameter: --min-time is min_time_s in Python.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            longest = max(option.opts, key=len)
            option.envvar = f"{prefix}_{longest.lstrip('-').replace('-', '_').upper()}"
