"""-q shows results, warnings and errors, -v also steps and causes; every command has both."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import click

from edgernn.cli import edgernn as program
from edgernn.errors import ModelFileError
from edgernn.front.progress import progress_line

MODEL = Path("tests/golden/small_gru.keras")
STEP = re.compile(r"^ +\d+\.\d{3} s  (.*)$", re.MULTILINE)


def commands(group: click.Group, context: click.Context) -> list[click.Command]:
    found: list[click.Command] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command, context) if isinstance(command, click.Group) else [command]
    return found


def test_every_command_has_both_once():
    every = commands(program, click.Context(program))
    assert {"add", "list", "check", "remove"} <= {one.name for one in every}
    for command in [*every, *commands(program, click.Context(program))]:
        flags = [flag for option in command.params for flag in option.opts]
        assert [flags.count(flag) for flag in ("-q", "--quiet", "-v", "--verbose")] == [1] * 4


def test_verbose_prints_steps_with_times_on_stderr(edgernn, tmp_path):
    ran = edgernn("export", MODEL, "--to", "native", "-o", tmp_path, "-v")
    assert ran.code == 0
    steps = STEP.findall(ran.err)
    assert re.fullmatch(r"reading .*small_gru\.keras: \d+\.\d{3} s", steps[0])
    assert any(re.fullmatch(r"checking native: \d+\.\d{3} s", step) for step in steps)
    assert "reading" not in ran.out


def test_a_command_after_a_verbose_one_prints_no_steps(edgernn, tmp_path):
    edgernn("export", MODEL, "--to", "native", "-o", tmp_path, "-v")
    assert edgernn("export", MODEL, "--to", "native", "-o", tmp_path).err == ""
    assert logging.getLogger("edgernn").handlers == []


def test_verbose_prints_what_caused_an_error_and_then_the_message(edgernn, tmp_path):
    damaged = tmp_path / "gru.keras"
    damaged.write_bytes(MODEL.read_bytes()[:-40])
    plain = edgernn("export", damaged, "-o", tmp_path / "out")
    assert plain.code == ModelFileError.code
    assert "Traceback" not in plain.err
    verbose = edgernn("export", damaged, "-o", tmp_path / "out", "--verbose")
    assert verbose.code == plain.code
    assert "zipfile.BadZipFile" in verbose.err
    assert verbose.err.endswith(plain.err)


def test_profile_logs_each_process(edgernn, tmp_path):
    edgernn("export", MODEL, "--to", "native", "-o", tmp_path)
    options = ("--processes", 2, "--min-time", "1ms", "--warmup", "1ms")
    err = edgernn("profile", tmp_path, *options, "-v").err
    assert "cpu: 1 of 4 processes are done; small_gru.ernn: " in err
    assert re.search(r"cpu: ran \S+: \d", err)


def test_quiet_hides_notes_and_keeps_results_and_warnings(edgernn, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))
    assert "Add one" in edgernn("devices", "list").err
    assert edgernn("devices", "list", "-q").err == ""
    ran = edgernn("inspect", MODEL, "-q")
    assert "small_gru.keras" in ran.out


def test_quiet_hides_progress_on_a_terminal(edgernn, monkeypatch, tmp_path):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich: as on a terminal
    export = ("export", MODEL, "--to", "native", "-o", tmp_path)
    assert "native" in edgernn(*export).err
    assert edgernn(*export, "-q").err == ""


def test_both_together_are_refused(edgernn):
    ran = edgernn("inspect", MODEL, "-q", "-v")
    assert (ran.code, "exclude each other" in ran.err) == (2, True)


def test_quiet_can_be_set_in_the_environment(edgernn, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))
    monkeypatch.setenv("EDGERNN_DEVICES_LIST_QUIET", "1")
    assert edgernn("devices", "list").err == ""


def test_a_phase_that_counts_is_logged_once(caplog):
    caplog.set_level(logging.INFO, "edgernn")
    with progress_line("reading", lambda _phase: None) as phase:
        for done in range(3):
            phase(f"calibrating: {done} of 3 sequences")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "reading",
        "calibrating",
    ]
