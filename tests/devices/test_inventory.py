"""devices.toml: what is written is what is read, and what is broken is said to be."""

from __future__ import annotations

import pytest

from edgernn.devices import open_device
from edgernn.devices.inventory import (
    Entry,
    checked_name,
    inventory_path,
    read_inventory,
    the_only_pi,
    write_inventory,
)
from edgernn.devices.remote import RemoteDevice
from edgernn.errors import DeviceError

KITCHEN = Entry(
    name="kitchen",
    kind="ssh",
    address="pi@raspberrypi.local",
    board='Raspberry Pi "5" Model B',
    system="Debian \\ 12",
)
PHONE = Entry(
    name="phone",
    kind="android",
    address="192.168.1.5:5555",
    board="Pixel 8",
    soc="Tensor G3",
    abis="arm64-v8a,armeabi-v7a",
)
SERVER = Entry(name="server-2", kind="ssh", address="ann@server")


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))


def test_what_is_written_is_read_again():
    write_inventory([KITCHEN, SERVER, PHONE])
    assert read_inventory() == (KITCHEN, SERVER, PHONE)


def test_without_a_file_there_are_no_devices():
    assert read_inventory() == ()


@pytest.mark.parametrize(
    "text",
    ["[a", "a = 1", '[a]\nkind = "ssh"', '[a]\nkind="ssh"\naddress="x"\nport="1"', "[a]\nkind=1"],
)
def test_a_broken_file_is_refused_with_its_path(text):
    inventory_path().write_text(text)
    with pytest.raises(DeviceError, match=r"devices\.toml"):
        read_inventory()


def test_pi_is_the_only_raspberry_pi_there_is():
    write_inventory([SERVER, KITCHEN])
    assert the_only_pi() == KITCHEN
    device = open_device("pi")
    assert isinstance(device, RemoteDevice)
    assert device.name == "kitchen"


def test_pi_is_refused_where_there_is_none_or_several():
    with pytest.raises(DeviceError, match="no Raspberry Pi is known"):
        open_device("pi")
    write_inventory([KITCHEN, Entry(name="attic", kind="ssh", address="a", board=KITCHEN.board)])
    with pytest.raises(DeviceError, match="kitchen, attic"):
        open_device("pi")


def test_a_name_that_is_nearly_known_is_suggested():
    write_inventory([KITCHEN])
    with pytest.raises(DeviceError, match="Did you mean 'kitchen'"):
        open_device("kitchn")


def test_a_device_of_an_unknown_kind_is_refused():
    write_inventory([Entry(name="radio", kind="morse", address="x")])
    with pytest.raises(DeviceError, match="unknown kind 'morse'"):
        open_device("radio")


@pytest.mark.parametrize("name", ["pi", "cpu", "a b", "a.b", "-x", "", "ü"])
def test_names_that_mean_something_else_are_refused(name):
    with pytest.raises(DeviceError):
        checked_name(name)


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "a b", "x;y", "$(x)", ""])
def test_an_address_that_a_shell_or_ssh_would_read_otherwise_is_refused(address):
    with pytest.raises(DeviceError, match="is not a host"):
        open_device(f"ssh:{address}")
