"""`edgernn export`: a Keras model in, checked artefacts out."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgernn.cli.terminal import print_warning, progress_line
from edgernn.export.backends import BACKENDS
from edgernn.graph import CalibrationMethod
from edgernn.scheme import Scheme

if TYPE_CHECKING:
    from edgernn.tasks.training_log import TrainingLog


_SCHEMES = ", ".join(scheme.value for scheme in Scheme)


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
    "schemes",
    multiple=True,
    default=[Scheme.FLOAT32.value],
    show_default=True,
    metavar="[LAYER=]SCHEME",
    help="float32; float16: half the bytes, computed in float32; dynamic: int8 weights, no data "
    "needed; int8: integer arithmetic, needs --calibrate. LAYER=SCHEME is for one layer.",
)
@click.option(
    "--calibrate",
    metavar="SPEC",
    help="Typical inputs for int8: digits:calibration, or an .npz.",
)
@click.option(
    "--calibration",
    "method",
    type=click.Choice([method.value for method in CalibrationMethod]),
    default=CalibrationMethod.MINMAX.value,
    show_default=True,
    help="How a range is drawn around what was seen.",
)
@click.option(
    "--ranges",
    "ranges_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --calibrate: save the ranges; without: use those saved before.",
)
@click.option(
    "--keep-float",
    multiple=True,
    metavar="LAYER",
    help="Leave this layer in float32; may be given again.",
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
    schemes: tuple[str, ...],
    calibrate: str | None,
    method: str,
    ranges_file: Path | None,
    keep_float: tuple[str, ...],
    streaming: bool,
    labels: str | None,
    no_verify: bool,
    as_json: bool,
) -> None:
    """Turn MODEL (.keras or .h5) into ONNX and TFLite, each checked against the original.

    \b
    edgernn export gru.keras -o out/        writes out/gru.onnx, out/gru.tflite, out/model.json
    edgernn export old.h5 --to onnx --scheme float16 -o out/
    edgernn export gru.keras --scheme int8 --calibrate digits:calibration -o out/

    MODEL is read without TensorFlow, and nothing that is in it is run.
    """
    from edgernn.artefact import as_json as artefact_as_json
    from edgernn.export.calibration import Calibration
    from edgernn.export.keras_file import read_model
    from edgernn.export.pipeline import Request, export_model, float_graph, training_log_of
    from edgernn.report.exported import exported_table

    scheme, per_layer = _split_schemes(schemes)
    with progress_line("reading") as progress:
        source = read_model(model)
        training = training_log_of(model, source.source.sha256)
        calibration = Calibration(
            spec=calibrate, method=CalibrationMethod(method), file=ranges_file
        )
        calibrated = calibration.of(float_graph(source.graph), progress)
        request = Request(
            backends=backends,
            scheme=scheme,
            per_layer=per_layer,
            ranges=calibrated.ranges,
            examples=calibrated.examples,
            keep_float=keep_float,
            streaming=streaming,
            verify=not no_verify,
            labels=_labels(labels, training),
            training=training,
        )
        artefacts = export_model(source, out, request, progress=progress)
    for warning in (*source.warnings, *calibrated.warnings):
        print_warning(warning)
    if as_json:
        click.echo(json.dumps([artefact_as_json(artefact) for artefact in artefacts], indent=1))
    else:
        click.echo(exported_table(artefacts, out))


def _split_schemes(given: Sequence[str]) -> tuple[Scheme, dict[str, Scheme]]:
    """The scheme of the model, and those of single layers."""
    whole, per_layer = Scheme.FLOAT32, {}
    for entry in given:
        layer, _, name = entry.rpartition("=")
        if name not in {scheme.value for scheme in Scheme}:
            near = difflib.get_close_matches(name, [scheme.value for scheme in Scheme], n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known are {_SCHEMES}."
            raise click.BadParameter(f"there is no scheme '{name}'. {hint}", param_hint="--scheme")
        if layer:
            per_layer[layer] = Scheme(name)
        else:
            whole = Scheme(name)
    return whole, per_layer


def _labels(given: str | None, training: TrainingLog | None) -> tuple[str, ...]:
    """The user's labels, else those the model was trained with."""
    if given:
        return tuple(label.strip() for label in given.split(","))
    return training.labels if training else ()
