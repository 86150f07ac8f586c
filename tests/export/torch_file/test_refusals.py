"""What a .pt2 file may not hold is refused by name, with a remedy, and costs no memory."""

from __future__ import annotations

import random
import tracemalloc
import zipfile

import pytest

from edgernn.errors import EdgernnError, ModelFileError, UnsupportedLayer
from edgernn.export.torch_file.file import read_pt2
from tests.export.onnx_file.golden import FOLDER
from tests.export.torch_file.archives import PROGRAM, WEIGHTS, argument, changed, nodes
from tests.fuzzing import mutant


def test_pickled_weights_are_refused(tmp_path):
    def pickled(document):
        document["config"]["rnn.weight_hh_l0"]["use_pickle"] = True

    with pytest.raises(ModelFileError, match=r"'rnn\.weight_hh_l0' pickled") as refusal:
        read_pt2(changed(tmp_path, WEIGHTS, pickled))
    assert "plain tensors" in refusal.value.remedy


def test_example_inputs_are_never_opened(tmp_path):
    path = changed(tmp_path, WEIGHTS, lambda _document: None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("gru_last/data/sample_inputs/model.pt", b"cos\nsystem\n(S'exit 1'\ntR.")
    assert read_pt2(path).graph.parameters


def _call(document, target, **arguments):
    node = next(n for n in nodes(document) if ".gru." in n["target"])
    node["target"] = target
    for name, value in arguments.items():
        argument(document, target.split(".")[-2], name, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: argument(d, "gru", "train", {"as_bool": True}), r"model\.eval"),
        (lambda d: argument(d, "gru", "data", {"as_tensor": {"name": "x"}}), "packed"),
        (lambda d: argument(d, "gru", "num_layers", {"as_int": 2}), "proj_size"),
        (lambda d: argument(d, "softmax", "dim", {"as_int": 0}), "batch"),
        (lambda d: argument(d, "select", "index", {"as_int": 40}), "element 40"),
        (
            lambda d: _call(d, "torch.ops.aten.softplus.default", threshold={"as_float": 1.0}),
            "threshold",
        ),
        (
            lambda d: _call(
                d,
                "torch.ops.aten.avg_pool2d.default",
                kernel_size={"as_ints": [2, 2]},
                divisor_override={"as_int": 3},
            ),
            "divisor_override",
        ),
        (lambda d: _call(d, "torch.ops.aten.foo.default"), r"aten\.foo\.default"),
        (lambda d: _call(d, "torch.ops.higher_order.while_loop"), "instead of a loop"),
        (lambda d: _call(d, "torch.ops.mine.gru.input"), r"mine\.gru"),
    ],
)
def test_operators_and_options_are_refused_with_a_remedy(change, words, tmp_path):
    path = changed(tmp_path, PROGRAM, change)
    with pytest.raises((UnsupportedLayer, ModelFileError)) as refusal:
        read_pt2(path)
    assert refusal.match(words)
    assert refusal.value.remedy
    assert "exported program" in str(refusal.value) or "torch.export" in str(refusal.value)


def test_the_positions_of_a_maximum_are_refused(tmp_path):
    def positions(document):
        (node,) = [n for n in nodes(document) if n["target"].endswith("max.dim")]
        node["outputs"].reverse()

    with pytest.raises(UnsupportedLayer, match=r"aten\.max\.dim") as refusal:
        read_pt2(changed(tmp_path, PROGRAM, positions, of="bigru_max"))
    assert "first result" in refusal.value.remedy


def test_a_loop_whose_steps_are_not_those_of_one_sequence_is_refused(tmp_path):
    def swapped(document):
        selects = [n for n in nodes(document) if n["target"].endswith("select.int")]
        for node, step in zip(selects, (1, 0), strict=False):
            node["inputs"][2]["arg"] = {"as_int": step}

    path = changed(tmp_path, PROGRAM, swapped, of="cell_loop")
    with pytest.raises(UnsupportedLayer, match="steps of one sequence") as refusal:
        read_pt2(path)
    assert refusal.value.layer == "cell"
    assert "torch.nn.GRU" in refusal.value.remedy


def test_a_loop_that_gives_the_cell_state_of_each_step_is_refused(tmp_path):
    def given(document):
        cells = [n for n in nodes(document) if ".lstm_cell." in n["target"]]
        first = cells[0]["outputs"][1]
        graph = document["graph_module"]
        graph["graph"]["outputs"].append(first)
        graph["signature"]["output_specs"].append({"user_output": {"arg": first}})

    with pytest.raises(UnsupportedLayer, match="cell state of each step"):
        read_pt2(changed(tmp_path, PROGRAM, given, of="two_cells"))


def test_a_program_that_changes_its_buffers_is_refused(tmp_path):
    def mutates(document):
        specs = document["graph_module"]["signature"]["output_specs"]
        specs.insert(0, {"buffer_mutation": {"arg": {"name": "x"}, "buffer_name": "n"}})

    with pytest.raises(ModelFileError, match="changes its own buffers"):
        read_pt2(changed(tmp_path, PROGRAM, mutates))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sizes", [{"as_int": 1 << 20}, {"as_int": 1 << 20}]),
        ("sizes", [{"as_int": 1}] * 30),
        ("sizes", [{"as_int": -1}, {"as_int": 5}]),
        ("strides", [{"as_int": 1 << 40}, {"as_int": 1}]),
        ("strides", [{"as_int": 0}, {"as_int": 0}]),
        ("storage_offset", {"as_int": 1 << 40}),
        ("storage_offset", {"as_int": -4}),
        ("dtype", 9),
    ],
)
def test_weights_that_the_file_does_not_hold_are_refused_before_memory_is_taken(
    key, value, tmp_path
):
    def lies(document):
        document["config"]["rnn.weight_ih_l0"]["tensor_meta"][key] = value

    path = changed(tmp_path, WEIGHTS, lies)
    tracemalloc.start()
    try:
        if value == [{"as_int": 0}] * 2:  # one number, repeated: what expand() stores
            assert read_pt2(path).graph.parameters
        else:
            with pytest.raises(ModelFileError, match=r"rnn\.weight_ih_l0|strides|shape"):
                read_pt2(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_member_that_unpacks_to_more_is_refused(tmp_path):
    path = changed(tmp_path, WEIGHTS, lambda _d: None, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match="compressed"):
        read_pt2(path)


def test_a_program_cannot_ask_for_gigabytes(tmp_path):
    size = {"as_sym_ints": [{"as_int": 1 << 20}, {"as_int": 1 << 14}, {"as_int": 8}]}
    path = changed(tmp_path, PROGRAM, lambda d: argument(d, "zeros", "size", size))
    tracemalloc.start()
    try:
        with pytest.raises((ModelFileError, UnsupportedLayer)):
            read_pt2(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_file_of_an_old_pytorch_is_named_as_one(tmp_path):
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", b"{}")
    with pytest.raises(ModelFileError, match="old PyTorch") as refusal:
        read_pt2(path)
    assert "2.13" in refusal.value.remedy


def test_members_that_lie_over_each_other_are_refused_before_they_are_read(tmp_path):
    path = changed(tmp_path, WEIGHTS, lambda _document: None)
    with zipfile.ZipFile(path, "a") as archive:
        big = max(archive.infolist(), key=lambda info: info.file_size)
        for number in range(2000):
            copy = zipfile.ZipInfo(f"gru_last/data/weights/again_{number}")
            copy.header_offset, copy.CRC = big.header_offset, big.CRC
            copy.file_size = copy.compress_size = big.file_size
            archive.filelist.append(copy)
        archive._didModify = True
    with pytest.raises(ModelFileError, match="says that it holds"):
        read_pt2(path)


def test_arguments_that_are_no_tensors_are_part_of_the_program(tmp_path):
    def flag(document):
        specs = document["graph_module"]["signature"]["input_specs"]
        specs.append({"constant_input": {"name": "flag", "value": {"as_bool": True}}})

    path = changed(tmp_path, PROGRAM, flag)
    assert list(read_pt2(path).ports)[:1] == ["x"]


def test_bytes_that_are_no_archive(tmp_path):
    path = tmp_path / "a.pt2"
    path.write_bytes(b"PK\x03\x04" + bytes(64))
    with pytest.raises(ModelFileError, match=r"not a whole \.pt2"):
        read_pt2(path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_pt2(tmp_path / "missing.pt2")


def fuzzed(tmp_path, mutants, seed):
    """How many of the mutants of a program's JSON were read, and refused."""
    outcomes = []
    for number in range(mutants):
        chance = random.Random(f"{seed} {number}")
        path = tmp_path / "fuzzed.pt2"
        with (
            zipfile.ZipFile(FOLDER / "cell_loop.free.pt2") as old,
            zipfile.ZipFile(path, "w") as new,
        ):
            target = chance.choice([info.filename for info in old.infolist()])
            for info in old.infolist():
                data = old.read(info)
                if info.filename == target or info.filename.endswith(PROGRAM):
                    data = mutant(data, info.filename, chance)
                new.writestr(info.filename, data)
        try:
            read_pt2(path)
            outcomes.append("read")
        except EdgernnError as error:
            outcomes.append("several lines" if "\n" in error.what.strip() else "refused")
    assert "several lines" not in outcomes
    return outcomes


def test_damaged_programs_end_in_a_model_or_a_typed_error(tmp_path):
    outcomes = fuzzed(tmp_path, 150, 1)
    assert outcomes.count("refused") > 50


@pytest.mark.long
def test_five_thousand_damaged_programs_end_in_a_model_or_a_typed_error(tmp_path):
    assert fuzzed(tmp_path, 5000, 2).count("refused") > 1000
