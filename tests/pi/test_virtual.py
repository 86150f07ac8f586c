"""A profile on a whole ARM computer in qemu: with `--pi-vm` only, since it takes two minutes."""

from __future__ import annotations

import pytest

from edgernn.devices import open_device
from edgernn.devices.ssh import COMMAND_VARIABLE
from edgernn.devices.survey import survey
from edgernn.profile.report import Report
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import read_report
from tests.pi.conftest import QUICK
from tests.pi.virtual import VirtualPi, reason_against


@pytest.fixture(scope="module")
def virtual_pi(request, tmp_path_factory):
    if not request.config.getoption("--pi-vm"):
        pytest.skip("asked for with --pi-vm")
    if reason := reason_against():
        pytest.fail(reason)  # it was asked for
    pi = VirtualPi(folder=tmp_path_factory.mktemp("vm"))
    pi.up()
    yield pi
    pi.down()


@pytest.fixture(autouse=True)
def known(virtual_pi, monkeypatch, tmp_path):
    monkeypatch.setenv(COMMAND_VARIABLE, virtual_pi.ssh_command)
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path / "settings"))


def test_it_says_that_it_is_emulated():
    with open_device("pi@virtual") as device:
        found = survey(device)
    assert found.machine.architecture == "aarch64"
    assert found.identity.cpu == "Cortex-A72"
    assert found.identity.emulated is not None
    assert "qemu-system" in found.identity.emulated


def test_native_and_onnx_are_profiled_without_a_word_on_time(edgernn, exported, tmp_path):
    ran = edgernn(
        *("profile", exported / "digits_gru.int8.ernn", exported / "digits_gru.onnx"),
        *("--data", exported / "test.npz", "--device", "pi@virtual"),
        *("-o", tmp_path / "r.json", *QUICK),
    )
    assert ran.code == 0, ran.err
    for row in rows_of(read_report(tmp_path / "r.json")):
        assert row.score is not None
        assert row.score > 0.9
        assert row.p50_ms is row.load_ms is row.peak_rss_bytes is None
    assert "pi@virtual is emulated" in ran.out


@pytest.fixture
def timed(edgernn, exported, tmp_path):
    """Asks for the times of this clock all the same."""

    def timed(name: str) -> Report:
        ran = edgernn(
            *("profile", exported / "digits_gru.int8.ernn", "--device", "pi@virtual"),
            *("--allow-emulated-timing", "--processes", "3", "--min-time", "50ms"),
            *("-o", tmp_path / name),
        )
        assert ran.code == 0, ran.err
        return read_report(tmp_path / name)

    return timed


def test_its_clock_counts_instructions_so_that_two_profiles_tell_the_same_time(timed):
    one, other = (timed(name).cells[0] for name in ("one.json", "other.json"))
    assert one.benchmark is not None
    assert other.benchmark is not None
    assert one.benchmark.hot.p50_ms == pytest.approx(other.benchmark.hot.p50_ms, rel=1e-3)


def test_memory_is_that_of_the_program_and_not_of_qemu(timed, exported):
    (row,) = rows_of(timed("r.json"))
    assert row.peak_rss_bytes is not None
    assert (exported / row.file).stat().st_size < row.peak_rss_bytes < 500_000
