"""`edgernn package`: a folder with what an app needs to run a model."""

from __future__ import annotations

from pathlib import Path

import click

_TARGETS = ("c", "web", "android", "ios")  # edgernn.kits.TARGETS, which takes longer to import


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.ernn")
@click.option(
    "--for",
    "target",
    type=click.Choice(_TARGETS),
    required=True,
    help="What the app is built with.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Where the kit is written; other files there stay.",
)
@click.option(
    "--all-layers",
    is_flag=True,
    help="Keep every layer in the library, for apps that load other models too.",
)
@click.option("--demo", is_flag=True, help="With --for web: a page that listens.")
def command(model: Path, target: str, folder: Path, all_layers: bool, demo: bool) -> None:
    """Make a kit of MODEL.ernn: the files that an app needs to run it.

    \b
    edgernn package out/words.int8.ernn --for c -o third_party/words
    edgernn package out/words.int8.ernn --for web --demo -o web
    edgernn package out/words.int8.ernn --for android -o app/libs
    edgernn package out/words.int8.ernn --for ios -o Packages/Words

    Each kit has a README with the next steps. A kit of the same target that is in FOLDER is
    replaced; a file there that edgernn did not write, or that was changed since, stops the command
    before anything is written.
    """
    from edgernn.kits import package

    made = package(model, target=target, folder=folder, all_layers=all_layers, demo=demo)
    for path in made.files:
        click.echo(f"{path}  {path.stat().st_size:,} bytes")
    click.echo(f"\n{made.next_step}")
