"""ReLU(inplace=True) and x += y are read where nothing else sees the change."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import UnsupportedLayer
from edgernn.export.torch_file.file import read_pt2
from edgernn.export.torch_file.in_place import without_changes
from edgernn.export.torch_file.program import Call, Program, Ref
from tests.export.onnx_file.golden import answers, stored
from tests.export.torch_file.archives import PROGRAM, changed, nodes


def test_a_program_with_relu_in_place_answers_as_the_one_without(tmp_path):
    def in_place(document):
        found = [node for node in nodes(document) if ".relu." in node["target"]]
        assert found
        for node in found:
            node["target"] = node["target"].replace(".relu.", ".relu_.")

    inputs, expected = stored("crnn.free.pt2")
    path = changed(tmp_path, PROGRAM, in_place, of="crnn")
    for here, there in zip(answers(read_pt2(path), inputs), expected, strict=True):
        assert np.abs(here - there).max() <= 1e-5


def call(text):
    """ "y = relu_ x z" """
    output, _, rest = text.partition(" = ")
    kind, *names = rest.split()
    keys = ["self", "other"]
    return Call(
        target=f"aten.{kind}.default", outputs=(output,),
        arguments={key: Ref(name) for key, name in zip(keys, names, strict=False)},
    )  # fmt: skip


def spelled(lines, *outputs):
    program = Program(
        calls=tuple(map(call, lines)), inputs=("x",), outputs=outputs, stored={"weight": "w"},
        sizes={}, dtypes={},
    )  # fmt: skip
    made = without_changes(program)
    text = [
        f"{c.outputs[0]} = {c.kind} {' '.join(value.name for value in c.arguments.values())}"
        for c in made.calls
    ]
    return text, made.outputs


def test_later_readers_of_a_changed_value_read_the_new_one():
    lines = ["a = linear x", "b = relu_ a", "c = add a x", "d = add_ b x", "e = mul a b"]
    text, outputs = spelled(lines, "a", "e")
    assert text == ["a = linear x", "b = relu a", "c = add b x", "d = add b x", "e = mul d d"]
    assert outputs == ("d", "e")


def test_a_view_that_nobody_reads_after_the_change_does_no_harm():
    text, _ = spelled(["a = linear x", "v = transpose a", "m = neg v", "b = relu_ a"], "b", "m")
    assert text[-1] == "b = relu a"


@pytest.mark.parametrize(
    ("lines", "outputs"),
    [
        (["a = linear x", "v = select a", "b = relu_ v"], ["a"]),
        (["a = linear x", "v = transpose a", "b = relu_ a", "c = neg v"], ["c"]),
        (["a = linear x", "v = dropout a", "w = view v", "b = add_ v x", "c = relu w"], ["b", "c"]),
        (["a = add_ weight x"], ["a"]),
        (["v = view weight", "a = add_ v x"], ["a"]),
    ],
)
def test_a_change_that_another_name_sees_is_refused(lines, outputs):
    with pytest.raises(UnsupportedLayer, match="that others see") as refusal:
        spelled(lines, *outputs)
    assert "inplace=True" in refusal.value.remedy
