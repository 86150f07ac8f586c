"""`edgernn devices` with a real sshd: nothing is trusted that nobody confirmed."""

from __future__ import annotations

import json
import subprocess

import click
import pytest

from edgernn.devices.inventory import inventory_path
from edgernn.devices.ssh import own_known_hosts
from edgernn.errors import DeviceError

pytestmark = pytest.mark.usefixtures("pi")


@pytest.fixture
def fingerprint(pi):
    key = pi.folder / "files/etc/ssh/ssh_host_ed25519_key.pub"
    listed = subprocess.run(["ssh-keygen", "-lf", key], capture_output=True, text=True, check=True)
    return listed.stdout.split()[1]


@pytest.fixture
def answer(monkeypatch):
    """Answers the question about the host key; `asked` has what was asked."""
    asked = []

    def answer(yes: bool):
        def confirm(question, **_):
            asked.append(question)
            return yes

        monkeypatch.setattr(click, "confirm", confirm)
        return asked

    return answer


def test_a_device_is_added_after_its_fingerprint_was_shown_and_confirmed(
    edgernn, answer, fingerprint
):
    asked = answer(True)
    ran = edgernn("devices", "add", "pi@unknown", "--name", "kitchen")
    assert ran.code == 0, ran.err
    assert len(asked) == 1
    assert fingerprint in ran.err
    assert "Raspberry Pi 4 Model B Rev 1.4" in ran.out
    assert "emulated" in ran.out
    listed = json.loads(edgernn("devices", "list", "--json").out)
    assert [(one["name"], one["address"]) for one in listed] == [("kitchen", "pi@unknown")]
    checked = edgernn("devices", "check", "kitchen", "--json")
    (found,) = json.loads(checked.out)
    assert found["machine"]["architecture"] == "aarch64"
    assert found["conditions"]["temperature_c"] == pytest.approx(48.312)
    assert len(asked) == 1


def test_all_known_devices_are_checked_and_one_that_is_away_does_not_hide_the_others(
    edgernn, fingerprint
):
    edgernn("devices", "add", "pi@unknown", "--name", "k", "--fingerprint", fingerprint)
    path = inventory_path()
    path.write_text(path.read_text() + '[away]\nkind = "ssh"\naddress = "pi@nobody"\n')
    ran = edgernn("devices", "check", "--json")
    assert ran.code == DeviceError.code
    assert [found["name"] for found in json.loads(ran.out)] == ["k"]
    assert "pi@nobody cannot be reached" in ran.err


def test_a_key_that_is_not_confirmed_is_not_trusted(edgernn, answer):
    answer(False)
    ran = edgernn("devices", "add", "pi@unknown", "--name", "kitchen")
    assert ran.code == DeviceError.code
    assert not own_known_hosts().exists()
    assert json.loads(edgernn("devices", "list", "--json").out) == []


def test_a_script_gives_the_fingerprint_it_expects(edgernn, fingerprint):
    wrong = edgernn("devices", "add", "pi@unknown", "--name", "k", "--fingerprint", "SHA256:x")
    assert wrong.code == DeviceError.code
    right = edgernn("devices", "add", "pi@unknown", "--name", "k", "--fingerprint", fingerprint)
    assert right.code == 0, right.err


def test_a_host_that_ssh_knows_is_added_without_a_question(edgernn, answer):
    asked = answer(False)
    ran = edgernn("devices", "add", "pi@emulated")
    assert ran.code == 0, ran.err
    assert asked == []
    assert "emulated" in edgernn("devices", "list").out


def test_a_changed_host_key_is_never_asked_about(edgernn, answer):
    asked = answer(True)
    ran = edgernn("devices", "add", "pi@impostor", "--name", "k")
    assert ran.code == DeviceError.code
    assert "a different host key" in ran.err
    assert asked == []


def test_a_removed_device_and_its_key_are_forgotten(edgernn, fingerprint):
    edgernn("devices", "add", "pi@unknown", "--name", "k", "--fingerprint", fingerprint)
    assert edgernn("devices", "remove", "k").code == 0
    assert own_known_hosts().read_text() == ""
    ran = edgernn("devices", "check", "pi@unknown")
    assert ran.code == DeviceError.code
    assert "is not known" in ran.err
