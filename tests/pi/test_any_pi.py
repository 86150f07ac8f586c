"""What every Raspberry Pi must do: the emulated one, or with `--pi HOST` one of the user's own.

Nothing here tampers with the target, needs root, or knows which of the two it is.
"""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.device import Completed
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Outputs
from edgernn.devices.survey import survey
from edgernn.errors import DeviceError
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import read_report
from tests.export import sequences
from tests.golden import GOLDEN
from tests.pi.conftest import QUICK, TEST_ROWS

ODD = 'it\'s "odd" $HOME `x` \\ ; & *\tü'


@pytest.fixture
def address(request) -> str:
    """What `--pi` names, as the user's own settings of ssh and edgernn know it."""
    given: str | None = request.config.getoption("--pi")
    if given is None:
        request.getfixturevalue("pi")
        return "pi@emulated"
    return given


@pytest.fixture
def device(address):
    with open_device(address) as opened:
        yield opened


def test_a_command_gives_its_exit_code_and_both_streams(device):
    completed = device.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=60)
    assert completed == Completed(exit_code=3, stdout="out\n", stderr="err\n")


def test_an_exit_code_of_255_is_no_lost_connection(device):
    assert device.run(["sh", "-c", "exit 125"], timeout_s=60).exit_code == 125


def test_words_arrive_as_they_are_whatever_they_hold(device):
    words = [ODD, "", "  two  spaces ", "-n", "line\nbreak"]
    completed = device.run(
        ["python3", "-c", "import sys; print(sys.argv[1:])", *words], timeout_s=60
    )
    assert completed.stdout == f"{words}\n"


def test_files_with_odd_names_come_back_as_they_were(device, tmp_path):
    for size in (0, 10, 100_000):  # the last goes through the cache
        local, back = tmp_path / ODD, tmp_path / "back"
        local.write_bytes(os.urandom(size))
        device.push(local, ODD)
        device.pull(ODD, back)
        assert back.read_bytes() == local.read_bytes()


def test_a_file_that_was_pushed_before_is_not_transferred_again(
    device, address, tmp_path, monkeypatch
):
    local = tmp_path / "model"
    local.write_bytes(os.urandom(50_000))
    device.push(local, "model")
    device.__exit__(None, None, None)
    with open_device(address) as later:
        monkeypatch.setattr(RemoteDevice, "_store", None)  # would transfer
        later.push(local, "again")
        later.pull("again", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == local.read_bytes()


def test_a_crash_is_a_value_that_names_the_signal(device):
    completed = device.run(["sh", "-c", "kill -KILL $$"], timeout_s=60)
    assert completed.signal == "SIGKILL"
    assert completed.exit_code is None


def test_a_second_profile_on_one_device_is_refused_while_the_first_runs(device, address):
    with pytest.raises(DeviceError, match=f"{re.escape(address)} is already in use by"):
        open_device(address).__enter__()
    assert device.run(["echo", "unharmed"], timeout_s=60).stdout == "unharmed\n"


def test_four_artefacts_and_this_machine_make_one_table(edgernn, address, exported, tmp_path):
    files = [f"digits_gru.{end}" for end in ("onnx", "ernn", "int8.tflite", "int8.ernn")]
    ran = edgernn(
        *("profile", *(exported / file for file in files), "--data", exported / "test.npz"),
        *("--device", f"cpu,{address}", "-o", tmp_path / "r.json", *QUICK),
    )
    assert ran.code == 0, ran.err
    report = read_report(tmp_path / "r.json")
    rows = {(row.device, row.file): row for row in rows_of(report)}
    assert len(rows) == 8
    (target,) = (target for target in report.targets if target.name == address)
    emulated = target.identity.emulated is not None
    for file in files:
        here, there = rows["cpu", file], rows[address, file]
        assert here.p50_ms is not None
        if file.endswith(".onnx") and target.machine.architecture != "aarch64":
            assert "no package of onnxruntime" in there.outcome  # there is none for 32 bits
            continue
        assert there.outcome == "measured"
        assert there.score is not None
        assert here.score is not None
        assert there.score > 0.9
        assert abs(there.score - here.score) <= 2 / TEST_ROWS
        assert there.agreement is not None
        for figure in (there.load_ms, there.p50_ms, there.p99_ms, there.peak_rss_bytes):
            assert figure is None if emulated else figure is not None and figure > 0
    assert (f"{address} is emulated" in ran.out) == emulated


def here_and_there(device, path, backend, cases):
    """(here, there) for every output of every case."""
    with open_device("cpu") as host:
        answers = [run_cases(one, path, backend, cases) for one in (host, device)]
    for answer in answers:
        assert isinstance(answer, Outputs), answer
    here, there = (answer.cases for answer in answers if isinstance(answer, Outputs))
    return [(a[name], b[name]) for a, b in zip(here, there, strict=True) for name in a]


def test_native_integers_give_the_same_bits_on_both_processors(device, exported, cases):
    for here, there in here_and_there(device, exported / "digits_gru.int8.ernn", "native", cases):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize(
    ("file", "backend"), [("digits_gru.ernn", "native"), ("digits_gru.int8.tflite", "tflite")]
)
def test_others_decide_alike_and_differ_little(device, exported, cases, file, backend):
    # Float layers come last in both, which each processor rounds its own way: docs/measuring.md.
    for here, there in here_and_there(device, exported / file, backend, cases):
        np.testing.assert_allclose(here, there, atol=5e-3)
        assert here.argmax() == there.argmax()


@pytest.mark.parametrize("backend", ["onnx", "tflite", "native"])
def test_sequences_are_written_there_as_they_are_here(device, tmp_path, backend):
    model = sequences.exported(tmp_path, backend, "int8" if backend == "native" else "float32")
    cases = [{"tokens": sequences.reversals(9, seed=5).x}]
    with open_device("cpu") as host:
        here, there = (
            run_cases(
                *(one, model.path, backend, cases),
                extra_files=model.extra_files,
                decoder=model.decoder,
            )
            for one in (host, device)
        )
    assert isinstance(here, Outputs), here
    assert isinstance(there, Outputs), there
    np.testing.assert_array_equal(here.cases[0]["tokens"], there.cases[0]["tokens"])


def test_it_tells_what_it_is_and_how_it_is_now(device):
    found = survey(device)
    assert found.identity.board
    assert found.identity.cpu
    assert found.python
    assert found.machine.architecture == device.architecture
    if "Raspberry Pi" in found.identity.board:  # and no other board, no virtual machine
        assert found.conditions.temperature_c is not None
        assert found.conditions.throttling is not None


def test_nothing_is_left_for_the_next_one(device, address):
    device.push(GOLDEN / "small_gru.keras", "model")
    device.__exit__(None, None, None)
    with open_device(address) as later:
        assert isinstance(later, RemoteDevice)
        there = later.run(["ls", later.cache], timeout_s=60).stdout.split()
        own = later.work.rpartition("/")[2]
        assert set(there) <= {"files", "packages", "lock", own}
