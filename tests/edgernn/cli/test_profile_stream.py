"""`edgernn profile --stream`: false alarms per hour and misses, in sentences and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgernn import Model, measure
from edgernn.cli import edgernn
from edgernn.errors import DataError, WrongOption
from edgernn.profile.storage import read_report
from tests.edgernn.cli.test_run import loud_or_quiet, sound, write_wav

QUICK = ("--processes", "1", "--min-time", "1ms", "--warmup", "1ms")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "loudness.ernn"
    path.write_bytes(loud_or_quiet(30))
    return path


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """In each part a labelled noise at 2 s; in the test another at 6 s that nobody labelled, which
    is heard after each pause.
    """
    folder = tmp_path / "recordings"
    for part, levels in (("validation", (0.0002, 0.3)), ("test", (0.0002, 0.3, 0.0002, 0.3))):
        (folder / part).mkdir(parents=True)
        write_wav(folder / part / "a.wav", sound(*levels, 0.0002, seconds=2))
        (folder / part / "a.txt").write_text("2.0\t4.0\tloud\n")
    return folder


def profiled(*arguments: str | Path) -> Result:
    return CliRunner().invoke(edgernn, ["profile", *map(str, arguments), *QUICK])


def document(result: Result) -> dict[str, Any]:
    assert result.exception is None, result.output
    return dict(json.loads(result.stdout))


def test_the_counts_are_in_the_report_and_in_its_sentences(
    model: Path, recordings: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    result = profiled(model, "--stream", recordings, "--background", "quiet", "--json", "-o", file)
    report = document(result)
    (alarms,) = report["alarms"]
    assert (alarms["validation"]["missed"], alarms["validation"]["false_alarms"]) == (0, 0)
    assert (alarms["test"]["missed"], alarms["test"]["false_alarms"]) == (0, 3)
    assert alarms["test"]["hours"] == pytest.approx(10 / 3600)
    (said,) = [one for one in report["sentences"] if "false alarms an hour" in one]
    assert "loudness.ernn gives 1,080 false alarms an hour (3 in 0.2 min; 223 to 3,156)" in said
    assert "misses 0 of 1 words (0.0 % to 97.5 %) in recordings" in said
    assert read_report(file).alarms[0].test.false_alarms == 3
    (short,) = [one for one in report["sentences"] if "too short" in one]
    assert short == (
        "recordings is too short to show a rate of at most 1 an hour: that takes 3.69 hours "
        "without a false alarm, in the validation and in the test, and there are 0.1 min and "
        "0.2 min."
    )


def test_a_rate_that_no_threshold_keeps_is_said(model: Path, recordings: Path) -> None:
    """The validation's own noise, unlabelled: each threshold hears it."""
    (recordings / "validation" / "a.txt").unlink()
    arguments = ("--background", "quiet", "--false-alarms", "0")
    result = profiled(model, "--stream", recordings, *arguments)
    assert result.exception is None, result.output
    said = " ".join(result.stdout.split())
    assert "No threshold of loudness.ernn gives at most 0 false alarms" in said
    assert "No recordings can show that there are never false alarms: there are 0.1 min" in said


def test_recordings_are_long_enough_for_a_rate_that_they_can_show(
    model: Path, recordings: Path
) -> None:
    """6 s can show 2,213 an hour (3.69 divided by 6 s), the shorter of both parts."""
    for wanted, is_short in (("2200", True), ("2230", False)):
        arguments = ("--background", "quiet", "--false-alarms", wanted)
        result = profiled(model, "--stream", recordings, *arguments)
        assert result.exception is None, result.output
        assert ("recordings is too short to show" in " ".join(result.stdout.split())) is is_short


def test_an_artefact_without_sound_is_refused(recordings: Path, tmp_path: Path) -> None:
    result = profiled(tmp_path / "none", "--stream", recordings)
    assert result.exit_code == 2
    model = tmp_path / "rows.ernn"
    content = bytearray(loud_or_quiet(30))
    model.write_bytes(content)
    assert Model(bytes(content)).front_end is not None
    (recordings / "test" / "a.wav").unlink()
    result = profiled(model, "--stream", recordings)
    assert isinstance(result.exception, DataError)
    assert "1 .wav files for a validation and a test" in str(result.exception)


def test_sound_of_a_rate_below_the_models_is_one_error(model: Path, recordings: Path) -> None:
    write_wav(recordings / "test" / "b.wav", np.zeros(4000, np.int16), rate_hz=4000)
    result = profiled(model, "--stream", recordings, "--background", "quiet")
    assert isinstance(result.exception, DataError)
    assert "sound of 4000 samples a second cannot be used" in str(result.exception)


def test_python_measures_the_same(model: Path, recordings: Path) -> None:
    report = measure(
        model,
        stream=recordings,
        background=("quiet",),
        processes=1,
        min_time_ms=1.0,
        warm_up_ms=1.0,
    )
    assert report.values.alarms[0].test.false_alarms == 3
    assert "1,080 false alarms an hour" in " ".join(str(report).split())
    with pytest.raises(WrongOption, match="false_alarms_per_hour is -1"):
        measure(model, stream=recordings, false_alarms_per_hour=-1)
