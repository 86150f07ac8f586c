"""`edgernn inspect`: what is in Keras models, artefacts and folders of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from edgernn.cli.terminal import print_warning

_KERAS: Final = frozenset({".keras", ".h5", ".hdf5"})


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATHS…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
def command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Show what is in PATHS: Keras models (.keras, .h5), artefacts or folders.

    A folder shows the artefacts that its model.json lists or, without one, each model file.
    Nothing in a file is run.
    """
    described = [_described(path) for path in paths]
    if as_json:
        facts = [document for document, _ in described]
        click.echo(json.dumps(facts[0] if len(facts) == 1 else facts, indent=1))
    else:
        click.echo("\n\n".join(text for _, text in described))


def _described(path: Path) -> tuple[Any, str]:
    """The facts for machines, and the text for people."""
    from edgernn.formats import format_of

    if path.is_dir():
        return _folder(path)
    return _artefact(path) if format_of(path) is not None else _model(path)


def _model(file: Path) -> tuple[Any, str]:
    from edgernn.export.keras.file import read_model
    from edgernn.report.inspected import model_as_json, model_text

    model = read_model(file)
    for warning in model.warnings:
        print_warning(warning)
    return model_as_json(model.graph, model.source), model_text(model.graph, model.source)


def _artefact(file: Path) -> tuple[Any, str]:
    from edgernn.export.contents import read_contents
    from edgernn.report.inspected import contents_text

    contents = read_contents(file)
    return asdict(contents), contents_text(file.name, contents)


def _folder(folder: Path) -> tuple[Any, str]:
    from edgernn.artefact import as_json, read_manifest, read_refusals
    from edgernn.errors import ModelFileError
    from edgernn.formats import format_of
    from edgernn.report.inspected import folder_text

    artefacts, refusals = read_manifest(folder), read_refusals(folder)
    if artefacts or refusals:
        document = {
            "folder": str(folder),
            "artefacts": [as_json(artefact) for artefact in artefacts],
            "refused": [asdict(refusal) for refusal in refusals],
        }
        return document, folder_text(str(folder), artefacts, refusals)
    files = sorted(
        path for path in folder.iterdir() if format_of(path) is not None or path.suffix in _KERAS
    )
    if not files:
        raise ModelFileError(
            f"{folder} has no model.json and no model file",
            remedy="Make artefacts with `edgernn export MODEL -o FOLDER`",
        )
    described = [_described(path) for path in files]
    return [facts for facts, _ in described], "\n\n".join(text for _, text in described)
