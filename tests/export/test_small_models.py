"""Fewer bits do not always make a smaller file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgernn.export.keras.file import read_model
from edgernn.front.loaded import Loaded, load
from edgernn.graph import Dense, Graph, Input, Output, TensorSpec
from tests.golden import GOLDEN


def dense(units: int) -> Loaded:
    random = np.random.default_rng(0)
    layer = Dense(
        name="d", input="x", output="y", bias=None,
        kernel=random.normal(size=(units, 4)).astype(np.float32),
    )  # fmt: skip
    graph = Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, units))),),
        layers=(layer,),
        outputs=(Output(name="y", edge="y"),),
    )
    return Loaded(model=replace(read_model(GOLDEN / "small_gru.keras"), graph=graph))


def test_a_file_that_is_larger_than_float32_is_said_to_be_so(tmp_path):
    small = dense(3).export(tmp_path / "small", scheme="dynamic", to="onnx,native")
    float32 = dense(3).export(tmp_path / "float32", to="onnx,native")
    larger = [one.path.name for one in small.values() if one.bytes >= float32[one.format].bytes]
    assert larger
    said = [sentence for sentence in small.warnings if "the same file in float32" in sentence]
    assert [sentence.split()[0] for sentence in said] == larger
    for sentence in said:
        format_ = "onnx" if ".onnx" in sentence else "native"
        assert f" {float32[format_].bytes:,}: " in sentence
    large = dense(4000).export(tmp_path / "large", scheme="dynamic", to="onnx,native")
    assert not [sentence for sentence in large.warnings if "in float32" in sentence]


def test_an_option_of_integer_operators_does_not_hinder_the_comparison_with_float32(tmp_path):
    model = load(GOLDEN / "trained" / "digits_gru.keras")
    shape = [16, *(size or 1 for size in model.inputs["features"][1:])]
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    made = model.export(
        *(tmp_path,), to="onnx", scheme="int8", calibrate=rows, onnx_gru="customop", verify=False
    )
    assert made["onnx"].path.name == "digits_gru.int8.onnx"
