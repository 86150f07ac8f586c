"""ONNX files made operator by operator: what exporters rarely write, and what nobody should."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

UNITS, FEATURES = 3, 4


def model(
    nodes: list[onnx.NodeProto],
    *,
    constants: Mapping[str, Any] | None = None,
    inputs: dict[str, list[Any]] | None = None,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
    producer: str = "by hand",
    element: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of these operators; inputs by name with their shapes."""
    shapes = inputs or {"x": ["batch", "time", FEATURES]}
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info(name, element, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    made = helper.make_model(
        graph, producer_name=producer, opset_imports=[helper.make_opsetid("", opset)]
    )
    made.ir_version = 8
    return made


def recurrent(kind: str, *, extra: tuple[str, ...] = (), **attributes: Any) -> onnx.ModelProto:
    """x [B, T, F] -> y [T, D, B, H] -> the same with the batch first, by one recurrent operator."""
    producer = attributes.pop("producer", "by hand")
    constants, gates = {}, {"GRU": 3, "LSTM": 4, "RNN": 1}[kind]
    count = 2 if attributes.get("direction") == "bidirectional" else 1
    rng = np.random.default_rng(5)
    for name, shape in {
        "w": (count, gates * UNITS, FEATURES),
        "r": (count, gates * UNITS, UNITS),
        "b": (count, 2 * gates * UNITS),
        "p": (count, 3 * UNITS),
    }.items():
        constants[name] = rng.normal(size=shape).astype(np.float32)
    constants["lengths"] = np.array([3, 3], np.int32)
    nodes = [
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
        helper.make_node(
            kind, ["xt", "w", "r", "b", *extra], ["yt"], name=f"/rnn/{kind}",
            hidden_size=UNITS, **attributes,
        ),
        helper.make_node("Transpose", ["yt"], ["y"], perm=[2, 0, 1, 3]),
    ]  # fmt: skip
    return model(nodes, constants=constants, producer=producer)


def saved(made: onnx.ModelProto, folder: Path, name: str = "made.onnx") -> Path:
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path
