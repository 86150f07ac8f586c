"""A running model: its states, and the memory it works in."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from edgernn.errors import DataError
from edgernn.runtime.batch import MOST_KEPT_SEQUENCES, MOST_TABLES, BatchTable, arena_bytes
from edgernn.runtime.kept import KeptArrays
from edgernn.runtime.library import (
    ISA_BY_NAME,
    NO_RESULT,
    check_run,
    ffi,
    lib,
    status_text,
    text,
)
from edgernn.runtime.ports import NativePort, checked_rows

if TYPE_CHECKING:
    from edgernn.graph import AnyArray
    from edgernn.runtime.model import Model

_ALIGNMENT = 64
_BUSY = "the session is in use by another thread; give each thread a session of its own"
_BY_STEPS = (
    "Export it with --streaming, which takes strides too and names a layer that looks ahead, or "
    "give `run` the whole sequence"
)

# A step may take a few microseconds: names looked up once.
_from_buffer, _step, _run = ffi.from_buffer, lib.ernn_step, lib.ernn_run


class Session:
    """Runs one sequence step by step and keeps the states between calls.

    A session serves one thread at a time: a call raises DataError while another thread is in one.

    >>> session = model.session()
    >>> scores = [session.step(frame) for frame in frames]

    `step` and `run` continue from the last call; `reset` begins a new sequence.  The session also
    keeps the states of a file exported for streaming.
    """

    __slots__ = (
        "_arena",
        "_inputs",
        "_kept",
        "_lock",
        "_model",
        "_outputs",
        "_session",
        "_tables",
        "max_batch",
        "max_steps",
        "threads",
    )

    def __init__(
        self, model: Model, *, isa: str, max_steps: int, max_batch: int = 1, threads: int = 1
    ) -> None:
        self._session: Any = ffi.NULL  # what there is to close where the library refuses one
        self._model = model  # keeps the file's bytes
        self._lock = threading.Lock()
        self.max_steps = max_steps
        #: Sequences of a batch that it was made for; they run side by side where memory allows.
        self.max_batch = max_batch
        self.threads = threads
        options = ffi.new(
            "ernn_options *",
            {
                "isa": ISA_BY_NAME[isa],
                "max_steps": max_steps,
                "max_batch": max_batch,
                "threads": threads,
            },
        )
        size = arena_bytes(model.handle, options)
        room = np.empty(size + _ALIGNMENT, np.uint8)
        offset = -room.ctypes.data % _ALIGNMENT
        self._arena = room[offset : offset + size]
        session = ffi.new("ernn_session **")
        arena = ffi.from_buffer(self._arena)
        check_run(lib.ernn_session_init(session, model.handle, arena, size, options))
        self._session = session[0]
        self._inputs = ffi.new("ernn_rows[]", len(model.inputs))
        self._outputs = ffi.new("ernn_rows[]", len(model.outputs))
        self._tables: list[BatchTable] = []  # the one that was used last is the first
        self._kept = KeptArrays(
            inputs=list(zip(model.free_input_positions, model.free_inputs, strict=True)),
            outputs=list(zip(model.free_output_positions, model.free_outputs, strict=True)),
            input_count=len(model.inputs),
            output_count=len(model.outputs),
        )

    def __del__(self, close: Any = lib.ernn_session_close) -> None:
        close(self._session)  # its threads wait in the arena

    def __repr__(self) -> str:
        """The model, the instruction set and the room, in one line."""
        room = f"up to {self.max_steps} steps a call"
        if self.max_batch > 1:
            room += f", {self.max_batch} sequences side by side"
        if self.threads > 1:
            room += f", {self.threads} threads"
        return f"<edgernn session of {self._model.name}: {self.isa}, {room}>"

    @property
    def isa(self) -> str:
        """The instruction set in use, such as "avx2".

        >>> session.isa in edgernn.runtime.available_isas()
        True
        """
        return text(lib.ernn_isa_name(lib.ernn_session_isa(self._session)))

    def reset(self) -> None:
        """Sets all states to zero: the next step is the first of a new sequence.

        >>> session.reset()

        Raises DataError while another thread uses the session.
        """
        with self._alone():
            check_run(lib.ernn_reset(self._session))

    def step(self, *rows: AnyArray, out: Any = None) -> Any:
        """One step of a sequence: one row of each input gives one row of each output.

        `rows` are [width] of float32, or numbers without an axis for tokens and masks, in the
        order of `model.free_inputs`.  The result is an array [width], or a dict by name where the
        model has several outputs.  The last output of a layer, or a pooling over time, is what it
        would be if the sequence ended here.

        None: this step has no result.  A file of one step has none until the first windows of its
        convolutions are full, and in the steps that a stride leaves out.

        Without `out` each call returns new arrays.  With `out` (an array of the result's shape
        and type, or a dict of them) the call writes there, returns `out` and allocates no arrays.
        Passing the same arrays again is fastest: the session keeps references to the last ones
        and does not check their shapes again.  An input of another type or stride is copied first.

        >>> frame, scores = np.empty(40, np.float32), np.empty(10, np.float32)
        >>> while microphone.read_into(frame):
        ...     session.step(frame, out=scores)

        Raises TypeError and ValueError for inputs of another type or shape.  Raises DataError for
        an `out` of another type or shape (the message shows both), one that is read-only, not
        contiguous, or shares memory with an input or another output; when another thread uses the
        session; and when the model looks ahead and so cannot run step by step.
        """
        lock = self._lock
        if not lock.acquire(False):
            raise DataError(_BUSY)
        try:
            kept = self._kept
            if out is None:
                out = kept.point_to_new(rows)
            else:
                kept.point_to(rows, out)
            status = _step(self._session, kept.in_pointers, kept.out_pointers)
        finally:
            lock.release()
        if status:
            if status == NO_RESULT:
                return None
            if not self._model.is_streaming:
                raise DataError(f"{self._model.name}: {status_text(status)}", remedy=_BY_STEPS)
            check_run(status, self._session)
        return out

    def run(self, *sequences: AnyArray | str | bytes) -> Any:
        """Many steps of a sequence in one call.

        `sequences` are [T, width] of float32, or [T] for tokens and masks, one for each of
        `model.free_inputs`; an input that is no sequence is [width], one with a front end for text
        takes a text, too.  The result is an array, or a
        dict by name where the model has several outputs: [T, width] for a sequence, else [width].

        >>> scores = session.run(frames[:50])  # [50, 40] -> [10]
        >>> scores = session.run(frames[50:])  # continues

        None where none of the steps has a result, as in `step`.

        Raises TypeError and ValueError for inputs of another type or shape, and DataError for a
        sequence without steps, one longer than `max_steps` where the model needs it whole, a
        token outside the vocabulary, and while another thread uses the session.
        """
        free = self._model.free_inputs
        if len(sequences) != len(free):
            raise TypeError(f"the model takes {len(free)} inputs, not {len(sequences)}")
        arrays = {
            port.name: checked_rows(port, self._tokens(port, array))
            for port, array in zip(free, sequences, strict=True)
        }
        results, has_result = self._run(arrays)
        if not has_result:
            return None
        wanted = {name: results[name] for name in self._model.output_names}
        return next(iter(wanted.values())) if len(wanted) == 1 else wanted

    def _tokens(self, port: NativePort, given: Any) -> Any:
        is_text = isinstance(given, str | bytes)
        return self._model.tokenizer_of(port)(given) if is_text else given

    def _run(self, arrays: Mapping[str, AnyArray]) -> tuple[dict[str, AnyArray], bool]:
        """(all outputs, whether a step had a result)"""
        with self._alone():
            inputs, outputs = self._inputs, self._outputs
            for rows, port in zip(inputs, self._model.inputs, strict=True):
                array = arrays.get(port.name)
                rows.data = ffi.NULL if array is None else _from_buffer(array)
                rows.steps = _steps(port, array)
            check_run(lib.ernn_output_steps(self._session, inputs, outputs), self._session)
            results = {}
            for rows, port in zip(outputs, self._model.outputs, strict=True):
                array = results[port.name] = np.empty(port.shape(rows.steps), port.numpy)
                rows.data = _from_buffer(array)
            status = _run(self._session, inputs, outputs)
            if status != NO_RESULT:
                check_run(status, self._session)
            return results, status != NO_RESULT

    def run_batch(self, arrays: Mapping[str, AnyArray]) -> list[AnyArray]:
        """Independent sequences from zero states, by name; `arrays` [B, ...] are checked.

        Returns all outputs [B, ...], also states.  Leaves the session as `reset` does.  Only for a
        session that no other call has: nothing keeps a second thread out.
        """
        inputs, outputs = self._model.inputs, self._model.outputs
        shapes = [arrays[port.name].shape if port.name in arrays else None for port in inputs]
        table = next((table for table in self._tables if table.shapes == shapes), None)
        if table is None:
            table = BatchTable(self._session, inputs, outputs, shapes)
        return self._run_table(table, [arrays[port.name] for port in inputs if port.name in arrays])

    def run_again(self, arrays: Sequence[Any]) -> list[AnyArray] | None:
        """As `run_batch` for arrays of types and shapes of its last few calls; None for others."""
        for table in self._tables:
            if table.fits(arrays):
                return self._run_table(table, arrays)
        return None

    def _run_table(self, table: BatchTable, arrays: Sequence[AnyArray]) -> list[AnyArray]:
        tables = self._tables
        if not tables or tables[0] is not table:
            small = (one for one in tables if one.batch <= MOST_KEPT_SEQUENCES)
            self._tables = [table, *(one for one in small if one is not table)][:MOST_TABLES]
        results, status = table.run(arrays)
        if status:
            check_run(status, self._session)
        return results

    def save(self) -> bytes:
        """The states as bytes, for `restore` in this or another session of the same model.

        >>> saved = session.save()

        Raises DataError while another thread uses the session.
        """
        saved = bytearray(lib.ernn_state_size(self._session))
        with self._alone():
            check_run(lib.ernn_state_save(self._session, ffi.from_buffer(saved), len(saved)))
        return bytes(saved)

    def restore(self, saved: bytes) -> None:
        """Continues from where `save` was called.

        >>> model.session().restore(saved)

        Raises DataError for states of another model, and while another thread uses the session.
        """
        with self._alone():
            check_run(lib.ernn_state_restore(self._session, ffi.from_buffer(saved), len(saved)))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Arguments lie in memory of the session, so a second thread has to be kept out here."""
        if not self._lock.acquire(blocking=False):
            raise DataError(_BUSY)
        try:
            yield
        finally:
            self._lock.release()


def _steps(port: NativePort, array: AnyArray | None) -> int:
    """Rows of the file: one for each step, or for each pixel."""
    if array is None:
        return (port.steps or 1) * (port.rows if port.is_sequence else 1)
    return len(array) * port.rows if port.is_sequence else 1


def sequence_lengths(ports: Sequence[NativePort], arrays: Mapping[str, AnyArray]) -> list[int]:
    """Rows of the inputs that are sequences ([B, T, ...] each)."""
    return [
        arrays[port.name].shape[1] * port.rows
        for port in ports
        if port.is_sequence and port.name in arrays
    ]
