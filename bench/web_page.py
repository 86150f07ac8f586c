"""The kit for the web beside LiteRT.js: int8 keyword spotters in one page of headless Chromium.

Needs chromium, clang, lld and npm, which fetches LiteRT.js as bench/web/package.json names it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, Final

import numpy as np

from bench.comparison import Comparison, faster
from bench.stock_int8 import FEATURES, STEPS
from edgernn.kits import package

_PAGE: Final = Path(__file__).parent / "web"
_OURS: Final = "ours"
#: Name of the peer -> its file below the folder, and how many times as fast we must be.
_PEERS: Final = {
    "LiteRT.js, our int8 .tflite": ("out/gru.int8.tflite", 1.0),
    "LiteRT.js, stock dynamic": ("stock-gru.dynamic.tflite", 1.0),
    "LiteRT.js, stock int8, unrolled": ("stock-gru.int8.tflite", 1.0),
}
#: Two int8 models of one float model; the largest scores of the page's first call differ by less.
_ALIKE: Final = 0.1
_LONGEST_S: Final = 300


def missing() -> str | None:
    """What to install first; None where all is there."""
    needed = {"clang": "clang", "wasm-ld": "lld", "npm": "npm"}
    packages = [package for program, package in needed.items() if not shutil.which(program)]
    if _browser() is None:
        packages.append("chromium")
    return f"apt-get install {' '.join(packages)}" if packages else None


def compare_web_page(folder: Path) -> Iterator[Comparison]:
    """Builds the models in `folder`, packages ours, compares; raises where an answer is wrong."""
    if (install := missing()) is not None:
        raise SystemExit(f"the page cannot be measured: {install}")
    folder.mkdir(exist_ok=True)
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if not (folder / "stock-gru.int8.tflite").exists():
        subprocess.run([sys.executable, "-m", "bench.stock_int8", str(folder), "gru"], **quiet)  # type: ignore[call-overload]
    subprocess.run(
        [
            *(sys.executable, "-m", "edgernn", "export", str(folder / "gru.keras")),
            *("--to", "native,tflite", "--scheme", "int8", "--no-verify"),
            *("--calibrate", str(folder / "calibration.npz"), "-o", str(folder / "out")),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield from compared(folder, _PEERS)


def compared(folder: Path, peers: Mapping[str, tuple[str, float]]) -> Iterator[Comparison]:
    """The models in `folder`, whatever made them."""
    shutil.rmtree(folder / "web", ignore_errors=True)
    package(folder / "out" / "gru.int8.ernn", target="web", folder=folder / "web")
    x = np.random.default_rng(1).normal(size=(1, STEPS, FEATURES)).astype("<f4")
    x.tofile(folder / "x.f32")
    paths = {name: path for name, (path, _) in peers.items()}
    (folder / "plan.json").write_text(json.dumps({"shape": x.shape, "peers": paths}))
    for file in _PAGE.iterdir():
        shutil.copy(file, folder)
    flags = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    subprocess.run(["npm", "install", *flags], cwd=folder, check=True)
    report = _reported(folder)
    timed = {name: np.array(values) for name, values in report["times"].items()}
    for name, (_, target) in peers.items():
        difference = np.abs(np.subtract(report["answers"][_OURS], report["answers"][name])).max()
        if not difference < _ALIKE:
            raise AssertionError(f"{name}: scores differ by {difference:.3f} from ours")
        yield faster(
            f"int8 GRU in a page against {name}", timed, ours=_OURS, peer=name, target=target
        )


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder and keeps what the page posts."""

    def __init__(self, *words: Any, reports: Queue[Any], **options: Any) -> None:
        self._reports = reports
        super().__init__(*words, **options)

    def end_headers(self) -> None:
        # An isolated page has a clock of 5 µs in place of 100.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def do_POST(self) -> None:
        self._reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_words: Any) -> None:
        pass


def _browser() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


def _reported(folder: Path) -> dict[str, Any]:
    """What page.html measured in a browser of its own."""
    browser = _browser()
    assert browser is not None
    reports: Queue[Any] = Queue()
    handler = partial(_Handler, directory=str(folder), reports=reports)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    flags = ("--headless=new", "--no-sandbox", f"--user-data-dir={folder / 'profile'}")
    address = f"http://127.0.0.1:{server.server_port}/page.html"
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([browser, *flags, address], stdout=quiet, stderr=quiet)
    try:
        report: dict[str, Any] = reports.get(timeout=_LONGEST_S)
    finally:
        process.terminate()
        process.wait(timeout=30)
        server.shutdown()
        server.server_close()
        thread.join()
    if "error" in report:
        raise RuntimeError(f"the page failed: {report['error']}")
    return report
