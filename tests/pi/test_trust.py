"""What `edgernn profile` says of a device whose state changes while it is measured."""

from __future__ import annotations

import threading

import pytest

from edgernn.export import native
from edgernn.export.keras.file import read_model
from edgernn.profile.cautions import Caution
from edgernn.profile.judgement import disturbances
from edgernn.profile.report import Report
from edgernn.profile.storage import read_report
from tests.golden import GOLDEN
from tests.pi.test_ssh import running, wait_until

pytestmark = pytest.mark.usefixtures("pi")


def calls_are_timed(pi) -> bool:
    """The program itself runs, not only the shell that reads the sensors around it."""
    program = running(pi, "binfmt-P ./edgernn-run")
    return bool(set(program) & set(running(pi, "--time-ms 1500")))


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "m.ernn"
    path.write_bytes(
        native.lower(read_model(GOLDEN / "small_gru.keras").graph, metadata={}).content
    )
    return path


@pytest.fixture
def profile(edgernn, artefact, tmp_path):
    """Times the model on the emulated Pi once; the report, and what was printed."""

    def profile() -> tuple[Report, str]:
        ran = edgernn(
            *("profile", artefact, "--device", "pi@emulated", "--allow-emulated-timing"),
            *("--processes", "1", "--min-time", "1500ms", "--wide", "-o", tmp_path / "r.json"),
        )
        assert ran.code == 0, ran.err
        return read_report(tmp_path / "r.json"), ran.out

    return profile


@pytest.fixture
def in_mid_run(pi):
    """Writes a file of the Pi while it times calls, and what was there before at the end."""
    written = []

    def in_mid_run(name: str, text: str) -> threading.Thread:
        path = pi.inside / name
        written.append((path, path.read_text()))

        def wait_and_write() -> None:
            wait_until(lambda: calls_are_timed(pi))
            path.write_text(text)

        thread = threading.Thread(target=wait_and_write)
        thread.start()
        return thread

    yield in_mid_run
    for path, text in written:
        path.write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "caution", "said"),
    [
        ("etc/throttled", "throttled=0x40004\n", Caution.THROTTLED, "throttle word 0x40004"),
        (
            "etc/throttled",
            "throttled=0x40000\n",  # it began and ended in between
            Caution.THROTTLED_MEANWHILE,
            "throttle word 0x0, then 0x40000",
        ),
        ("etc/throttled", "throttled=0x10001\n", Caution.UNDER_VOLTAGE, "power supply"),
    ],
)
def test_a_device_that_slows_down_in_mid_run_is_not_believed(
    profile, in_mid_run, name, text, caution, said
):
    flipping = in_mid_run(name, text)
    report, out = profile()
    flipping.join()
    assert caution in {one.caution for one in disturbances(report.cells[0], report)}
    assert "unstable" in out
    assert said in " ".join(out.split())  # lines are wrapped


def test_times_of_an_emulator_are_told_only_when_asked_for_and_stamped(profile):
    report, out = profile()
    (cell,) = report.cells
    assert cell.runs[0].hot_ms
    figures = next(line for line in out.splitlines() if line.startswith("m ")).split("  ")
    times = [text.strip() for text in figures if "emulated" in text]
    assert len(times) >= 5  # load, first call, percentiles
    assert "pi@emulated is emulated (qemu-user)" in out
