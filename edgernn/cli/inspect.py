"""`edgernn inspect`: what is in a Keras model or an artefact."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from edgernn.cli.terminal import print_warning


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, as_json: bool) -> None:
    """Tell what is in FILE: a Keras model (.keras, .h5) or an artefact (.onnx, .tflite, .ernn).

    Nothing in FILE is run.
    """
    from edgernn.formats import format_of

    if format_of(file) is not None:
        _inspect_artefact(file, as_json=as_json)
    else:
        _inspect_model(file, as_json=as_json)


def _inspect_model(file: Path, *, as_json: bool) -> None:
    from edgernn.export.keras.file import read_model
    from edgernn.report.inspected import model_as_json, model_text

    model = read_model(file)
    for warning in model.warnings:
        print_warning(warning)
    if as_json:
        click.echo(json.dumps(model_as_json(model.graph, model.source), indent=1))
    else:
        click.echo(model_text(model.graph, model.source))


def _inspect_artefact(file: Path, *, as_json: bool) -> None:
    from edgernn.export.contents import read_contents
    from edgernn.report.inspected import contents_text

    contents = read_contents(file)
    if as_json:
        click.echo(json.dumps(asdict(contents), indent=1))
    else:
        click.echo(contents_text(file.name, contents))
