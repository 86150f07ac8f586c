"""`edgernn.load`: a model that was read, and its export."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edgernn.artefact import Artefact, Refusal, record
from edgernn.errors import WrongOption
from edgernn.export.calibration import Calibration
from edgernn.export.examples import read_examples
from edgernn.export.keras.object import from_keras
from edgernn.export.pipeline import Failure, export_model, float_graph, training_log_of
from edgernn.export.quantization.absorb import unlike_features
from edgernn.export.quantization.headroom import beyond
from edgernn.export.reading import read_source
from edgernn.export.request import Request
from edgernn.export.rows import together
from edgernn.export.small_models import larger_than_float32
from edgernn.export.source_model import SourceModel
from edgernn.export.study.labelled import float_answers
from edgernn.export.study.study import Study, rescued, studied
from edgernn.formats import FORMATS, format_named, options_by_format
from edgernn.front.keras_itself import as_keras_has_it
from edgernn.front.made import Made
from edgernn.front.notebook import html_lines, html_table
from edgernn.front.outcome import other_name, with_outcome
from edgernn.front.progress import progress_line
from edgernn.front.schemes import parsed_schemes
from edgernn.front.steps import logged_step
from edgernn.graph import CalibrationMethod, Graph, Shape, parameter_count
from edgernn.report.inspected import model_text, shape_text
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming
from edgernn.tasks.given import Given, as_samples
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.training_log import TrainingLog


def load(model: Any) -> Loaded:
    """Reads a model: the path of a .keras, .h5 or .onnx file, or a Keras model in memory.

    A file is read without Keras, TensorFlow and PyTorch, and nothing in it is run.
    Raises ModelFileError for what is no model or is damaged, UnsupportedLayer for a layer or an
    option that edgernn does not know.

    >>> model = edgernn.load("gru.keras")
    >>> print(model)  # layers, shapes, parameters
    """
    if not isinstance(model, str | os.PathLike):
        return Loaded(model=from_keras(model), origin=model)
    path = Path(model)
    with logged_step(f"reading {path}"):
        read = read_source(path)
    return Loaded(model=read, training=training_log_of(path, read.source.sha256), origin=path)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Loaded:
    """A model that was read.  `print` shows its layers; `export` writes it.

    model: the graph, the source and warnings, as edgernn.export has them.
    training: the log that `edgernn train` left beside the file.
    origin: the path, or the model in memory, that was given to `load`.
    """

    model: SourceModel
    training: TrainingLog | None = field(default=None)
    origin: Any = None

    @property
    def inputs(self) -> dict[str, Shape]:
        """Shapes by name, the batch first; None where a size is free."""
        return {entry.name: entry.spec.shape for entry in self.model.graph.inputs}

    @property
    def outputs(self) -> dict[str, Shape]:
        """Shapes by name, the batch first; None where a size is free."""
        return {name: spec.shape for name, spec in self.model.graph.output_specs.items()}

    def reading_of(self, data: Given) -> Reading:
        """How a table is read: as the training did it, whose log is beside the file."""
        if self.training is None or not isinstance(data, str | os.PathLike):
            return AS_IT_IS
        return self.training.settings.reading.recorded_for(str(data))

    @property
    def parameters(self) -> int:
        """How many numbers the weights hold."""
        return self.model.graph.parameters

    @property
    def layers(self) -> tuple[str, ...]:
        """Names in running order, as `keep_float` and per-layer schemes take them."""
        return tuple(layer.name for layer in self.model.graph.layers)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what the file holds and the export leaves out."""
        return self.model.warnings

    def export(
        self,
        out: str | os.PathLike[str],
        *,
        to: str | Sequence[str] | None = None,
        scheme: str | Scheme | Iterable[str | Scheme] = Scheme.FLOAT32,
        calibrate: Given | None = None,
        calibration: str = CalibrationMethod.MINMAX.value,
        ranges: str | os.PathLike[str] | None = None,
        keep_float: str | Sequence[str] = (),
        max_drop: float | None = None,
        data: Given | None = None,
        target: str | None = None,
        streaming: bool = False,
        labels: Sequence[str] = (),
        verify: bool = True,
        require_verify: bool = False,
        against_keras: bool = False,
        progress: Callable[[str], None] | None = None,
        **options: str | None,
    ) -> Made:
        """Writes the model into the folder `out`, checked against the original, with model.json.

        to: formats ("onnx", "tflite", "native"); without it all that can express the model.
        scheme: "float32", "float16", "dynamic" or "int8"; several as a list, each of them one
            export; "LAYER=SCHEME" in the list is for one layer.
        calibrate: typical inputs: x [N, T, F] or [N, T], arrays by input name, a path, or a spec
            such as "digits:calibration".  int8 needs them; dynamic and float16 bring features of
            unlike scale to one scale with them.  One row of four is kept back for the check.
        calibration: how a range is drawn around the values seen.
        ranges: with `calibrate`, the file to save ranges in; without, the file to read them from.
        keep_float: layers to leave in float32.
        max_drop: keep the fewest layers in float32 that hold the loss within so many points of
            accuracy or F1, or percent of an error, on `data` or else on a labelled `calibrate`.
        data: labelled rows to measure the accuracy or error on: (x, y), (x, y, lengths), a path or
            a spec; "mydata.csv:test" is a part of a file.  Tables are read as in the training.
        target: columns to predict of a .csv ("load"), or what y means where it can be read in
            several ways: "numbers", "labels", …
        streaming: a model of one step, its states as inputs and outputs.
        labels: names of the classes, stored in the files.
        verify: compare the files with the original on their runtimes.
        require_verify: a file that cannot be compared, since its runtime is not installed, is an
            error (MissingRuntime); without it `made.outcome` and model.json say so.
        against_keras: first compare what was read with Keras itself, in a child process; needs the
            package keras (tf_keras for files of Keras 1 and 2), and runs the model's code.
        progress: called with each phase; without it a line on a terminal.
        options: of one format: onnx_gru, onnx_profile, tflite_profile, runtime_min.

        The files of one scheme that pass the check appear together.  Where one fails, the others
        are kept, model.json lists it as refused, and VerificationError is raised at the end: its
        `made` is what this method would have returned, None where no file passed.
        Raises WrongOption, DataError, CalibrationError, UnsupportedLayer or UnsupportedScheme (of a
        format in `to`), VerificationError, MissingRuntime, OutputError.

        >>> made = model.export("out/", to=["tflite", "native"], scheme="int8", calibrate=x[:200])
        >>> made["native"].path
        """
        schemes, per_layer = parsed_schemes(scheme)
        used = {*schemes, *per_layer.values()}
        kept = (keep_float,) if isinstance(keep_float, str) else tuple(keep_float)
        file = None if ranges is None else Path(ranges)
        _require_use(used, kept, calibrate, file, max_drop)
        if require_verify and not verify:
            raise WrongOption(
                "--require-verify (require_verify) contradicts --no-verify (verify=False)",
                remedy="Leave one of them out",
            )
        backends = _formats(to)
        names = _labels(labels, self.training, self.model.graph)
        folder = Path(out)
        with progress_line("reading", progress) as phase:
            samples = None
            if data is not None:
                samples = as_samples(data, target=target, reading=self.reading_of(data))
            oracle = None
            if against_keras:
                phase("comparing with Keras")
                oracle = as_keras_has_it(self.model, self.origin)
            original = float_graph(self.model.graph)
            if isinstance(calibrate, str | os.PathLike) and len(self.inputs) == 1:
                calibrate = as_samples(calibrate, target=target, reading=self.reading_of(calibrate))
            calibrated = Calibration(
                spec=calibrate, method=CalibrationMethod(calibration), file=file
            ).of(original, phase)
            answers = None
            if samples is not None:  # before anything is written: they may not fit the model
                phase("running the float model on the data")
                answers = float_answers(original, samples, names, file=self.model.source.file)
            rows = None if samples is None else read_examples(samples, original)
            examples = together(calibrated.examples, rows)
            requests = [
                Request(
                    backends=backends,
                    scheme=one,
                    per_layer=per_layer,
                    ranges=calibrated.ranges,
                    examples=examples,
                    keep_float=() if one is Scheme.FLOAT32 and not per_layer else kept,
                    streaming=streaming,
                    verify=verify,
                    require_verify=require_verify,
                    labels=names,
                    training=self.training,
                    options=_options(options),
                )
                for one in schemes
            ]
            if max_drop is not None:
                phase("searching the layers to keep in float")
                requests = [
                    rescued(
                        *(original, request, samples, calibrate),
                        file=self.model.source.file,
                        max_drop_points=max_drop,
                    )
                    if request.fewest_bits.needs_calibration
                    else request
                    for request in requests
                ]
            artefacts: list[Artefact] = []
            refusals: list[Refusal] = []
            warnings = [*self.model.warnings, *calibrated.warnings]
            integers = any(one.needs_calibration for one in used)
            if calibrated.ranges and examples and examples.origin.is_fresh and integers:
                warnings += beyond(original, calibrated.ranges, examples.inputs)
            if calibrated.ranges is None and used != {Scheme.FLOAT32}:
                warnings += unlike_features(original)
            failures: list[Failure] = []
            unrecorded: list[Refusal] = []
            for request in requests:
                before = len(failures)
                made = export_model(
                    *(self.model, folder, request),
                    progress=phase,
                    on_refusal=refusals.append,
                    on_failure=failures.append,
                )
                if made:
                    warnings += other_name(made[0], request)
                else:  # a scheme that failed everywhere; others may pass
                    unrecorded += [failure.refusal for failure in failures[before:]]
                artefacts += made
            if artefacts and unrecorded:
                removed = {one.file: one for one in record(folder, (), unrecorded)}
                failures = [
                    replace(one, refusal=removed.get(one.refusal.file, one.refusal))
                    for one in failures
                ]
            refusals += [failure.refusal for failure in failures]
            float_form = to_streaming(original) if streaming and artefacts else original
            warnings += larger_than_float32(float_form, artefacts, _options(options))
            study = Study(accuracies=(), costs=None)
            if artefacts and (answers is not None or any(one.needs_calibration for one in used)):
                phase("comparing with the float model")
                integer = max(requests, key=lambda one: list(Scheme).index(one.fewest_bits))
                study = studied(original, integer, artefacts, folder, answers)
        result = Made(
            folder=folder,
            artefacts=tuple(artefacts),
            refusals=tuple(refusals),
            warnings=tuple(warnings),
            study=study,
            against_keras=oracle,
        )
        if failures:
            raise with_outcome(failures[0], result)
        return result

    def __str__(self) -> str:
        return model_text(self.model.graph, self.model.source)

    def __repr__(self) -> str:
        source = self.model.source
        return f"<edgernn.Loaded {source.file}: {self.parameters:,} parameters>"

    def _repr_html_(self) -> str:
        graph = self.model.graph
        title, inputs, outputs, *_ = str(self).splitlines()
        rows = [
            (
                layer.name,
                type(layer).__name__,
                shape_text(graph.specs[layer.writes[0]].shape),
                f"{parameter_count(layer):,}",
            )
            for layer in graph.layers
        ]
        head = ("layer", "kind", "output", "parameters")
        return html_lines([title, inputs, outputs]) + html_table(head, rows)


def _require_use(
    used: set[Scheme],
    keep_float: tuple[str, ...],
    calibrate: Given | None,
    ranges: Path | None,
    max_drop: float | None,
) -> None:
    """Raises WrongOption for an option that would change nothing."""
    if keep_float and used == {Scheme.FLOAT32}:
        raise WrongOption(
            "--keep-float (keep_float) changes nothing in a float32 export",
            remedy="Choose another scheme, or leave it out",
        )
    if any(one.needs_calibration for one in used):
        return
    if max_drop is not None:
        raise WrongOption(
            "--max-drop (max_drop) searches layers of an int8 export", remedy="Choose scheme int8"
        )
    if ranges is not None and calibrate is None:
        raise WrongOption(
            "--ranges (ranges) without --calibrate is read by an int8 export only",
            remedy="Choose scheme int8, or give data to calibrate with",
        )
    # Features of unlike scale are brought to one; ranges may be saved for a later export.
    if calibrate is not None and ranges is None and used == {Scheme.FLOAT32}:
        raise WrongOption(
            "--calibrate (calibrate) changes nothing in a float32 export",
            remedy="Choose another scheme, or save the ranges with --ranges FILE (ranges)",
        )


def _formats(to: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if to is None:
        return None
    names = to.split(",") if isinstance(to, str) else to
    try:
        return tuple(dict.fromkeys(format_named(name.strip()).name for name in names))
    except ValueError as error:
        raise WrongOption(str(error).rstrip(".")) from error


def _options(given: dict[str, str | None]) -> dict[str, dict[str, str]]:
    """Raises TypeError for an option that no format has, WrongOption for a value it lacks."""
    known = {option.parameter: option for row in FORMATS.values() for option in row.options}
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {near[0]}?" if near else f"those of formats are {', '.join(known)}"
            )
            raise TypeError(f"export() has no option '{name}'; {hint}")
        if value is not None and value not in known[name].choices:
            raise WrongOption(
                f"{name} cannot be {value!r}",
                remedy=f"Choose one of {', '.join(known[name].choices)}",
            )
    return options_by_format(given)


def _labels(given: Sequence[str], training: TrainingLog | None, graph: Graph) -> tuple[str, ...]:
    """The user's labels, else those the model was trained with.

    Raises WrongOption for another number of labels than the model has classes.
    """
    if isinstance(given, str):
        given = given.split(",")
    labels = tuple(label.strip() for label in given)
    if not labels:
        return training.labels if training else ()
    name, spec = next(iter(graph.output_specs.items()))
    if len(graph.outputs) > 1 or len(spec.shape) not in {2, 3} or spec.shape[-1] is None:
        return labels
    classes = max(spec.shape[-1], 2)  # perhaps at every step; a single number separates two
    if len(labels) not in {spec.shape[-1], classes}:
        raise WrongOption(
            f"{len(labels)} labels are given, and output '{name}' has {classes} classes",
            remedy="Give one label for each class, in the order of the outputs",
        )
    return labels
