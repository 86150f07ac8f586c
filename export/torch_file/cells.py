"""A Python loop over GRUCell, LSTMCell or RNNCell, unrolled by the exporter, is one layer again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgernn.export.torch_file.in_place import reads
from edgernn.export.torch_file.program import Call, Program, Ref, Size
from edgernn.export.torch_file.recurrent import one_layer
from edgernn.export.torch_file.spelling import Spelling

#: The name of a loop among the calls; its arguments are values of this module.
LOOP: Final = "edgernn.loop"

CELLS: Final = {
    "gru_cell": ("GRU", None), "lstm_cell": ("LSTM", None),
    "rnn_tanh_cell": ("RNN", "Tanh"), "rnn_relu_cell": ("RNN", "Relu"),
}  # fmt: skip
_WEIGHTS: Final = ("w_ih", "w_hh", "b_ih", "b_hh")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Step:
    """Element `index` of `size` along the axis `axis` of the value `source`."""

    source: str
    axis: int
    index: int
    size: Size


def with_loops(program: Program) -> list[Call]:
    """The calls, each loop over a cell as one call, its results under their old names."""
    cells = [call for call in program.calls if call.kind in CELLS]
    if not cells:
        return list(program.calls)
    reading = _Reading(program)
    first: dict[int, list[Call]] = {}
    gone: set[int] = set()
    for chain in reading.chains(cells):
        calls = reading.loop(chain)
        first[id(chain[0])] = calls
        gone.update(map(id, chain))
    result: list[Call] = []
    for call in program.calls:
        if id(call) in first:
            result += first[id(call)]
        elif id(call) not in gone:
            result.append(reading.gathered(call))
    return result


class _Reading:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._writer = {name: call for call in program.calls for name in call.outputs}
        self._readers: defaultdict[str, list[Call]] = defaultdict(list)
        for call in program.calls:
            for name in reads(call):
                self._readers[name].append(call)
        self._steps: dict[str, _Step] = {}

    def chains(self, cells: Sequence[Call]) -> list[list[Call]]:
        """Cells with the same weights, each taking its state from the one before."""
        chains: list[list[Call]] = []
        at: dict[tuple[Any, ...], list[Call]] = {}
        for cell in cells:
            key = (_states(cell), *_weights(cell))
            chain = at.pop(key, None)
            if chain is None:
                chain = []
                chains.append(chain)
            chain.append(cell)
            at[(cell.outputs, *_weights(cell))] = chain
        alone = Counter(_weights(chain[0]) for chain in chains if len(chain) == 1)
        for chain in chains:
            if alone[_weights(chain[0])] > 1:
                raise chain[0].unsupported(
                    "is called in a loop that changes the state between two steps",
                    "Use torch.nn.GRU, LSTM or RNN over the whole sequence",
                )
        return chains

    def loop(self, chain: Sequence[Call]) -> list[Call]:
        """One call for the loop, and one for each state that somebody reads."""
        start = chain[0]
        steps = [self._step(cell.arguments["input"].name) for cell in chain]
        sequence, axis, backwards = start.arguments["input"].name, -1, False
        if len(chain) > 1:
            found = [step for step in steps if step is not None]
            order = [step.index for step in found]
            whole = list(range(len(chain)))
            backwards = order == whole[::-1]
            fits = (
                len(found) == len(chain)
                and order in (whole, whole[::-1])
                and len({(step.source, step.axis) for step in found}) == 1
                and found[0].size == len(chain)
            )
            if not fits:
                raise start.unsupported(
                    "is called in a loop whose inputs are not the steps of one sequence, in order",
                    "Use torch.nn.GRU, LSTM or RNN over the whole sequence",
                )
            sequence, axis = found[0].source, found[0].axis
        everything = f"{start.outputs[0]}~all"
        cells_kept = [name for cell in chain[:-1] for name in cell.outputs[1:]]
        inside = set(map(id, chain))
        if any(id(call) not in inside for name in cells_kept for call in self._readers[name]) or (
            set(cells_kept) & set(self._program.outputs)
        ):
            raise start.unsupported(
                "is called in a loop that gives the cell state of each step",
                "Give the hidden states, and the cell state of the last step only",
            )
        made = Call(
            target=LOOP, module=start.module,
            arguments={
                "cell": start, "sequence": sequence, "axis": axis, "backwards": backwards,
            },
            outputs=(everything, *chain[-1].outputs),
        )  # fmt: skip
        result = [made]
        for number, cell in enumerate(chain):
            index = len(chain) - 1 - number if backwards else number
            name = cell.outputs[0]
            self._steps[name] = _Step(source=everything, axis=0, index=index, size=len(chain))
            if cell is not chain[-1]:
                result.append(_selected(cell, everything, index, name))
        return result

    def gathered(self, call: Call) -> Call:
        """A stack of all steps of a loop, in order, is the loop's result."""
        if call.kind not in ("stack", "cat") or not call.get("tensors"):
            return call
        axis = int(call.get("dim", 0))
        names = [ref.name for ref in call.arguments["tensors"]]
        if call.kind == "cat":
            writers = [self._writer.get(name) for name in names]
            if not all(
                w is not None and w.kind == "unsqueeze" and w.get("dim") == axis for w in writers
            ):
                return call
            names = [w.arguments["self"].name for w in writers if w is not None]
        steps = [self._steps.get(name) for name in names]
        found = [step for step in steps if step is not None]
        if len(found) != len(names) or len({step.source for step in found}) != 1:
            return call
        if [step.index for step in found] != list(range(len(names))):
            return call
        if found[0].size != len(names):
            return call
        order = [1, 2]
        order.insert(axis % 3, 0)
        return Call(
            target="aten.permute.default", module=call.module, outputs=call.outputs,
            arguments={"self": Ref(found[0].source), "dims": order},
        )  # fmt: skip

    def _step(self, name: str) -> _Step | None:
        """What step of what sequence `name` is."""
        if name in self._steps:
            return self._steps[name]
        call = self._writer.get(name)
        if call is None:
            return None
        if call.kind in ("dropout", "clone", "alias", "contiguous", "detach"):
            source = call.get("input", call.get("self"))
            return self._step(source.name)
        if call.kind not in ("select", "unbind"):
            return None
        source, axis = self._whole(call.arguments["self"].name), int(call.get("dim", 0))
        sizes = self._program.sizes.get(source, ())
        if len(sizes) != 3:
            return None
        size = sizes[axis]
        index = int(call.get("index", 0)) if call.kind == "select" else call.outputs.index(name)
        if index < 0 and isinstance(size, int):
            index += size
        return _Step(source=source, axis=axis % 3, index=index, size=size)

    def _whole(self, name: str) -> str:
        """The value that `name` is a slice of, where the slice takes everything."""
        call = self._writer.get(name)
        if call is None or call.kind != "slice":
            return name
        all_of_it = (
            call.get("start") in (None, 0)
            and (call.get("end") is None or call.get("end", 0) >= 1 << 62)
            and call.get("step", 1) == 1
        )
        return self._whole(call.arguments["self"].name) if all_of_it else name


def _states(cell: Call) -> tuple[str, ...]:
    given = cell.get("hx")
    return tuple(one.name for one in (given if isinstance(given, list) else [given]))


def _weights(cell: Call) -> tuple[Any, ...]:
    return (cell.target, *(getattr(cell.get(name), "name", None) for name in _WEIGHTS))


def _selected(cell: Call, source: str, index: int, name: str) -> Call:
    return Call(
        target="aten.select.int", module=cell.module, outputs=(name,),
        arguments={"self": Ref(source), "dim": 0, "index": index},
    )  # fmt: skip


def loop(spelling: Spelling, call: Call) -> None:
    """The layer that a loop computes: [T, B, H], then the last states [B, H]."""
    cell: Call = call.arguments["cell"]
    kind, function = CELLS[cell.kind]
    sequence, axis = call.arguments["sequence"], call.arguments["axis"]
    x = Ref(sequence)
    zero = spelling.constant([0], np.int64)
    if axis < 0:  # one step alone: a sequence of one
        if spelling.rank(x) != 2:
            raise cell.unsupported("reads no batch of rows", "Give it [batch, features]")
        sequence = spelling.emit(call, "Unsqueeze", [sequence, zero])
    elif axis == 1:
        sequence = spelling.emit(call, "Transpose", [sequence], perm=[1, 0, 2])
    elif axis == 2:
        raise cell.unsupported("runs over the last axis", "Put the features last")
    rows = [
        None if cell.get(name) is None else spelling.array(cell, cell.get(name), "weights")
        for name in _WEIGHTS
    ]
    initial = [spelling.emit(call, "Unsqueeze", [name, zero]) for name in _states(cell)]
    backwards = bool(call.arguments["backwards"])
    everything, final = one_layer(
        spelling, call, kind, sequence, [rows], initial,
        direction="reverse" if backwards else "forward", function=function,
    )  # fmt: skip
    spelling.emit(call, "Identity", [everything], call.outputs[0])
    for name, state in zip(call.outputs[1:], final, strict=True):
        spelling.emit(call, "Squeeze", [state, zero], name)
