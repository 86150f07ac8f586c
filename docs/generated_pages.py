"""Pages of the site that are made from the program: home, Python reference, command line reference.

MkDocs calls `on_files` once for each build.  Nothing is written into docs/.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.structure.files import File, Files

import edgernn
from edgernn.cli import edgernn as program

TOP = Path(__file__).parent.parent


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the pages that no file in docs/ holds."""
    root = click.Context(program, info_name="edgernn")
    pages = {
        "index.md": _home((TOP / "README.md").read_text(encoding="utf-8")),
        "reference/python.md": "\n".join(["# Python\n", *_python()]),
        "reference/cli.md": "\n".join(["# Command line\n", *_command(root)]),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def _home(readme: str) -> str:
    """The README as a page of docs/: other files of the checkout are no pages, so only named."""
    text = re.sub(r'(\]\(|src=")docs/', r"\1", readme)
    return re.sub(r"\[([A-Z]+\.md)\]\(\1\)", r"`\1`", text)


def _python() -> Iterator[str]:
    """What `edgernn` offers: functions first, then classes."""
    for name in sorted(edgernn.__all__, key=lambda name: inspect.isclass(getattr(edgernn, name))):
        defined = getattr(edgernn, name)
        module = "" if inspect.ismodule(defined) else f"{defined.__module__}."
        yield f"::: {module}{defined.__name__}"
        yield f"    options: {{heading: edgernn.{name}, toc_label: {name}}}\n"


def _command(context: click.Context) -> Iterator[str]:
    """A section for a command: usage, description, options; then one for each subcommand."""
    command = context.command
    yield f"## {context.command_path}\n"
    yield f"```\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):  # click: lines to be kept as they are
            yield "```\n" + paragraph.removeprefix("\b\n") + "\n```\n"
        else:
            yield re.sub(r"(EDGERNN_\S+>)", r"`\1`", paragraph) + "\n"
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    for names, text in filter(None, records):
        yield f"- `{names}`<br>{text.replace('<', '&lt;')}"
    yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None  # noqa: S101  list_commands names what there is
            inner = click.Context(subcommand, parent=context, info_name=name)
            yield from _command(inner)
