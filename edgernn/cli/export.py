"""`edgernn export`: a model in, checked artefacts out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgernn.cli.completion import (
    complete_data,
    complete_devices,
    complete_formats,
    complete_layers,
    complete_schemes,
)
from edgernn.cli.export_arguments import BackendList, format_options
from edgernn.cli.terminal import print_warning
from edgernn.formats import FORMATS
from edgernn.graph import CalibrationMethod, Rounding
from edgernn.scheme import Scheme

if TYPE_CHECKING:
    from edgernn.front.made import Made


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--to",
    "backends",
    type=BackendList(),
    shell_complete=complete_formats,
    help=f"Formats to write ({', '.join(FORMATS)}); without it all that can express the model.",
)
@click.option(
    "--scheme",
    "schemes",
    multiple=True,
    default=[Scheme.FLOAT32.value],
    show_default=True,
    metavar="[LAYER=]SCHEME,…",
    shell_complete=complete_schemes,
    help="float32; float16: half the bytes, computed in float32; dynamic: int8 weights, no data "
    "needed; int8: integer arithmetic, needs --calibrate; int4: the same with weights of 4 bits, "
    "native only. Several are separated by commas. "
    "LAYER=SCHEME is for one layer. auto: makes all, measures them, keeps the best of each format.",
)
@click.option(
    "--calibrate",
    metavar="SPEC",
    shell_complete=complete_data,
    help="Typical inputs: digits:calibration, or an .npz. int8 and int4 need them; dynamic and "
    "float16 bring features of unlike scale to one scale with them.",
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
    "--rounding",
    type=click.Choice([rounding.value for rounding in Rounding]),
    default=Rounding.COMPENSATED.value,
    show_default=True,
    help="How int8 chooses weights: so that rounding errors make up for each other on the "
    "calibration data, or each for itself.",
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
    shell_complete=complete_layers,
    help="Leave this layer in float32; may be given again.",
)
@click.option(
    "--max-drop",
    "max_drop_points",
    type=click.FloatRange(0),
    metavar="POINTS",
    help="Lose at most so many points of accuracy or F1, or percent of an error, on --data or else "
    "the labelled --calibrate data: by finer activations, then by the fewest layers in float. With "
    "--scheme auto: the most that a file may lose (1 without it).",
)
@click.option(
    "--device",
    metavar="NAME",
    shell_complete=complete_devices,
    help="Where --scheme auto measures the candidates; without it here.",
)
@click.option(
    "--data",
    metavar="SPEC",
    shell_complete=complete_data,
    help="Labelled data to measure the accuracy on: digits:test, an .npz.",
)
@click.option("--target", metavar="COLUMN,…", help="Columns of a .csv to score, or the kind of y.")
@click.option(
    "--streaming",
    is_flag=True,
    help="Write a model of one step, its states as explicit inputs and outputs.",
)
@click.option(
    "--decode",
    metavar="INPUT,START,STOP,LONGEST",
    help="Of a model that was taught with the tokens before each step as INPUT: write its encoder "
    "and one step of its decoder. Models of `edgernn train` know this.",
)
@click.option("--labels", metavar="A,B,…", help="Class names, stored in the artefacts.")
@click.option(
    "--front-end",
    metavar="NAME@RATE",
    help="How sound becomes the model's rows, stored in the artefacts: kaldi-fbank40@16000, or a "
    "recipe.toml. Without it that of the training.",
)
@click.option(
    "--free-time",
    is_flag=True,
    help="Of an .onnx or .pt2 file: the exporter fixed the axis of time; free it where no layer "
    "depends on its length.",
)
@format_options
@click.option("--no-verify", is_flag=True, help="Do not compare the artefacts with the model.")
@click.option(
    "--require-verify",
    is_flag=True,
    help="Fail where a file cannot be compared, since its runtime is not installed.",
)
@click.option(
    "--against-keras",
    is_flag=True,
    help="First compare what was read with Keras itself, where it is installed; runs the model's "
    "code.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's entries as JSON.")
def command(
    model: Path,
    out: Path,
    backends: tuple[str, ...] | None,
    schemes: tuple[str, ...],
    calibrate: str | None,
    method: str,
    rounding: str,
    ranges_file: Path | None,
    keep_float: tuple[str, ...],
    max_drop_points: float | None,
    device: str | None,
    data: str | None,
    target: str | None,
    streaming: bool,
    decode: str | None,
    labels: str | None,
    front_end: str | None,
    free_time: bool,
    no_verify: bool,
    against_keras: bool,
    require_verify: bool,
    as_json: bool,
    **formats: Any,
) -> None:
    """Turn MODEL (.keras, .h5, .onnx, .pt2) into ONNX, TFLite and native, each checked against it.

    \b
    edgernn export gru.keras -o out/     # gru.onnx, .tflite, .ernn and model.json
    edgernn export old.h5 --to onnx --scheme float16 -o out/
    edgernn export gru.keras --scheme int8 --calibrate digits:calibration -o out/

    MODEL is read without TensorFlow, and nothing that is in it is run.
    """
    from edgernn.errors import EdgernnError
    from edgernn.front.loaded import load

    try:
        made = load(model, free_time=free_time).export(
            out,
            to=backends,
            scheme=schemes,
            calibrate=calibrate,
            calibration=method,
            rounding=rounding,
            ranges=ranges_file,
            keep_float=keep_float,
            max_drop=max_drop_points,
            device=device,
            data=data,
            target=target,
            streaming=streaming,
            decode=decode,
            labels=labels or (),
            front_end=front_end,
            verify=not no_verify,
            against_keras=against_keras,
            require_verify=require_verify,
            **formats,
        )
    except EdgernnError as error:
        if error.made is not None:  # what passed is written, whatever failed
            _show(error.made, as_json=as_json)
        for warning in error.warnings:
            print_warning(warning)
        raise
    _show(made, as_json=as_json)


def _show(made: Made, *, as_json: bool) -> None:
    from edgernn.artefact import as_json as artefact_as_json
    from edgernn.report.candidates import candidates_as_json
    from edgernn.report.quantized import study_as_json

    for warning in (*made.warnings, *made.refusal_sentences):
        print_warning(warning)
    if as_json:
        entries = [artefact_as_json(artefact) for artefact in made.artefacts]
        refused = [asdict(refusal) for refusal in made.refusals]
        document = {"artefacts": entries, "refused": refused, **study_as_json(made.study)}
        if made.candidates:
            document["candidates"] = candidates_as_json(made.candidates)
        click.echo(json.dumps(document, indent=1))
    else:
        click.echo(str(made))
