"""A headless Chromium that tests drive over its debugging pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Silent(SimpleHTTPRequestHandler):
    """Serves a folder and writes no log."""

    def log_message(self, *_words: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on loopback, as the address of its top."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Page:
    """A page of the browser, as wide as a phone or as asked for."""

    def __init__(self, to: int, answers: int) -> None:
        self._to, self._answers = to, answers
        self._rest, self._count, self._session = b"", 0, ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def open(self, address: str, *, width: int, height: int) -> None:
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._ask("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is, as JSON can say it."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str, *, seconds: float) -> Any:
        """The value of the expression, once it is true; a test fails when it stays false."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.value(expression):
                return value
            time.sleep(0.2)
        shown = self.value("document.body.innerText")
        pytest.fail(f"{expression} stayed false; the page shows: {shown}")

    def picture(self, path: Path) -> None:
        data = self._ask("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                piece = os.read(self._answers, 1 << 16)
                if not piece:
                    pytest.fail("Chromium ended")
                self._rest += piece
            line, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]


@contextmanager
def chromium(
    home: Path,
    *,
    microphone: Path | None = None,
    more: tuple[str, ...] = (),
    fewer: tuple[str, ...] = (),
) -> Iterator[Page]:
    """A browser whose microphone plays a .wav once; the test is skipped where there is none.

    `more` and `fewer`: flags beside and of those that a test of sound needs.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    sound = [] if microphone is None else [f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    ours, theirs = os.pipe(), os.pipe()
    # The browser reads from 3 and writes to 4.
    script = f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}'
    usual = [flag for flag in _FLAGS if flag not in fewer]
    flags = [*usual, *more, *sound, f"--user-data-dir={home / 'profile'}"]
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", program, *flags],
        pass_fds=(ours[0], theirs[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(home)},
    )
    os.close(ours[0])
    os.close(theirs[1])
    try:
        yield Page(ours[1], theirs[0])
    finally:
        process.terminate()
        process.wait(timeout=30)
        os.close(ours[1])
        os.close(theirs[0])
