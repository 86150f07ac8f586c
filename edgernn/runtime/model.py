"""`edgernn.Model`: runs an .ernn file."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgernn.errors import DataError, ModelFileError
from edgernn.recipe import (
    SensorRecipe,
    SoundRecipe,
    TextRecipe,
    recipe_of_text,
    rows_of_text,
    sensor_record,
)
from edgernn.recipe.stored import difference
from edgernn.recipe.text import text_of_record
from edgernn.regular_file import opened
from edgernn.runtime.audio import FrontEnd
from edgernn.runtime.batch import MOST_THREADS, together
from edgernn.runtime.library import ISA_BY_NAME, available_isas, check_model, ffi, lib, text
from edgernn.runtime.ports import NativePort, checked_batch, read_port
from edgernn.runtime.session import Session, sequence_lengths
from edgernn.runtime.tokenizer import Tokenizer, Tokens, is_gap, is_text

if TYPE_CHECKING:
    from edgernn.graph import AnyArray

_ALIGNMENT = 64
_DEFAULT_MAX_STEPS = 256


class Model:
    """Loads an .ernn file and runs it.  Threads may share a model; each call uses its own session.

    >>> model = edgernn.Model("gru.ernn")
    >>> scores = model(features)               # [B, T, F] -> [B, classes]
    >>> session = model.session()              # streaming, one sequence at a time
    >>> scores = session.step(frame)           # [F] -> [classes]
    >>> print(model)                           # inputs, outputs, states, scheme, size, labels

    NaN in an input passes through float layers as in numpy, so that a session's state stays NaN
    until `reset`; integer layers read it as 0.  Inputs in C order and of the right type are not
    copied, and the GIL is free while the library runs.

    `source` is a path, or the file's bytes.  `isa` picks the kernels ("portable", "avx2", ...);
    EDGERNN_ISA in the environment is the default, and "auto" the default of that.  `threads` is
    how many a call splits the sequences of its batch over; the results have the same bits.

    Raises ModelFileError for a file that is missing, damaged or of a newer format, ValueError for
    an instruction set that this processor lacks or fewer than one or more than 64 threads, and
    MissingRuntime where edgernn was installed without a C compiler.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        isa: str | None = None,
        threads: int = 1,
    ) -> None:
        self._isa = _checked_isa(isa or os.environ.get("EDGERNN_ISA", "auto"))
        self._threads = _checked_threads(threads)
        where = "the model" if isinstance(source, bytes) else os.fspath(source)
        self._content: Any = (
            _aligned(source) if isinstance(source, bytes) else _mapped(Path(source))
        )
        #: The file's name, or "model in memory".
        self.name = "model in memory" if isinstance(source, bytes) else Path(source).name
        self.size_bytes = len(self._content)
        self.handle: Any = ffi.new("ernn_model *")
        content = ffi.from_buffer(self._content)
        refusal = ffi.new("ernn_refusal *")
        status = lib.ernn_open_or_explain(self.handle, content, len(content), refusal)
        check_model(status, where, refusal)
        self._shapes = json.loads(self.metadata.get("shapes", "{}"))
        self.inputs: tuple[NativePort, ...] = self._ports(lib.ernn_input, lib.ernn_input_count)
        self.outputs: tuple[NativePort, ...] = self._ports(lib.ernn_output, lib.ernn_output_count)
        fed = {port.state_output for port in self.inputs}
        self.free_input_positions = [
            position for position, port in enumerate(self.inputs) if port.state_output is None
        ]
        self.free_output_positions = [
            position for position in range(len(self.outputs)) if position not in fed
        ]
        #: Inputs and outputs without those that hand states from call to call.
        self.free_inputs = [self.inputs[position] for position in self.free_input_positions]
        self.free_outputs = [self.outputs[position] for position in self.free_output_positions]
        self.output_names = [port.name for port in self.free_outputs]
        #: Whether `Session.step` works: no layer looks ahead.
        self.is_streaming = bool(lib.ernn_is_streaming(self.handle))
        self._idle: list[Session] = []  # sessions of calls that are over

    def __repr__(self) -> str:
        """Name, scheme, bytes, inputs, outputs, states and labels, a line each."""
        from edgernn.runtime.description import description

        return description(self)

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names in the order of the scores; empty if the file has none.

        >>> model.labels[scores.argmax()]
        'yes'
        """
        labels: list[str] = []
        while (label := lib.ernn_label(self.handle, len(labels))) != ffi.NULL:
            labels.append(text(label))
        return tuple(labels)

    @property
    def metadata(self) -> dict[str, str]:
        """What the exporter stored besides labels, such as the scheme and the source file.

        >>> model.metadata["scheme"]
        'int8'
        """
        metadata: dict[str, str] = {}
        key, value = ffi.new("char **"), ffi.new("char **")
        while lib.ernn_metadata_at(self.handle, len(metadata), key, value) == 0:
            metadata[text(key[0])] = text(value[0])
        return metadata

    @property
    def front_end(self) -> SoundRecipe | None:
        """How sound becomes the rows of an input; None for a model that takes no sound.

        >>> model.front_end.rate_hz
        16000

        Raises ModelFileError where the recipe is not that of the record that the C library reads.
        """
        text_of_recipe, record = self.metadata.get("front_end"), self._sound_record()
        if not record and (text_of_recipe is None or lib.ernn_sensor_rate(self.handle)):
            return None
        recipe = recipe_of_text(text_of_recipe or "", where=self.name)
        if differs_in := difference(recipe, record) if record else "everything: it has no record":
            raise ModelFileError(
                f"{self.name}: its recipe and the record of its front end differ in {differs_in}",
                remedy="Export the model again with this edgernn",
            )
        return recipe

    def audio(self, rate_hz: int | None = None) -> FrontEnd:
        """The front end of the file for sound of `rate_hz` samples a second, or of its own rate.

        >>> audio, session = model.audio(48000), model.session()
        >>> for row in audio.feed(samples):  # [n] -> [rows, width]
        ...     scores = session.step(row)

        Raises DataError for a model without one, and for a rate below the model's.
        """
        recipe = self.front_end
        if recipe is None:
            raise DataError(
                f"{self.name} has no front end for sound: it takes rows of features",
                remedy="Export it with --front-end and the features it was trained on, such as "
                "kaldi-fbank40@16000",
            )
        return FrontEnd(recipe, rate_hz=rate_hz, record=self._sound_record())

    @property
    def text(self) -> TextRecipe | None:
        """How text becomes the tokens of an input; None for a model that takes no text.

        >>> model.text.vocabulary[2]
        'the'
        """
        return self._tokenizer.recipe if self._record(lib.ernn_text_record) else None

    def tokenize(self, text: str | bytes) -> Tokens:
        """The tokens of a text, [words] of int32, by the vocabulary in the file.

        >>> tokens = model.tokenize("Good film!")
        >>> model(tokens[None])  # as model(["Good film!"])

        bytes are UTF-8.  Where the model fixes the number of tokens, the text is cut or filled up
        with 0.
        Raises DataError for text that is not UTF-8, for a word without a token where the model has
        none for unknown words, and for a model without a front end for text.
        """
        return self._tokenizer(text)

    @property
    def sensors(self) -> SensorRecipe | None:
        """How samples of sensors become the rows of an input; None for a model without them.

        >>> model.sensors.channels
        ('x', 'y', 'z')

        Raises ModelFileError where the recipe is not that of the record that the C library reads.
        """
        record = self._record(lib.ernn_sensor_record)
        if not record:
            return None
        recipe = rows_of_text(self.metadata.get("front_end", ""), where=self.name)
        if not isinstance(recipe, SensorRecipe) or sensor_record(recipe) != record:
            raise ModelFileError(
                f"{self.name}: its recipe and the record of its front end differ",
                remedy="Export the model again with this edgernn",
            )
        return recipe

    def session(self, *, max_steps: int = _DEFAULT_MAX_STEPS) -> Session:
        """A session at the beginning of a sequence.

        `max_steps` is the longest sequence that the session has memory for, in steps.  It matters
        only for models that need a whole sequence (`is_streaming` is false).

        >>> session = model.session()
        >>> session.step(frame)
        """
        return Session(self, isa=self._isa, max_steps=max_steps)

    def __call__(self, *arrays: AnyArray | Sequence[str | bytes] | str | bytes) -> Any:
        """Runs whole sequences from zero states.

        `arrays` are [B, T, width] of float32, [B, T] for tokens and masks, or [B, width] for an
        input that is no sequence, one for each of `free_inputs`; images are [B, H, W, C].  An
        input with a front end for text also takes [B] texts, or one.  Returns
        an array, or a dict by name where the model has several outputs: [B, T, width] for a
        sequence, else [B, width].  The rows of a batch are independent sequences.  The C library
        gets all of them at once and computes up to 32 side by side, which reads the weights once
        for all.

        >>> scores = model(features)  # [8, 100, 40] -> [8, 10]

        Raises TypeError and ValueError for another element type or shape, and DataError for a
        sequence without steps or a token outside the vocabulary.
        """
        free = self.free_inputs
        results = self._run_again(arrays) if len(arrays) == len(free) else None
        if results is None:
            if len(arrays) != len(free):
                raise TypeError(f"the model takes {len(free)} inputs, not {len(arrays)}")
            pairs = zip(free, arrays, strict=True)
            results = self._run_batch(
                {port.name: checked_batch(port, self._tokens(port, x)) for port, x in pairs}
            )
        positions = self.free_output_positions
        if len(positions) == 1:
            return results[positions[0]]
        return {name: results[at] for name, at in zip(self.output_names, positions, strict=True)}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, AnyArray]:
        """As a call, by name.  `inputs` may include states; the results do include them.

        >>> model.run({"features": features})["scores"]

        Raises what a call raises, and ValueError for a name that is not an input.
        """
        unknown = [name for name in inputs if name not in {port.name for port in self.inputs}]
        missing = [port.name for port in self.free_inputs if port.name not in inputs]
        if unknown or missing:
            wanted = ", ".join(f"'{port.name}'" for port in self.inputs)
            raise ValueError(f"the model's inputs are {wanted}; given are {list(inputs)}")
        results = self._run_batch(
            {
                port.name: checked_batch(port, self._tokens(port, inputs[port.name]))
                for port in self.inputs
                if port.name in inputs
            }
        )
        return {port.name: made for port, made in zip(self.outputs, results, strict=True)}

    def _sound_record(self) -> bytes:
        return self._record(lib.ernn_sound_record)

    def _record(self, find: Any) -> bytes:
        size = ffi.new("size_t *")
        record = find(self.handle, size)
        return b"" if record == ffi.NULL else bytes(ffi.buffer(record, size[0]))

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        record = self._record(lib.ernn_text_record)
        if not record:
            raise DataError(
                f"{self.name} has no front end for text: it takes {self._wanted()}",
                remedy="Export a Keras model with TextVectorization or StringLookup behind its "
                "input, or give what the model takes",
            )
        try:
            return Tokenizer(text_of_record(record), record=record)
        except DataError as error:
            raise ModelFileError(
                f"{self.name}: {error.what}", remedy="Export the model again"
            ) from error

    @cached_property
    def _text_input(self) -> str | None:
        """The name of the input that takes text."""
        has_text = bool(self._record(lib.ernn_text_record))
        return self.inputs[lib.ernn_text_input(self.handle)].name if has_text else None

    def _wanted(self) -> str:
        return ", ".join(f"{port.name} ({port.dtype.value})" for port in self.free_inputs)

    def _tokens(self, port: NativePort, given: Any) -> Any:
        """What the model takes for `given`, [B, ...]: of texts their tokens, else as it is."""
        if isinstance(given, np.ndarray) and given.dtype.kind not in "USO":
            return given  # at once: a call of few steps takes a few microseconds
        if not is_text(given) and not (port.name == self._text_input and is_gap(given)):
            return given
        texts = given if isinstance(given, np.ndarray | list | tuple) else [given]
        return self.tokenizer_of(port).batch(texts)

    def tokenizer_of(self, port: NativePort) -> Tokenizer:
        """What makes tokens of text for this input.  Raises DataError where it takes no text."""
        tokenizer = self._tokenizer
        if port.name != self._text_input:
            raise DataError(f"{self.name}: the input '{port.name}' takes no text")
        return tokenizer

    def _run_again(self, arrays: Sequence[Any]) -> list[AnyArray] | None:
        """All outputs; None unless an idle session just ran arrays of these types and shapes."""
        try:
            session = self._idle.pop()
        except IndexError:  # none is idle
            return None
        try:
            return session.run_again(arrays)
        finally:
            self._idle.append(session)

    def _run_batch(self, arrays: Mapping[str, AnyArray]) -> list[AnyArray]:
        """All outputs, for arrays of the right types and shapes; refuses different batches."""
        batch = len(next(iter(arrays.values())))
        for array in arrays.values():
            if len(array) != batch or batch == 0:
                batches = {name: len(each) for name, each in arrays.items()}
                raise ValueError(f"the inputs need one number of samples, at least 1: {batches}")
        session = self._borrowed(arrays, batch)
        try:
            return session.run_batch(arrays)
        finally:
            self._idle.append(session)

    def _borrowed(self, arrays: Mapping[str, AnyArray], batch: int) -> Session:
        """A session with room for `arrays`; list.pop and append are atomic, so threads may call."""
        threads = min(self._threads, batch)
        lanes = together(batch, threads)
        steps = 1 if self.is_streaming else max(sequence_lengths(self.inputs, arrays), default=1)
        try:
            while True:
                session = self._idle.pop()
                has_room = self.is_streaming or session.max_steps >= steps
                if has_room and session.max_batch >= lanes and session.threads >= threads:
                    return session
        except IndexError:  # none is idle, or another thread was faster
            room = max(_DEFAULT_MAX_STEPS, 1 << (steps - 1).bit_length())
        return Session(self, isa=self._isa, max_steps=room, max_batch=lanes, threads=threads)

    def _ports(self, describe: Any, count: Any) -> tuple[NativePort, ...]:
        port = ffi.new("ernn_port *")
        ports = []
        for index in range(count(self.handle)):
            check_model(describe(self.handle, index, port), "the model")
            ports.append(read_port(port, self._shapes))
        return tuple(ports)


def _checked_isa(name: str) -> str:
    if name != "auto" and name not in available_isas():
        known = "known" if name in ISA_BY_NAME else "an instruction set of edgernn, but unknown"
        raise ValueError(f"'{name}' is not {known} here; there are {', '.join(available_isas())}")
    return name


def _checked_threads(threads: int) -> int:
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise TypeError(f"threads must be a whole number, not {type(threads).__name__}")
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads must be 1 to {MOST_THREADS}, not {threads}")
    return threads


def _mapped(path: Path) -> mmap.mmap:
    try:
        with opened(path) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file
        reason = error.strerror if isinstance(error, OSError) else "the file is empty"
        raise ModelFileError(f"cannot read {path}: {reason}", remedy="Check the path") from error


def _aligned(content: bytes) -> AnyArray:
    room = np.empty(len(content) + _ALIGNMENT, np.uint8)
    offset = -room.ctypes.data % _ALIGNMENT
    room[offset : offset + len(content)] = np.frombuffer(content, np.uint8)
    return room[offset : offset + len(content)]
