"""Why a connection fails, in ssh's own words; tests/pi has those that succeed."""

from __future__ import annotations

import subprocess

import pytest

from edgernn.devices.link import Unreachable
from edgernn.devices.ssh import SshLink

#: ssh loses the race with a jump host that ends once in about ten times.
TIMES = 60


def test_behind_a_jump_host_that_ends_at_once_a_host_cannot_be_reached_each_time():
    link = SshLink("pi@behind", name="behind", program="ssh -F none -o ProxyCommand=false")
    for _ in range(TIMES):
        tried = subprocess.run(link.first("true"), capture_output=True, text=True, check=False)
        refusal = link.refusal(tried.stderr)
        assert isinstance(refusal, Unreachable), tried.stderr
        assert any(reason in str(refusal) for reason in ("Connection closed", "Broken pipe"))


@pytest.mark.parametrize(
    "line",
    [
        "ssh: connect to host behind port 22: Connection refused",
        "ssh: Could not resolve hostname behind: Name or service not known",
        "kex_exchange_identification: Connection closed by remote host",
        "kex_exchange_identification: read: Connection reset by peer",
        "banner exchange: Connection to UNKNOWN port 65535: Broken pipe",
        "Connection closed by 192.0.2.1 port 22",
        "Connection timed out during banner exchange",
        "client_loop: send disconnect: Broken pipe",
        "channel 0: open failed: connect failed: No route to host",
        "Timeout, server behind not responding.",
    ],
)
def test_the_reason_is_a_line_of_ssh_and_not_of_the_banner_of_a_server(line):
    link = SshLink("pi@behind", name="behind")
    banner = "Idle users: Connection closed after ten minutes\nHave a nice day: Broken pipes too\n"
    refusal = link.refusal(f"{banner}{line}\n")
    assert isinstance(refusal, Unreachable)
    assert line in str(refusal)
