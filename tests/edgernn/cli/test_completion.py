"""The names of devices are completed in the shell."""

from __future__ import annotations

import click
import pytest

from edgernn.cli.completion import complete_devices, known_devices
from edgernn.devices.inventory import Entry, inventory_path, write_inventory

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
    assert values == ["cpu,cpu", "cpu,pi", "cpu,android", "cpu,kitchen"]


def test_a_broken_inventory_completes_nothing():
    inventory_path().write_text("[")
    assert known_devices(CONTEXT, PARAMETER, "") == []
