"""adb, the real client, and devices that are not there, not ready or not alone."""

from __future__ import annotations

import pytest

from edgernn.devices import open_device
from edgernn.errors import DeviceError


@pytest.mark.usefixtures("adb")
def test_without_a_device_the_message_says_what_to_do():
    with pytest.raises(DeviceError, match="no Android device is attached"):
        open_device("android").__enter__()


def test_the_only_device_needs_no_name(attach):
    attach()
    with open_device("android") as device:
        assert device.run(["true"], timeout_s=60).succeeded


def test_a_serial_that_is_not_attached_is_named_beside_those_that_are(attach):
    serial = attach().serial
    with pytest.raises(DeviceError, match=f"no Android device x1; attached are {serial}"):
        open_device("android:x1").__enter__()


def test_several_devices_must_be_told_apart(attach):
    serials = sorted(attach().serial for _ in range(2))
    with pytest.raises(DeviceError, match="there are 2 Android devices") as refused:
        open_device("android").__enter__()
    assert "android:SERIAL" in refused.value.remedy
    with open_device(f"android:{serials[1]}") as device:
        assert device.run(["true"], timeout_s=60).succeeded


def test_a_device_that_does_not_trust_us_says_where_to_allow_it(attach):
    attach(authorizes=False)
    with pytest.raises(DeviceError, match="does not trust this computer") as refused:
        open_device("android").__enter__()
    assert "allow USB debugging" in refused.value.remedy
