"""Headless Chromium: a fake microphone plays a sound, the worklet reports labels."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import threading
import wave
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from tests.edgernn.kits.heard import sound_of
from tests.edgernn.kits.models import RATE_HZ

PAGE = """<!doctype html><script type="module">
import { Model, createListenerNode } from './index.js';
const report = (about) => fetch('/report?' + new URLSearchParams({ about: JSON.stringify(about) }));
try {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const context = new AudioContext();
  const node = await createListenerNode(context, { threshold: 0.25, every: 0.05, pause: 0.4 });
  const heard = [];
  node.ondetection = (one) => { heard.push(one); if (heard.length === 4) report({ heard }); };
  context.createMediaStreamSource(stream).connect(node);
} catch (error) { report({ error: String(error) }); }
</script>"""


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *words: Any, reports: Queue[Any], **options: Any) -> None:
        self.reports = reports
        super().__init__(*words, **options)

    def do_GET(self) -> None:
        if self.path.startswith("/report"):
            self.reports.put(json.loads(parse_qs(urlparse(self.path).query)["about"][0]))
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def reports(pages: Path, tmp_path: Path) -> Iterator[tuple[str, Queue[Any]]]:
    """The address of a page that listens, and what it reports."""
    found: Queue[Any] = Queue()
    shutil.copytree(pages, tmp_path / "web")
    (tmp_path / "web" / "test.html").write_text(PAGE)
    handler = functools.partial(Handler, directory=str(tmp_path / "web"), reports=found)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/test.html", found
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_worklet_reports_labels_of_a_fake_microphone(
    reports: tuple[str, Queue[Any]], tmp_path: Path
) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    address, found = reports
    with wave.open(str(tmp_path / "mic.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(sound_of().tobytes())
    flags = (
        "--headless=new",
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={tmp_path / 'mic.wav'}",
        "--autoplay-policy=no-user-gesture-required",
        f"--user-data-dir={tmp_path / 'profile'}",
    )
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "HOME": str(tmp_path)}
    browser = subprocess.Popen(
        [chromium, *flags, address], stdout=quiet, stderr=quiet, env=environment
    )
    try:
        report = found.get(timeout=120)
    finally:
        browser.terminate()
        browser.wait(timeout=30)
    assert "error" not in report
    assert {one["label"] for one in report["heard"]} <= {"no", "yes", "go", "stop", "left"}
    times = [one["seconds"] for one in report["heard"]]
    assert times == sorted(times)
    assert all(one["score"] >= 0.25 for one in report["heard"])
