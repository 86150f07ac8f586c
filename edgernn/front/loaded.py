"""`edgernn.load`: a model that was read, and its export."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgernn.aware.model import source_of
from edgernn.errors import WrongOption
from edgernn.export.calibration import Calibration
from edgernn.export.decoder_pair import examples_for
from edgernn.export.examples import read_examples
from edgernn.export.keras.object import from_keras
from edgernn.export.pipeline import (
    float_graph,
    training_log_of,
    with_fine_layers,
)
from edgernn.export.quantization.headroom import beyond
from edgernn.export.reading import PORTABLE, read_source
from edgernn.export.request import Request
from edgernn.export.rows import Examples, together
from edgernn.export.sound_input import text_recipe
from edgernn.export.source_model import SourceModel
from edgernn.export.study.labelled import float_answers
from edgernn.export.study.study import held, limited
from edgernn.export.torch_file.module import from_module, is_module
from edgernn.front.arguments import checked_arguments
from edgernn.front.automatic import best_of
from edgernn.front.keras_itself import as_keras_has_it
from edgernn.front.made import Made
from edgernn.front.notebook import model_html
from edgernn.front.options import (
    class_labels,
    decoding_of,
    format_options,
    formats_named,
    front_end_of,
    is_auto,
    method_named,
    require_layers,
    require_one_loop,
    require_torch,
    require_use,
    rounding_named,
    with_scheme,
)
from edgernn.front.progress import progress_line
from edgernn.front.schemes import parsed_schemes
from edgernn.front.steps import logged_step
from edgernn.front.writing import written
from edgernn.graph import CalibrationMethod, Decoding, Graph, Ranges, Rounding, Shape
from edgernn.recipe import RowRecipe
from edgernn.report.inspected import model_text
from edgernn.scheme import Scheme
from edgernn.side_by_side import meanwhile
from edgernn.tasks.given import Given, as_samples
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import Target
from edgernn.tasks.training_log import TrainingLog


def load(model: Any, *, example: Any = None, free_time: bool = False) -> Loaded:
    """Reads a model: the path of a .keras, .h5, .onnx or .pt2 file, or a model in memory.

    model: a path, a keras.Model (also of `quantization_aware`), or a torch.nn.Module in eval mode.
    example: what the forward() of a torch.nn.Module takes: an array [N, ...], a tuple of them, or a
        dict by argument; with two rows or more the batch is free.
    free_time: an .onnx or .pt2 file, or a module, whose axis of time PyTorch fixed takes sequences
        of any length, where no layer depends on it.

    A file is read without Keras, TensorFlow and PyTorch, and nothing in it is run.
    Raises ModelFileError for what is no model or is damaged, UnsupportedLayer for a layer or an
    option that edgernn does not know.

    >>> model = edgernn.load("gru.keras")
    >>> print(model)  # layers, shapes, parameters
    >>> edgernn.load(module, example=x).export("out/", scheme="int8", calibrate=x)  # PyTorch
    """
    if not isinstance(model, str | os.PathLike):
        if is_module(model):
            made = from_module(model, example, free_time=free_time)
            return Loaded(model=made, origin=model)
        require_torch(example, free_time=free_time)
        return Loaded(model=source_of(model) or from_keras(model), origin=model)
    require_torch(example, free_time=free_time and Path(model).suffix.lower() not in PORTABLE)
    path = Path(model)
    with logged_step(f"reading {path}"):
        read = read_source(path, free_time=free_time)
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

    @property
    def decoding(self) -> Decoding | None:
        """How the model writes sequences, where `edgernn train` made it for that."""
        return decoding_of(None, self.training, self.model.graph)

    def reading_of(self, data: Given) -> Reading:
        """How a table is read: as the training did it, whose log is beside the file."""
        if self.training is None or not isinstance(data, str | os.PathLike):
            return AS_IT_IS
        return self.training.settings.reading.recorded_for(str(data))

    def _samples(self, data: Given, target: str | None, recipe: RowRecipe | None) -> Samples:
        reading = self.reading_of(data)
        front_end = recipe or text_recipe(self.model.graph)
        return as_samples(data, target=target, reading=reading, front_end=front_end)

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

    @checked_arguments
    def export(
        self,
        out: str | os.PathLike[str],
        *,
        to: str | Sequence[str] | None = None,
        scheme: str | Scheme | Iterable[str | Scheme] = Scheme.FLOAT32,
        calibrate: Given | None = None,
        calibration: str = CalibrationMethod.MINMAX.value,
        rounding: str = Rounding.COMPENSATED.value,
        ranges: str | os.PathLike[str] | None = None,
        keep_float: str | Sequence[str] = (),
        max_drop: float | None = None,
        device: str | Sequence[str] | None = None,
        data: Given | None = None,
        target: str | None = None,
        streaming: bool = False,
        decode: str | None = None,
        labels: Sequence[object] = (),
        front_end: str | RowRecipe | None = None,
        verify: bool = True,
        require_verify: bool = False,
        against_keras: bool = False,
        progress: Callable[[str], None] | None = None,
        **options: str | None,
    ) -> Made:
        """Writes the model into the folder `out`, checked against the original, with model.json.

        to: formats ("onnx", "tflite", "native"); without it all that can express the model.
        scheme: "float32", "float16", "dynamic", "int8" or "int4" (native only); several as a list,
            each of them one export; "LAYER=SCHEME" in the list is for one layer.  "auto" makes all
            of them (those of integers with `calibrate`), measures them, and keeps of each format
            the smallest file that loses at most `max_drop` (1 point); see `made.candidates`.
        calibrate: typical inputs: x [N, T, F] or [N, T], arrays by input name, a path, or a spec
            such as "digits:calibration".  int8 and int4 need them; dynamic and float16 bring
            features of unlike scale to one scale with them.  One row of four is kept back for the
            check.
        calibration: how a range is drawn around the values seen.
        rounding: "compensated", where errors of int8 weights make up for each other on the
            calibration data, or "nearest".
        ranges: with `calibrate`, the file to save ranges in; without, the file to read them from.
        keep_float: layers to leave in float32.
        max_drop: lose at most so many points of accuracy or F1, or percent of an error, on `data`
            or else on a labelled `calibrate`.  Each format is held to it on its own runtime: where
            it loses more, layers get finer activations, and then the fewest become float32; in int4
            the fewest keep 8 bits, beside those that the check of the file needs.  One that cannot
            hold it is not written.
        device: where scheme "auto" measures its candidates: "cpu" (here), "pi", "user@host", …
        data: labelled rows to measure the accuracy or error on: (x, y), (x, y, lengths), a path or
            a spec; "mydata.csv:test" is a part of a file.  Tables are read as in the training.
        target: columns to predict of a .csv ("load"), or what y means where it can be read in
            several ways: "numbers", "labels", …
        streaming: a model of one step, its states as inputs and outputs.
        decode: "INPUT,START,STOP,LONGEST" of a model that was taught with the tokens before each
            step as a second input: writes its encoder and one step of its decoder, and the loop
            that ends with the token STOP or after LONGEST calls.  `edgernn train` records it.
        labels: names of the classes (texts, or numbers), stored in the files.
        front_end: how sound becomes the model's rows, stored in the files: a preset such as
            "kaldi-fbank40@16000", a recipe.toml, or a SoundRecipe or SensorRecipe.  Without it that
            of the .keras file, if `edgernn train` made it of recordings or sensors.
        verify: compare the files with the original on their runtimes.
        require_verify: a file that cannot be compared, since its runtime is not installed, is an
            error (MissingRuntime), and so is one of fewer bits whose features are of unlike scale
            and were not given (VerificationError); without it `made.outcome` and model.json say so.
        against_keras: first compare what was read with Keras itself, in a child process; needs the
            package keras (tf_keras for files of Keras 1 and 2), and runs the model's code.
        progress: called with each phase; without it a line on a terminal.
        options: of one format: onnx_gru, onnx_lstm, onnx_profile, tflite_profile, runtime_min, io.

        The files of one scheme that pass the check appear together.  Where one fails, the others
        are kept, model.json lists it as refused, and VerificationError is raised at the end: its
        `made` is what this method would have returned, None where no file passed.
        Raises WrongOption, DataError, CalibrationError, UnsupportedLayer or UnsupportedScheme (of a
        format in `to`), VerificationError, MissingRuntime, OutputError.

        >>> made = model.export("out/", to=["tflite", "native"], scheme="int8", calibrate=x[:200])
        >>> made["native"].path
        """
        recipe = front_end_of(front_end, self.model)
        if is_auto(scheme):
            if data is not None:  # read once, for the export and for the measurement
                data = self._samples(data, target, recipe)
            with progress_line("making the candidates", progress) as phase:
                given: dict[str, Any] = {
                    **options,
                    "to": to,
                    "calibrate": calibrate,
                    "calibration": calibration,
                    "rounding": rounding,
                    "ranges": ranges,
                    "keep_float": keep_float,
                    "data": data,
                    "target": target,
                    "streaming": streaming,
                    "decode": decode,
                    "labels": labels,
                    "front_end": front_end,
                    "verify": verify,
                    "require_verify": require_verify,
                    "against_keras": against_keras,
                    "progress": phase,
                }
                return best_of(
                    self.model,
                    Path(out),
                    lambda folder, schemes: self.export(folder, scheme=schemes, **given),
                    calibrated=calibrate is not None or ranges is not None,
                    max_drop=max_drop,
                    device=device or "cpu",
                    data=data,
                    phase=phase,
                )
        if device is not None:
            raise WrongOption(
                "--device (device) is where the candidates of scheme auto are measured",
                remedy="Choose scheme auto, or measure with `edgernn profile`",
            )
        schemes, per_layer = parsed_schemes(scheme)
        used = {*schemes, *per_layer.values()}
        kept = (keep_float,) if isinstance(keep_float, str) else tuple(keep_float)
        file = None if ranges is None else Path(ranges)
        require_use(used, kept, calibrate, file, max_drop, options.get("io"))
        if require_verify and not verify:
            raise WrongOption(
                "--require-verify (require_verify) contradicts --no-verify (verify=False)",
                remedy="Leave one of them out",
            )
        method = method_named(calibration)
        rounded = rounding_named(rounding, used)
        backends = formats_named(to)
        chosen = format_options(options, backends)
        require_layers(self.layers, (*kept, *per_layer))
        decoding = decoding_of(decode, self.training, self.model.graph)
        require_one_loop(decoding, streaming=streaming)
        names = class_labels(labels, self.training, self.model.graph)
        folder = Path(out)
        with progress_line("reading", progress) as phase:
            samples = None
            if data is not None:
                samples = self._samples(data, target, recipe)
            oracle = None
            if against_keras:
                phase("comparing with Keras")
                oracle = as_keras_has_it(self.model, self.origin)
            original = float_graph(self.model.graph)
            one_input = len(self.inputs) == 1 or decoding is not None
            if isinstance(calibrate, str | os.PathLike) and one_input:
                calibrate = self._samples(calibrate, target, recipe)
            typical = calibrate
            if decoding is not None and calibrate is not None:
                calibrate = as_samples(calibrate, target=target or Target.SEQUENCE.value)
                typical = examples_for(calibrate, original, decoding).inputs
            calibrated = Calibration(
                spec=typical, method=method, file=file, rounding=rounded, zero_states=streaming
            ).of(original, phase)
            answers = None
            if samples is not None:  # before anything is written: they may not fit the model
                phase("running the float model on the data")
                answers = float_answers(
                    *(original, samples, names), file=self.model.source.file, decoding=decoding
                )
            rows = None
            if samples is not None:
                rows = (
                    examples_for(samples, original, decoding)
                    if decoding is not None
                    else read_examples(samples, original, zero_states=streaming)
                )
            examples = together(calibrated.examples, rows)
            requests = [
                Request(
                    backends=with_scheme(backends, one) if len(schemes) > 1 else backends,
                    scheme=one,
                    per_layer=per_layer,
                    ranges=calibrated.ranges,
                    examples=examples,
                    keep_float=() if one is Scheme.FLOAT32 and not per_layer else kept,
                    streaming=streaming,
                    decoding=decoding,
                    verify=verify,
                    require_verify=require_verify,
                    labels=names,
                    front_end=recipe,
                    training=self.training,
                    options=chosen,
                )
                for one in schemes
            ]
            outside: list[str] = []
            if any(one.needs_calibration for one in used):
                phase("measuring what 8-bit activations cost")
                more = _outside(original, calibrated.ranges, examples)
                with meanwhile(lambda: outside.extend(more)):
                    requests = [with_fine_layers(original, request) for request in requests]
            if Scheme.INT4 in schemes:  # with --max-drop, too: a file must pass both
                phase("choosing the layers that keep 8 bits")
                requests = [held(original, request) for request in requests]
            if max_drop is not None:
                phase("measuring what the float model reaches")
                requests = [
                    limited(
                        *(original, request, samples, calibrate),
                        file=self.model.source.file,
                        max_drop_points=max_drop,
                    )
                    if request.fewest_bits.needs_calibration
                    else request
                    for request in requests
                ]
            return written(
                *(self.model, requests, folder),
                warnings=[*self.model.warnings, *calibrated.warnings, *outside],
                answers=answers,
                against_keras=oracle,
                phase=phase,
            )

    def __str__(self) -> str:
        return model_text(self.model.graph, self.model.source)

    def __repr__(self) -> str:
        source = self.model.source
        return f"<edgernn.Loaded {source.file}: {self.parameters:,} parameters>"

    def _repr_html_(self) -> str:
        return model_html(self.model.graph, str(self))


def _outside(graph: Graph, ranges: Ranges | None, examples: Examples | None) -> Iterable[str]:
    """Sentences about what rows that calibration did not see do to the ranges."""
    if ranges is None or examples is None or not examples.origin.is_fresh:
        return ()
    return beyond(graph, ranges, examples.inputs)
