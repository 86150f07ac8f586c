"""`edgernn devices` with phones: a name for each, and what they are."""

from __future__ import annotations

import json

import pytest

from edgernn.devices import open_device
from edgernn.errors import DeviceError


@pytest.mark.parametrize("address", ["android", "android:SERIAL"])
def test_a_phone_is_added_checked_used_and_forgotten(attach, edgernn, address):
    serial = attach().serial
    added = edgernn("devices", "add", address.replace("SERIAL", serial), "--name", "mine")
    assert added.code == 0, added.err
    assert "Loopback phone" in added.out
    (entry,) = json.loads(edgernn("devices", "list", "--json").out)
    told = {key: entry[key] for key in ("name", "kind", "address", "soc", "abis")}
    assert told == {
        "name": "mine",
        "kind": "android",
        "address": serial,
        "soc": "loopback",
        "abis": "x86_64",
    }
    with open_device("mine") as device:
        assert device.name == "mine"
        assert device.run(["true"], timeout_s=60).succeeded
    checked = edgernn("devices", "check", "mine").out
    for fact in ("Android 14 (edgernn/loopback:14)", "84 %, charging, 27 °C", "no times"):
        assert fact in checked
    assert edgernn("devices", "remove", "mine").code == 0
    assert json.loads(edgernn("devices", "list", "--json").out) == []


def test_a_phone_without_a_name_is_called_phone_and_a_second_one_is_not(attach, edgernn):
    first, second = attach(), attach()
    assert edgernn("devices", "add", f"android:{first.serial}").code == 0
    ran = edgernn("devices", "add", f"android:{second.serial}")
    assert ran.code == DeviceError.code
    assert "there is already a device 'phone'" in ran.err


@pytest.mark.usefixtures("adb", "settings")
def test_a_phone_that_is_not_there_is_not_added(edgernn):
    ran = edgernn("devices", "add", "android")
    assert ran.code == DeviceError.code
    assert "no Android device is attached" in ran.err
    assert json.loads(edgernn("devices", "list", "--json").out) == []
