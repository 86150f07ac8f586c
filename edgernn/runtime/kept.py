"""The arrays of `Session.step(..., out=...)`: checked once, used as long as they come again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgernn.errors import DataError
from edgernn.runtime.library import ffi
from edgernn.runtime.ports import NativePort, checked_row

if TYPE_CHECKING:
    from edgernn.graph import AnyArray

_from_buffer, _empty = ffi.from_buffer, np.empty

_NOTHING: Any = object()  # not None, which a caller may pass


class KeptArrays:
    """Pointers to the inputs and outputs of the last step, and the arrays that they point into.

    The references matter: without them an array could be freed and another one created at the
    same address, with the same `id`.  They also make `ndarray.resize` refuse to move the memory.
    """

    __slots__ = (
        "_created",
        "_in_places",
        "_inputs",
        "_is_checked",
        "_out_places",
        "_outputs",
        "_results",
        "_rows",
        "in_pointers",
        "out_pointers",
    )

    def __init__(
        self,
        *,
        inputs: Sequence[tuple[int, NativePort]],
        outputs: Sequence[tuple[int, NativePort]],
        input_count: int,
        output_count: int,
    ) -> None:
        """`inputs` and `outputs`: position in the file and port, without states."""
        self._in_places = [place for place, _ in inputs]
        self._out_places = [place for place, _ in outputs]
        self._inputs = [port for _, port in inputs]
        self._outputs = [port for _, port in outputs]
        self._created = [(place, port.row_shape, port.numpy) for place, port in outputs]
        self._rows: list[AnyArray] = [_NOTHING] * len(inputs)
        self._results: list[AnyArray] = [_NOTHING] * len(outputs)
        self._is_checked = False  # for overlaps; a refused call leaves it so
        # Null where the session carries a state itself.
        self.in_pointers = ffi.new("void *[]", input_count)
        self.out_pointers = ffi.new("void *[]", output_count)

    def point_to(self, rows: Sequence[AnyArray], out: Any) -> None:
        """Sets both pointer arrays.  Raises as `Session.step` does."""
        kept = self._rows
        if not (len(rows) == 1 == len(kept) and rows[0] is kept[0]):  # a call less in most steps
            self._point_to_rows(rows)
        results = self._results
        if len(results) == 1:
            if out is not results[0]:
                self._keep_result(0, out)
            elif not out.flags.writeable:
                raise _read_only(self._outputs[0])
        else:
            self._keep_named(out)
        if not self._is_checked:
            self._refuse_overlaps()

    def point_to_new(self, rows: Sequence[AnyArray]) -> Any:
        """As `point_to` with new arrays, which it returns: one, or a dict where there are more.

        New memory is writeable and overlaps nothing, so there is nothing to check.
        """
        self._point_to_rows(rows)
        results, pointers = self._results, self.out_pointers
        index = 0
        for place, shape, dtype in self._created:
            result = results[index] = _empty(shape, dtype)
            pointers[place] = _from_buffer(result)
            index += 1  # noqa: SIM113 - enumerate allocates
        self._is_checked = True
        if len(results) == 1:
            return results[0]
        return {port.name: one for port, one in zip(self._outputs, results, strict=True)}

    def _point_to_rows(self, rows: Sequence[AnyArray]) -> None:
        kept = self._rows
        if len(rows) != len(kept):
            raise TypeError(f"the model takes {len(kept)} inputs a step, not {len(rows)}")
        index = 0
        for row in rows:
            if row is not kept[index]:
                self._keep_row(index, row)
            index += 1  # noqa: SIM113 - enumerate allocates

    def _keep_row(self, index: int, given: AnyArray) -> None:
        self._is_checked = False
        array = checked_row(self._inputs[index], given)  # a converted copy never comes again
        self.in_pointers[self._in_places[index]] = _from_buffer(array)
        self._rows[index] = array

    def _keep_named(self, out: Any) -> None:
        ports = self._outputs
        if not isinstance(out, Mapping) or len(out) != len(ports):
            raise _wrong_names(ports, out)
        for index, port in enumerate(ports):
            if port.name not in out:
                raise _wrong_names(ports, out)
            array = out[port.name]
            if array is not self._results[index]:
                self._keep_result(index, array)
            elif not array.flags.writeable:
                raise _read_only(port)

    def _keep_result(self, index: int, out: Any) -> None:
        port = self._outputs[index]
        if not isinstance(out, np.ndarray):
            raise DataError(f"out for '{port.name}' must be a numpy array, not {_kind(out)}")
        if out.shape != port.row_shape or out.dtype != port.numpy:
            raise DataError(
                f"out for '{port.name}' must have the shape {port.row_shape} and the type "
                f"{port.numpy}; it has the shape {out.shape} and the type {out.dtype}"
            )
        flags = out.flags
        if not flags.writeable:
            raise _read_only(port)
        if not (flags.c_contiguous and flags.aligned):
            raise DataError(
                f"out for '{port.name}' must be contiguous and aligned",
                remedy=f"Create it with np.empty({port.row_shape}, np.{port.numpy})",
            )
        self._is_checked = False
        self.out_pointers[self._out_places[index]] = _from_buffer(out)
        self._results[index] = out

    def _refuse_overlaps(self) -> None:
        """The library may write an output before it has read all inputs."""
        results = self._results
        for index, result in enumerate(results):
            for row_index, row in enumerate(self._rows):
                if not _have_own_memory(result, row) and np.may_share_memory(result, row):
                    raise _overlap(self._outputs[index], self._inputs[row_index])
            for other in range(index):
                if np.may_share_memory(result, results[other]):
                    raise _overlap(self._outputs[index], self._outputs[other])
        self._is_checked = True


def _have_own_memory(one: AnyArray, other: AnyArray) -> bool:
    """Whether they lie in the memory of different arrays: numpy's own test takes a microsecond."""
    owner, of_other = one.base, other.base
    owner = one if owner is None else owner
    of_other = other if of_other is None else of_other
    return (
        owner is not of_other
        and type(owner) is np.ndarray
        and type(of_other) is np.ndarray
        and owner.flags.owndata
        and of_other.flags.owndata
    )


def _kind(out: Any) -> str:
    return "None" if out is None else type(out).__name__


def _overlap(port: NativePort, other: NativePort) -> DataError:
    return DataError(
        f"out for '{port.name}' shares memory with '{other.name}'",
        remedy="Give each input and output separate memory",
    )


def _read_only(port: NativePort) -> DataError:
    return DataError(f"out for '{port.name}' is read-only", remedy="Pass an array to write into")


def _wrong_names(ports: Sequence[NativePort], out: Any) -> DataError:
    wanted = ", ".join(f"'{port.name}'" for port in ports)
    given = list(out) if isinstance(out, Mapping) else _kind(out)
    return DataError(f"out must be a dict with an array for each of {wanted}; given is {given}")
