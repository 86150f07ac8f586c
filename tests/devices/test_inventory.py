"""devices.toml: what is written is what is read, and what is broken is said to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgernn.devices import open_device
from edgernn.devices.inventory import (
    Entry,
    emulated_only,
    forget_entry,
    inventory_path,
    keep_entry,
    read_inventory,
    the_only_pi,
    write_inventory,
)
from edgernn.devices.kinds import KINDS
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


def test_a_real_pi_comes_before_an_emulated_one():
    emulated = Entry(
        name="e", kind="ssh", address="b", board=KITCHEN.board, emulated="qemu", ssh_command="ssh"
    )
    write_inventory([emulated])
    assert the_only_pi() == emulated
    write_inventory([emulated, KITCHEN])
    assert the_only_pi() == KITCHEN


def test_an_emulated_phone_stands_in_only_where_no_real_one_has_a_name():
    emulated = Entry(name="e", kind="android", address="x", emulated="loopback", adb_port="1")
    assert emulated_only("android") is None
    write_inventory([emulated, KITCHEN])
    assert emulated_only("android") == emulated
    write_inventory([emulated, PHONE])
    assert emulated_only("android") is None


def test_an_entry_replaces_the_one_of_its_name_and_is_forgotten_by_it():
    write_inventory([KITCHEN, SERVER])
    moved = replace(KITCHEN, address="pi@elsewhere")
    keep_entry(moved)
    assert read_inventory() == (SERVER, moved)
    forget_entry("kitchen")
    forget_entry("never-there")
    assert read_inventory() == (SERVER,)


def test_an_entry_with_its_own_ssh_command_and_adb_port_is_reached_by_them():
    board = replace(KITCHEN, ssh_command="ssh -F '/a b/config'")
    phone = replace(PHONE, adb_port="4711")
    for entry, words in ((board, ["ssh", "-F", "/a b/config"]), (phone, ["adb", "-P", "4711"])):
        link = KINDS[entry.kind].link
        assert link is not None
        assert link(entry).further("true")[: len(words)] == words


def test_a_name_that_is_nearly_known_is_suggested():
    write_inventory([KITCHEN])
    with pytest.raises(DeviceError, match="Did you mean 'kitchen'"):
        open_device("kitchn")


def test_a_device_of_an_unknown_kind_is_refused():
    write_inventory([Entry(name="radio", kind="morse", address="x")])
    with pytest.raises(DeviceError, match="unknown kind 'morse'"):
        open_device("radio")


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "a b", "x;y", "$(x)", ""])
def test_an_address_that_a_shell_or_ssh_would_read_otherwise_is_refused(address):
    with pytest.raises(DeviceError, match="is not a host"):
        open_device(f"ssh:{address}")
