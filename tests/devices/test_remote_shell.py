"""The scripts for a target's shell, run by shells of this machine: files arrive as they were."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgernn.devices.remote_shell import LINK, NOT_IN_CACHE, RUN, STORE, ended
from edgernn.devices.runners.wheels import _UNPACK

CONTENT = b"content" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SHELLS = [
    words for words in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(words[0]) is not None
]


@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def shell(request):
    def run(script: str, *words: object, stdin: bytes = b"", path: str | None = None) -> int | None:
        variables = dict(os.environ) if path is None else {"PATH": path}
        argv = [shutil.which(request.param[0]), *request.param[1:]]
        ran = subprocess.run(
            [*argv, "-c", script, "edgernn", "word", *map(str, words)],
            input=stdin,
            capture_output=True,
            env=variables,
            check=False,
        )
        return ended("word", ran.stdout, ran.stderr).code

    return run


def test_a_file_arrives_whole_and_only_with_its_own_hash(shell, tmp_path):
    file = tmp_path / "file"
    assert shell(STORE, file, len(CONTENT), DIGEST, stdin=CONTENT) == 0
    assert file.read_bytes() == CONTENT
    file.unlink()
    damaged = CONTENT[:-1] + b"?"
    assert shell(STORE, file, len(CONTENT), DIGEST, stdin=damaged) not in (0, None)
    assert shell(STORE, file, len(CONTENT), DIGEST, stdin=CONTENT[:-1]) not in (0, None)
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_damaged_in_the_cache_is_not_used_again(shell, tmp_path):
    cached, there = tmp_path / "cached", tmp_path / "there"
    cached.write_bytes(CONTENT)
    assert shell(LINK, cached, there, DIGEST) == 0
    assert there.read_bytes() == CONTENT
    there.unlink()
    cached.write_bytes(CONTENT[:-1] + b"?")
    assert shell(LINK, cached, there, DIGEST) == NOT_IN_CACHE
    assert not list(tmp_path.iterdir())


def test_without_sha256sum_the_size_is_checked(shell, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("cat", "wc", "mv", "rm"):
        (tools / name).symlink_to(str(shutil.which(name)))
    file = tmp_path / "file"
    assert shell(STORE, file, len(CONTENT) + 1, DIGEST, stdin=CONTENT, path=str(tools)) != 0
    assert not file.exists()


def test_what_a_command_started_ends_with_the_connection(tmp_path):
    """In dash, `kill -9 -- -PID` killed the process alone."""
    grandchild = "import time; time.sleep(60)"
    program = (
        f"import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c',"
        f" {grandchild!r}]); print(child.pid, flush=True); time.sleep(60)"
    )
    for words in SHELLS:
        child = subprocess.Popen(
            [*words, "-c", RUN, "edgernn", "word", str(tmp_path), sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdout is not None
        assert child.stdin is not None
        pid = int(child.stdout.readline())
        assert is_running(pid)
        child.stdin.close()
        child.wait(10)
        deadline = time.monotonic() + 5
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        child.stdout.close()
        assert not is_running(pid), words


def is_running(pid: int) -> bool:
    """False, too, for one that has ended and that nobody asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_wheel_with_another_hash_is_not_unpacked(tmp_path):
    (tmp_path / "package.whl").write_bytes(CONTENT)
    ran = subprocess.run(
        [sys.executable, "-c", _UNPACK, "package.whl", str(tmp_path / "content"), "0" * 64],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "its SHA-256 is not the one that was sent" in ran.stderr
    assert not (tmp_path / "content").exists()
