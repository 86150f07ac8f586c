"""Names of devices, tasks, formats, schemes and layers are completed in the shell."""

from __future__ import annotations

import click
import pytest
from click.shell_completion import ShellComplete

from edgernn.cli import edgernn as program
from edgernn.cli.completion import (
    complete_data,
    complete_devices,
    complete_formats,
    complete_layers,
    complete_schemes,
    complete_tasks,
    known_devices,
)
from edgernn.devices.inventory import Entry, inventory_path, write_inventory
from edgernn.tasks.registry import TASKS

CONTEXT = click.Context(click.Command("any"))
PARAMETER = click.Option(["--device"])


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))
    write_inventory([Entry(name="kitchen", kind="ssh", address="pi@k", board="Raspberry Pi 5")])


def test_names_in_the_inventory_are_completed_with_their_board():
    (item,) = known_devices(CONTEXT, PARAMETER, "ki")
    assert (item.value, item.help) == ("kitchen", "Raspberry Pi 5")
    assert known_devices(CONTEXT, PARAMETER, "x") == []


def test_kinds_and_names_are_completed_after_a_comma():
    values = [item.value for item in complete_devices(CONTEXT, PARAMETER, "cpu,")]
    assert values == ["cpu,pi", "cpu,android", "cpu,kitchen"]  # cpu is there already


def test_a_broken_inventory_completes_nothing():
    inventory_path().write_text("[")
    assert known_devices(CONTEXT, PARAMETER, "") == []


def completed(*words: str) -> list[str]:
    """What the program completes the last word to."""
    *arguments, incomplete = words
    shell = ShellComplete(program, {}, "edgernn", "_EDGERNN_COMPLETE")
    return [item.value for item in shell.get_completions(arguments, incomplete)]


@pytest.mark.parametrize(
    ("command", "parameter", "completes"),
    [
        ("export", "backends", complete_formats),
        ("export", "schemes", complete_schemes),
        ("export", "calibrate", complete_data),
        ("export", "data", complete_data),
        ("export", "keep_float", complete_layers),
        ("profile", "data", complete_data),
        ("profile", "devices", complete_devices),
        ("train", "task", complete_tasks),
    ],
)
def test_options_complete_what_they_take(command, parameter, completes):
    found = program.get_command(CONTEXT, command)
    assert found is not None
    (option,) = (one for one in found.params if one.name == parameter)
    assert [item.value for item in option.shell_complete(CONTEXT, "")] == [
        item.value for item in completes(CONTEXT, option, "")
    ]


def test_tasks_have_their_titles():
    (item,) = complete_tasks(CONTEXT, PARAMETER, "dig")
    assert (item.value, item.help) == ("digits", TASKS["digits"].title)


def test_data_are_parts_of_tasks_or_files_and_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("digs.npz", "digs.csv", "digs.txt"):
        (tmp_path / name).touch()
    (tmp_path / "digs").mkdir()
    (tmp_path / "digs" / "a.npz").touch()
    assert completed("profile", ".", "--data", "digits:t") == ["digits:train", "digits:test"]
    assert completed("profile", ".", "--data", "digs") == ["digs/", "digs.csv", "digs.npz"]
    assert completed("profile", ".", "--data", "digs/") == ["digs/a.npz"]
    assert completed("profile", ".", "--data", "nowhere/x") == []


def test_layers_of_the_model_on_the_line_are_completed():
    model = "tests/golden/small_gru.keras"
    assert completed("export", model, "--keep-float", "") == ["gru", "probabilities"]
    assert completed("export", model, "--scheme", "int8,g") == ["int8,gru="]
    assert completed("export", model, "--scheme", "int8,gru=fl") == [
        "int8,gru=float32",
        "int8,gru=float16",
    ]


def test_a_damaged_model_completes_no_layers(tmp_path):
    damaged = tmp_path / "gru.keras"
    damaged.write_bytes(b"PK\x03\x04")
    assert completed("export", str(damaged), "--keep-float", "") == []
    assert completed("export", str(tmp_path / "none.keras"), "--keep-float", "") == []
