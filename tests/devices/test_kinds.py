"""The rows of device kinds: reserved names, and how messages name them."""

from __future__ import annotations

import pytest

from edgernn.devices import open_device, without_python
from edgernn.devices.kinds import KINDS, SSH, checked_name, spellings, to_be_added
from edgernn.errors import DeviceError


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))


@pytest.mark.parametrize("name", ["cpu", "fake", "ssh", "pi", "android", *KINDS])
def test_the_name_of_a_kind_is_reserved(name):
    with pytest.raises(DeviceError, match=f"'{name}' is a reserved name"):
        checked_name(name)


@pytest.mark.parametrize("name", ["a b", "a.b", "-x", "", "ü"])
def test_a_name_of_other_signs_is_refused(name):
    with pytest.raises(DeviceError, match="cannot be the name of a device"):
        checked_name(name)


@pytest.mark.parametrize("name", ["kitchen", "pi4", "emulated-pi", "a_1"])
def test_any_other_name_is_free(name):
    assert checked_name(name) == name


def test_what_is_known_is_listed_as_it_is_typed_and_without_the_fake_device():
    with pytest.raises(DeviceError) as refused:
        open_device("toaster")
    listed = (refused.value.remedy or "").removeprefix("Known are: ").split(", ")
    assert "ssh:HOST" in listed
    assert not {"ssh", "fake"} & set(listed)


def test_only_kinds_that_the_inventory_can_hold_can_be_added():
    assert spellings(addable=True) == ("user@host", "ssh:HOST", "android", "android:SERIAL")


@pytest.mark.parametrize(
    ("given", "kind", "address"),
    [
        ("pi@host", "ssh", "pi@host"),
        ("ssh:host", "ssh", "host"),
        ("android", "android", ""),
        ("android:1:5555", "android", "1:5555"),
        ("cpu", "ssh", "cpu"),  # a host of that name
    ],
)
def test_what_is_added_is_of_its_kind_and_a_bare_host_of_ssh(given, kind, address):
    found = to_be_added(given)
    assert (found[0].name, found[1]) == (kind, address)


def test_what_runs_without_python_depends_on_the_kind():
    assert "--android-runtime" in without_python("android:1")
    assert without_python("pi@host") == SSH.without_python
