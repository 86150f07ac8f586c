"""`edgernn export`: a Keras model in, checked artefacts out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgernn.cli.terminal import print_warning, progress_line
from edgernn.export.backends import BACKENDS
from edgernn.scheme import Scheme

if TYPE_CHECKING:
    from edgernn.tasks.training_log import TrainingLog


class BackendList(click.ParamType[tuple[str, ...]]):
    """Back ends by name, separated by commas."""

    name = "backends"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        return ",".join(BACKENDS)

    def convert(
        self,
        value: str | tuple[str, ...],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        for name in names:
            if name not in BACKENDS:
                self.fail(f"'{name}' is not one of {', '.join(BACKENDS)}", param, ctx)
        return names


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--to",
    "backends",
    type=BackendList(),
    default=",".join(BACKENDS),
    show_default=True,
    help="Formats to write.",
)
@click.option(
    "--scheme",
    type=click.Choice([scheme.value for scheme in (Scheme.FLOAT32, Scheme.FLOAT16)]),
    default=Scheme.FLOAT32.value,
    show_default=True,
    help="float16 stores weights in half the bytes and computes in float32.",
)
@click.option(
    "--streaming",
    is_flag=True,
    help="Write a model of one step, its states as explicit inputs and outputs.",
)
@click.option("--labels", metavar="A,B,…", help="Class names, stored in the artefacts.")
@click.option("--no-verify", is_flag=True, help="Do not compare the artefacts with the model.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's entries as JSON.")
def command(
    model: Path,
    out: Path,
    backends: tuple[str, ...],
    scheme: str,
    streaming: bool,
    labels: str | None,
    no_verify: bool,
    as_json: bool,
) -> None:
    """Turn MODEL (.keras or .h5) into ONNX and TFLite, each checked against the original.

    \b
    edgernn export gru.keras -o out/        writes out/gru.onnx, out/gru.tflite, out/model.json
    edgernn export old.h5 --to onnx --scheme float16 -o out/

    MODEL is read without TensorFlow, and nothing that is in it is run.
    """
    from edgernn.artefact import as_json as artefact_as_json
    from edgernn.export.keras_file import read_model
    from edgernn.export.pipeline import Request, export_model, training_log_of
    from edgernn.report.exported import exported_table

    with progress_line("reading") as progress:
        source = read_model(model)
        training = training_log_of(model, source.source.sha256)
        request = Request(
            backends=backends,
            scheme=Scheme(scheme),
            streaming=streaming,
            verify=not no_verify,
            labels=_labels(labels, training),
            training=training,
        )
        artefacts = export_model(source, out, request, progress=progress)
    for warning in source.warnings:
        print_warning(warning)
    if as_json:
        click.echo(json.dumps([artefact_as_json(artefact) for artefact in artefacts], indent=1))
    else:
        click.echo(exported_table(artefacts, out))


def _labels(given: str | None, training: TrainingLog | None) -> tuple[str, ...]:
    """The user's labels, else those the model was trained with."""
    if given:
        return tuple(label.strip() for label in given.split(","))
    return training.labels if training else ()
