"""The axis of time that an exporter fixed is freed where nothing depends on its length."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import helper

import edgernn
from edgernn.artefact import VerificationStatus
from edgernn.cli import edgernn as program
from edgernn.errors import ModelFileError, WrongOption
from edgernn.export.onnx_file.file import read_onnx
from edgernn.export.torch_file.file import read_pt2
from edgernn.reference import References
from tests.export.onnx_file.golden import FOLDER, PROGRAMS, answers, stored
from tests.export.onnx_file.hand_made import model, saved
from tests.golden import GOLDEN

NAMES = sorted({name.partition(".")[0] for name in PROGRAMS} - {"one_step"})
LOOPS = {"cell_loop", "two_cells", "backwards"}


def sequences_of(made, steps):
    """Rows of another length than the file has, the other inputs as they are."""
    rng = np.random.default_rng(4)
    return {
        entry.name: rng.integers(0, 20, (3, steps)).astype(np.int32)
        if entry.name == "tokens"
        else rng.normal(
            size=[3, *(steps if size is None else size for size in entry.spec.shape[1:])]
        ).astype(np.float32)
        for entry in made.graph.inputs
    }


@pytest.mark.parametrize("name", sorted(set(NAMES) - LOOPS))
def test_a_freed_file_answers_at_any_length_as_the_file_with_free_axes(name):
    free = read_onnx(FOLDER / f"{name}.legacy.onnx")  # the oracle: PyTorch exported it free
    for file in (f"{name}.fixed.onnx", f"{name}.dynamo.onnx", f"{name}.free.pt2"):
        if file == "rnn_relu.dynamo.onnx":
            continue
        read = read_pt2 if file.endswith("pt2") else read_onnx
        made = read(FOLDER / file, free_time=True)
        inputs, expected = stored(file)
        for here, there in zip(answers(made, inputs), expected, strict=True):
            assert np.abs(here - there).max() <= 1e-5
        for steps in (9, 31):
            rows = sequences_of(free, steps)
            (wanted,) = References().of(free.graph, [rows])
            (given,) = References().of(made.graph, [rows])
            for one, other in zip(free.graph.outputs, made.graph.outputs, strict=True):
                assert given[other.name].shape == wanted[one.name].shape
                assert np.abs(given[other.name] - wanted[one.name]).max() <= 1e-5


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_a_loop_over_cells_runs_over_any_length(name):
    made = read_pt2(FOLDER / f"{name}.free.pt2", free_time=True)
    assert made.graph.inputs[0].spec.shape == (None, None, 5)
    inputs, expected = stored(f"{name}.free.pt2")
    for here, there in zip(answers(made, inputs), expected, strict=True):
        assert np.abs(here - there).max() <= 1e-5


def test_the_file_says_what_was_freed():
    made = read_onnx(FOLDER / "gru_last.dynamo.onnx", free_time=True)
    assert any("'x' (axis 1, 12 in the file)" in warning for warning in made.warnings)


def test_states_and_channels_stay_fixed():
    stateful = read_onnx(FOLDER / "stateful.fixed.onnx", free_time=True)
    assert [entry.spec.shape[1:] for entry in stateful.graph.inputs] == [(None, 5), *[(6,)] * 4]
    causal = read_onnx(FOLDER / "causal.fixed.onnx", free_time=True)
    assert causal.graph.inputs[0].spec.shape[1:] == (5, None)


def fixed(kind, constant):
    nodes = [helper.make_node(kind, ["x", "c"], ["z"], name="/mix"),
             helper.make_node("MatMul", ["z", "w"], ["y"])]  # fmt: skip
    features = {"Reshape": 24}.get(kind, 4)
    return model(
        nodes, inputs={"x": ["batch", 6, 4]},
        constants={"c": constant, "w": np.ones((features, 2), np.float32)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "constant"),
    [("Add", np.ones((6, 4), np.float32)), ("Reshape", np.array([-1, 24]))],
)
def test_a_model_that_depends_on_the_length_is_refused(kind, constant, tmp_path):
    path = saved(fixed(kind, constant), tmp_path)
    assert read_onnx(path).graph.inputs[0].spec.shape == (None, 6, 4)
    with pytest.raises(ModelFileError, match="can be free") as refusal:
        read_onnx(path, free_time=True)
    assert "Leave out --free-time" in refusal.value.remedy


def read_free(folder, nodes, constants):
    made = model(nodes, inputs={"x": ["batch", 6, 4]}, constants=constants)
    return read_onnx(saved(made, folder), free_time=True)


@pytest.mark.parametrize("place", [1, 3])
def test_a_model_that_takes_steps_one_by_one_is_refused(place, tmp_path):
    nodes = [helper.make_node("Gather", ["x", "at"], ["s"], axis=1, name="/step"),
             helper.make_node("MatMul", ["s", "w"], ["y"])]  # fmt: skip
    constants = {"at": np.array(place), "w": np.ones((4, 2), np.float32)}
    with pytest.raises(ModelFileError, match="at fixed places"):
        read_free(tmp_path, nodes, constants)


@pytest.mark.parametrize("place", [5, -1, 0, -2])
def test_the_first_step_and_those_counted_from_the_end_are_kept(place, tmp_path):
    nodes = [helper.make_node("Gather", ["x", "at"], ["s"], axis=1, name="/step"),
             helper.make_node("MatMul", ["s", "w"], ["y"])]  # fmt: skip
    constants = {"at": np.array(place), "w": np.eye(4, 2, dtype=np.float32)}
    made = read_free(tmp_path, nodes, constants)
    rows = sequences_of(made, 9)
    (given,) = References().of(made.graph, [rows])
    wanted = rows["x"][:, place if place != 5 else -1, :2]
    assert np.array_equal(next(iter(given.values())), wanted)


@pytest.mark.parametrize("window", [2, 6])
def test_a_length_that_a_pool_rounds_away_is_not_free(window, tmp_path):
    """6 and 7 steps give as many windows of 2: only longer sequences show what depends on them."""
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
             helper.make_node("MaxPool", ["t"], ["p"], kernel_shape=[window], strides=[window]),
             helper.make_node("Flatten", ["p"], ["f"]),
             helper.make_node("MatMul", ["f", "w"], ["y"], name="/head")]  # fmt: skip
    constants = {"w": np.ones((4 * 6 // window, 2), np.float32)}
    with pytest.raises(ModelFileError, match="can be free"):
        read_free(tmp_path, nodes, constants)


def test_a_normalization_over_all_steps_fixes_them(tmp_path):
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
             helper.make_node("LayerNormalization", ["t", "g"], ["n"], name="/norm"),
             helper.make_node("MatMul", ["x", "w"], ["q"]),
             helper.make_node("MatMul", ["n", "q"], ["y"])]  # fmt: skip
    constants = {"g": np.ones(6, np.float32), "w": np.ones((4, 2), np.float32)}
    with pytest.raises(ModelFileError, match="norm' takes 6 features"):
        read_free(tmp_path, nodes, constants)


def test_the_command_line_frees_and_checks(tmp_path):
    source = str(FOLDER / "cell_loop.free.pt2")
    ran = CliRunner().invoke(
        program, ["export", source, "--free-time", "--to", "onnx", "-o", str(tmp_path)]
    )
    assert ran.exit_code == 0, ran.output
    made = edgernn.load(FOLDER / "gru_all.fixed.onnx", free_time=True).export(tmp_path / "b")
    assert all(one.verification.status is VerificationStatus.PASSED for one in made.artefacts)


def test_a_keras_model_has_no_time_to_free():
    with pytest.raises(WrongOption, match="free-time"):
        edgernn.load(GOLDEN / "small_gru.keras", free_time=True)
