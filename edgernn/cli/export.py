"""`edgernn export`: a Keras model in, checked artefacts out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgernn.cli.export_arguments import BackendList, format_options, split_schemes
from edgernn.cli.terminal import print_warning, progress_line
from edgernn.formats import FORMATS, options_by_format
from edgernn.graph import CalibrationMethod
from edgernn.scheme import Scheme

if TYPE_CHECKING:
    from edgernn.artefact import Refusal
    from edgernn.graph import Graph
    from edgernn.tasks.training_log import TrainingLog


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--to",
    "backends",
    type=BackendList(),
    help=f"Formats to write ({', '.join(FORMATS)}); without it all that can express the model.",
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
    "--max-drop",
    "max_drop_points",
    type=click.FloatRange(0),
    metavar="POINTS",
    help="Keep the fewest layers in float that hold the loss of accuracy, on --data or else the "
    "labelled --calibrate data, within so many points.",
)
@click.option(
    "--data", metavar="SPEC", help="Labelled data to tell the accuracy on: digits:test, an .npz."
)
@click.option(
    "--streaming",
    is_flag=True,
    help="Write a model of one step, its states as explicit inputs and outputs.",
)
@click.option("--labels", metavar="A,B,…", help="Class names, stored in the artefacts.")
@format_options
@click.option("--no-verify", is_flag=True, help="Do not compare the artefacts with the model.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's entries as JSON.")
def command(
    model: Path,
    out: Path,
    backends: tuple[str, ...] | None,
    schemes: tuple[str, ...],
    calibrate: str | None,
    method: str,
    ranges_file: Path | None,
    keep_float: tuple[str, ...],
    max_drop_points: float | None,
    data: str | None,
    streaming: bool,
    labels: str | None,
    no_verify: bool,
    as_json: bool,
    **formats: str | None,
) -> None:
    """Turn MODEL (.keras or .h5) into ONNX, TFLite and native, each checked against the original.

    \b
    edgernn export gru.keras -o out/        writes out/gru.onnx, .tflite, .ernn and model.json
    edgernn export old.h5 --to onnx --scheme float16 -o out/
    edgernn export gru.keras --scheme int8 --calibrate digits:calibration -o out/

    MODEL is read without TensorFlow, and nothing that is in it is run.
    """
    from edgernn.artefact import as_json as artefact_as_json
    from edgernn.export.calibration import Calibration
    from edgernn.export.keras.file import read_model
    from edgernn.export.pipeline import export_model, float_graph, training_log_of
    from edgernn.export.request import Request
    from edgernn.export.study.labelled import float_answers
    from edgernn.export.study.study import Study, rescued, studied
    from edgernn.report.exported import exported_table
    from edgernn.report.quantized import study_as_json, study_texts
    from edgernn.tasks.data import load

    scheme, per_layer = split_schemes(schemes)
    wants_int8 = Scheme.INT8 in (scheme, *per_layer.values())
    if max_drop_points is not None and not wants_int8:
        raise click.UsageError("--max-drop goes with --scheme int8")
    _require_use({scheme, *per_layer.values()}, keep_float, calibrate, ranges_file)
    with progress_line("reading") as progress:
        source = read_model(model)
        training = training_log_of(model, source.source.sha256)
        names = _labels(labels, training, source.graph)
        samples = load(data) if data else None
        calibration = Calibration(
            spec=calibrate, method=CalibrationMethod(method), file=ranges_file
        )
        original = float_graph(source.graph)
        calibrated = calibration.of(original, progress)
        request = Request(
            backends=backends,
            scheme=scheme,
            per_layer=per_layer,
            ranges=calibrated.ranges,
            examples=calibrated.examples,
            keep_float=keep_float,
            streaming=streaming,
            verify=not no_verify,
            labels=names,
            training=training,
            options=options_by_format(formats),
        )
        if max_drop_points is not None:
            progress("searching the layers to keep in float")
            request = rescued(
                *(original, request, samples, calibrate),
                file=model.name,
                max_drop_points=max_drop_points,
            )
        answers = None
        if samples is not None:  # before anything is written: they may not fit the model
            progress("running the float model on --data")
            answers = float_answers(original, samples, request.labels, file=model.name)
        refusals: list[Refusal] = []
        artefacts = export_model(
            source, out, request, progress=progress, on_refusal=refusals.append
        )
    for warning in (*source.warnings, *calibrated.warnings):
        print_warning(warning)
    made = artefacts[0]
    if made.scheme is not request.fewest_bits:
        print_warning(
            f"no layer is left that is {request.fewest_bits.value}: these are {made.scheme.value} "
            f"models, named as such ({made.name}), in place of what had these names"
        )
    for refusal in refusals:
        removed = ", and that of an earlier export is removed" if refusal.removed else ""
        print_warning(f"{refusal.file} is left out{removed}: {refusal.reason}")
    if not as_json:
        click.echo(exported_table(artefacts, out))
    study = Study(accuracies=(), costs=None)
    if answers is not None or wants_int8:
        with progress_line("comparing with the float model"):
            study = studied(original, request, artefacts, out, answers)
    if as_json:
        entries = [artefact_as_json(artefact) for artefact in artefacts]
        refused = [asdict(refusal) for refusal in refusals]
        document = {"artefacts": entries, "refused": refused, **study_as_json(study)}
        click.echo(json.dumps(document, indent=1))
        return
    for text in study_texts(study):
        click.echo(f"\n{text}")


def _require_use(
    schemes: set[Scheme], keep_float: tuple[str, ...], calibrate: str | None, ranges: Path | None
) -> None:
    """Raises UsageError for an option that would change nothing."""
    if keep_float and schemes == {Scheme.FLOAT32}:
        raise click.UsageError("--keep-float goes with a --scheme other than float32")
    if Scheme.INT8 in schemes:
        return
    if ranges is not None and calibrate is None:
        raise click.UsageError("--ranges without --calibrate goes with --scheme int8")
    # int8 weights are checked on the samples; ranges may be taken for a later export.
    if calibrate is not None and ranges is None and Scheme.DYNAMIC not in schemes:
        raise click.UsageError("--calibrate goes with --scheme int8 (or dynamic, or --ranges FILE)")


def _labels(given: str | None, training: TrainingLog | None, graph: Graph) -> tuple[str, ...]:
    """The user's labels, else those the model was trained with.

    Raises UsageError for another number of labels than the model tells classes apart.
    """
    if not given:
        return training.labels if training else ()
    labels = tuple(label.strip() for label in given.split(","))
    name, spec = next(iter(graph.output_specs.items()))
    if len(graph.outputs) > 1 or len(spec.shape) not in {2, 3} or spec.shape[-1] is None:
        return labels
    classes = spec.shape[-1]  # perhaps at every step
    if len(labels) not in {classes, max(classes, 2)}:  # a single number tells two classes apart
        raise click.UsageError(
            f"--labels names {len(labels)} classes, and output '{name}' tells "
            f"{max(classes, 2)} apart"
        )
    return labels
