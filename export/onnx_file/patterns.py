"""Functions that old exporters spell with several operators: GELU by Erf, LayerNorm by means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from edgernn.export.onnx_file.values import Array

_ROOT_TWO: Final = 2**0.5


def merged(nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array]) -> list[onnx.NodeProto]:
    """The operators, with each spelling of a known function in one operator."""
    reading = _Reading(nodes, constants)
    replaced: dict[int, onnx.NodeProto] = {}
    gone: set[int] = set()
    for start in nodes:
        if start.op_type == "Erf":
            match = reading.gelu(start)
        elif start.op_type == "ReduceMean":
            match = reading.layer_norm(start)
        else:
            continue
        if match is not None and not gone.intersection(map(id, match[1])):
            new, members = match
            replaced[id(members[-1])] = new
            gone.update(map(id, members))
    return [
        replaced.get(id(node), node)
        for node in nodes
        if id(node) in replaced or id(node) not in gone
    ]


class _Reading:
    def __init__(self, nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array]) -> None:
        self._constants = constants
        self._writer = {name: node for node in nodes for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in nodes:
            for name in dict.fromkeys(node.input):
                self._readers.setdefault(name, []).append(node)
        self._counts = Counter(name for node in nodes for name in node.input)

    def _number(self, name: str) -> float | None:
        array = self._constants.get(name)
        return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None

    def _only_reader(self, name: str, kind: str) -> onnx.NodeProto | None:
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and readers[0].op_type == kind else None

    def _other(self, node: onnx.NodeProto, known: str) -> str:
        name: str = node.input[1] if node.input[0] == known else node.input[0]
        return name

    def gelu(self, erf: onnx.NodeProto) -> tuple[onnx.NodeProto, list[onnx.NodeProto]] | None:
        """x * (Erf(x / sqrt 2) + 1) * 0.5, the factors in any order."""
        scaled = self._writer.get(erf.input[0])
        if scaled is None or scaled.op_type not in ("Div", "Mul"):
            return None
        factor = self._number(scaled.input[1])
        wanted = _ROOT_TWO if scaled.op_type == "Div" else 1 / _ROOT_TWO
        if factor is None or abs(factor - wanted) > 1e-5:
            return None
        x = scaled.input[0]
        plus = self._only_reader(erf.output[0], "Add")
        if plus is None or self._number(self._other(plus, erf.output[0])) != 1.0:
            return None
        members = [scaled, erf, plus]
        factors: list[str] = []
        last = plus
        for _ in range(2):
            product = self._only_reader(last.output[0], "Mul")
            if product is None:
                return None
            factors.append(self._other(product, last.output[0]))
            members.append(product)
            last = product
        halved = [name for name in factors if self._number(name) == 0.5]
        rest = [name for name in factors if self._number(name) is None]
        if len(halved) == 1 and rest == [x]:
            return _node("Gelu", [x], last), members
        return None

    def layer_norm(
        self, mean: onnx.NodeProto
    ) -> tuple[onnx.NodeProto, list[onnx.NodeProto]] | None:
        """(x - mean) / sqrt(mean((x - mean)^2) + epsilon) * gamma + beta over the last axis."""
        x = mean.input[0]
        centred = self._only_reader(mean.output[0], "Sub")
        if (
            centred is None
            or list(centred.input) != [x, mean.output[0]]
            or not _is_last(mean, self._constants)
        ):
            return None
        readers = {node.op_type: node for node in self._readers.get(centred.output[0], [])}
        if set(readers) != {"Pow", "Div"} or self._number(readers["Pow"].input[1]) != 2.0:
            return None
        chain = [readers["Pow"]]
        for kind in ("ReduceMean", "Add", "Sqrt", "Div"):
            following = self._only_reader(chain[-1].output[0], kind)
            if following is None:
                return None
            chain.append(following)
        _, second, plus, root, quotient = chain
        epsilon = self._number(self._other(plus, second.output[0]))
        if (
            epsilon is None
            or quotient is not readers["Div"]
            or quotient.input[1] != root.output[0]
            or not _is_last(second, self._constants)
        ):
            return None
        members = [mean, centred, *chain]
        inputs, last = [x], quotient
        for kind in ("Mul", "Add"):
            following = self._only_reader(last.output[0], kind)
            other = self._other(following, last.output[0]) if following is not None else ""
            if following is None or other not in self._constants:
                break
            if self._constants[other].ndim != 1:
                break
            inputs.append(other)
            members.append(following)
            last = following
        if len(inputs) == 1:
            return None
        return _node("LayerNormalization", inputs, last, epsilon=epsilon), members


def _is_last(node: onnx.NodeProto, constants: Mapping[str, Array]) -> bool:
    axes: Any = [list(entry.ints) for entry in node.attribute if entry.name == "axes"]
    if not axes and len(node.input) > 1 and node.input[1] in constants:
        given: npt.NDArray[np.int64] = constants[node.input[1]]
        axes = [given.reshape(-1).tolist()]
    keeps = [entry.i for entry in node.attribute if entry.name == "keepdims"]
    return bool(axes == [[-1]] and keeps != [0])


def _node(kind: str, inputs: Sequence[str], last: onnx.NodeProto, **options: Any) -> onnx.NodeProto:
    scope = last.name.rpartition("/")[0]
    name = f"{scope}/{kind}" if scope else last.name
    return onnx.helper.make_node(kind, list(inputs), [last.output[0]], name=name, **options)
