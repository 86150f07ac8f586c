"""`edgernn devices` without any device: names, and what is said of nothing."""

from __future__ import annotations

import pytest

from edgernn.devices.kinds import to_be_added
from edgernn.errors import DeviceError


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("pi@raspberrypi.local", "raspberrypi"),
        ("pi@kitchen", "kitchen"),
        ("cafe.local", "cafe"),
        ("pi@192.168.1.5", "192-168-1-5"),
        ("pi@[fe80::1]", "fe80-1"),
    ],
)
def test_a_device_is_called_after_its_host(address, name):
    kind, host = to_be_added(address)
    assert kind.default_name(host) == name


def test_checking_nothing_says_how_to_add_something(edgernn, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))
    ran = edgernn("devices", "check")
    assert ran.code == DeviceError.code
    assert "edgernn devices add" in ran.err
