"""Data from Debian packages: downloaded from a mirror, checked, and read without Debian's tools."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgernn.errors import DownloadError
from edgernn.tasks.debian import MIRROR_VARIABLE, Package, fetch_package
from edgernn.tasks.languages import STEPS, tokens_of

WORDS = "été\nhiver\n".encode()
POOL = "main/w/words/wwords_1.0_all.deb"


def package_of(words: bytes) -> bytes:
    """A .deb as dpkg-deb builds it: an `ar` archive of a version and two tar archives."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as archive:
        entry = tarfile.TarInfo("./usr/share/dict/words")
        entry.size = len(words)
        archive.addfile(entry, io.BytesIO(words))
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",  # of an odd length: a byte of padding follows
        "data.tar.xz": stream.getvalue(),
    }
    made = b"!<arch>\n"
    for name, content in members.items():
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        made += b"\n" * (len(content) % 2)
    return made


def pinned(content: bytes, member: str = "usr/share/dict/words") -> Package:
    digest = hashlib.sha256(content).hexdigest()
    return Package(pool=POOL, sha256=digest, size_bytes=len(content), member=member)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("EDGERNN_CACHE", str(folder))
    return folder


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as a mirror; gives where the package has to be."""
    place = tmp_path / "debian" / "pool" / POOL
    place.parent.mkdir(parents=True)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    handler = partial(Quiet, directory=str(tmp_path / "debian"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(MIRROR_VARIABLE, f"http://127.0.0.1:{server.server_port}")
        yield place
        server.shutdown()


@pytest.mark.usefixtures("cache")
def test_a_word_list_comes_out_of_a_package_of_the_mirror(mirror: Path) -> None:
    content = package_of(WORDS)
    mirror.write_bytes(content)
    said: list[str] = []
    assert fetch_package(pinned(content), notify=said.append) == WORDS
    assert said == ["downloading wwords_1.0_all.deb"]


@pytest.mark.parametrize("change", ["other", "longer"])
@pytest.mark.usefixtures("cache")
def test_another_package_of_the_same_name_is_refused(mirror: Path, change: str) -> None:
    content = package_of(WORDS)
    mirror.write_bytes(package_of(WORDS[::-1]) if change == "other" else content + b"\n")
    with pytest.raises(DownloadError, match="has the wrong SHA-256"):
        fetch_package(pinned(content))


def test_a_package_put_into_the_cache_serves_without_a_network(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, "http://127.0.0.1:9")
    content = package_of(WORDS)
    with pytest.raises(DownloadError, match="Connection refused") as refused:
        fetch_package(pinned(content))
    assert f"put it into {cache}" in str(refused.value)
    (cache / "wwords_1.0_all.deb").write_bytes(content)
    assert fetch_package(pinned(content)) == WORDS


def test_a_file_that_the_package_lacks_is_named(cache: Path) -> None:
    content = package_of(WORDS)
    (cache / "wwords_1.0_all.deb").write_bytes(content)
    with pytest.raises(DownloadError, match="does not contain usr/share/dict/other"):
        fetch_package(pinned(content, member="usr/share/dict/other"))


def test_a_mirror_that_is_no_web_address_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, f"file://{cache}")
    with pytest.raises(DownloadError, match="no address of the web"):
        fetch_package(pinned(package_of(WORDS)))


def test_a_word_is_its_pairs_of_letters_between_ends() -> None:
    assert tokens_of("ab").tolist() == [0] * (STEPS - 3) + [1, 27 + 2, 2 * 27]
    assert tokens_of("abcdefghijklmno").min() > 0
