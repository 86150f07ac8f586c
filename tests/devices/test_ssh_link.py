"""Why a connection fails, in ssh's own words; tests/pi has those that succeed."""

from __future__ import annotations

import subprocess

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
