"""What artefacts execute on emulated Pis of two generations: exact, and never a time."""

from __future__ import annotations

import json

import pytest

from edgernn.profile.report import Report
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import read_report
from tests.pi.boards import BOARDS
from tests.pi.emulated import EmulatedPi

FILES = ("digits_gru.onnx", "digits_gru.int8.tflite", "digits_gru.ernn", "digits_gru.int8.ernn")


@pytest.fixture
def counts(edgernn, exported, monkeypatch, tmp_path):
    """Profiles artefacts on an emulated Pi and tells what a call of each executes."""

    def counts(pi: EmulatedPi, *files: str) -> dict[str, int]:
        monkeypatch.setenv("EDGERNN_SSH", pi.ssh_command)
        path = tmp_path / "r.json"
        ran = edgernn(
            *("profile", *(exported / file for file in files)),
            *("--device", "pi@emulated", "-o", path),
        )
        assert ran.code == 0, ran.err
        report: Report = read_report(path)
        told = {row["file"]: row["instructions"] for row in json.loads(path.read_text())["summary"]}
        assert told == {row.file: row.instructions for row in rows_of(report)}
        assert all(row.p50_ms is None for row in rows_of(report))
        return told

    return counts


@pytest.fixture(scope="module")
def pi5(emulated_pi, tmp_path_factory):  # noqa: ARG001 - its skip is ours too
    pi = EmulatedPi(folder=tmp_path_factory.mktemp("pi5"), board=BOARDS["5"])
    pi.up()
    yield pi
    pi.down()


def test_counts_repeat_within_a_thousandth_in_every_runtime(pi, counts):
    first = counts(pi, *FILES)
    assert set(first) == set(FILES)
    assert min(first.values()) > 10_000
    again = counts(pi, "digits_gru.int8.tflite", "digits_gru.int8.ernn")
    for file, count in again.items():
        assert abs(first[file] - count) <= count / 1000


def test_dot_products_of_a_newer_processor_need_fewer_instructions(pi, pi5, counts):
    older = counts(pi, "digits_gru.int8.ernn", "digits_gru.ernn")
    newer = counts(pi5, "digits_gru.int8.ernn", "digits_gru.ernn")
    assert newer["digits_gru.int8.ernn"] < older["digits_gru.int8.ernn"]
    assert newer["digits_gru.ernn"] == older["digits_gru.ernn"]  # the same kernels


@pytest.mark.usefixtures("pi")
def test_a_counter_that_is_not_there_is_a_clear_failure(exported):
    import numpy as np

    from edgernn.devices import open_device
    from edgernn.devices.runners import count_instructions
    from edgernn.devices.runners.outcome import Failed
    from edgernn.devices.runners.runner import CountInstructions, Model
    from edgernn.runtime import Model as NativeModel

    path = exported / "digits_gru.ernn"
    port = NativeModel(path).inputs[0]
    case = {port.name: np.zeros((1, 5, *port.row_shape), np.float32)}
    with open_device("pi@emulated") as device:
        task = CountInstructions(case=case, counter="/nowhere/count")
        answer = count_instructions(device, Model(path=path, backend="native"), task)
    assert isinstance(answer, Failed)
    assert "/nowhere/count" in answer.reason
