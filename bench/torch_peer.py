"""A keyword spotter of PyTorch: our int8 files beside those of litert-torch, in one run.

litert-torch writes each step of a recurrent layer as operators of its own.  Its environment is not
ours (`make bench PEERS=torch`); LiteRT of ours runs its files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.alternate import alternate
from bench.comparison import Comparison, below, faster
from bench.latency import tflite_call

#: Names the Python that has litert-torch.
PYTHON: Final = "EDGERNN_LITERT_TORCH_PYTHON"

MOST_KB: Final = 85.0
LEAST_RATIO: Final = {"our int8 TFLite": 1.3, "native int8": 3.5}
#: The peer's files; targets hold for those of 8-bit weights.
_PEERS: Final = {
    "litert-torch int8": ("litert-int8.tflite", True),
    "litert-torch dynamic": ("litert-dynamic.tflite", True),
    "litert-torch float32": ("litert-float32.tflite", False),
}


def compare_torch(folder: Path) -> Iterator[Comparison]:
    """Trains the module and makes the peer's files in `folder`, exports ours, compares."""
    folder.mkdir(exist_ok=True)
    python = os.environ[PYTHON]
    if not (folder / "litert-int8.tflite").exists():
        subprocess.run([python, "-m", "bench.torch_models", str(folder)], check=True)
    out = folder / "out"
    subprocess.run(
        [
            *(sys.executable, "-m", "edgernn", "export", str(folder / "keyword.pt2")),
            *("--to", "native,tflite", "--scheme", "int8"),
            *("--calibrate", str(folder / "keyword.npz"), "-o", str(out)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    tflite = out / "keyword.int8.tflite"
    yield below(f"size of GRU-128 of PyTorch, {tflite.name}", _kb(tflite), "kB", limit=MOST_KB)
    for peer, (name, _) in _PEERS.items():
        yield _smaller(tflite, peer, folder / name)
    yield from _timed(folder, out)
    yield from _apart(folder, out)


def _kb(path: Path) -> float:
    return path.stat().st_size / 1000


def _smaller(ours: Path, peer: str, theirs: Path) -> Comparison:
    return Comparison(
        name=f"size of GRU-128 of PyTorch, our int8 TFLite against {peer}",
        ours=f"{_kb(ours):.1f} kB",
        peer=f"{_kb(theirs):.1f} kB",
        ratio=_kb(theirs) / _kb(ours),
        target=0,
    )


def _timed(folder: Path, out: Path) -> Iterator[Comparison]:
    import edgernn

    with np.load(folder / "fresh.npz") as arrays:
        x = arrays["x"][:1]
    native = edgernn.Model(out / "keyword.int8.ernn")
    calls = {
        "our int8 TFLite": tflite_call(out / "keyword.int8.tflite", x),
        "native int8": lambda: native(x),
    }
    for peer, (name, _) in _PEERS.items():  # a peer of bytes gets bytes
        calls[peer] = tflite_call(folder / name, _Port.of(folder / name).as_input(x))
    timed = alternate(calls, rounds=40, block_ms=6)
    for ours, target in LEAST_RATIO.items():
        for peer, (_, judged) in _PEERS.items():
            yield faster(
                f"GRU-128 of PyTorch, {ours} against {peer}",
                timed,
                ours=ours,
                peer=peer,
                target=target if judged else 0,
            )


def _apart(folder: Path, out: Path) -> Iterator[Comparison]:
    """How far int8 answers are from PyTorch's on rows that were never seen, and words missed."""
    import edgernn

    with np.load(folder / "fresh.npz") as arrays:
        x, labels, answers = arrays["x"], arrays["labels"], arrays["answers"]
    peer = "litert-torch int8"
    ours = {
        "our int8 TFLite": _answers(out / "keyword.int8.tflite", x),
        "native int8": np.asarray(edgernn.Model(out / "keyword.int8.ernn")(x)),
    }
    theirs = _answers(folder / _PEERS[peer][0], x)

    def told(found: np.ndarray) -> tuple[float, str]:
        apart = float(np.abs(found - answers).mean())
        missed = 100 * float((found.argmax(-1) != labels).mean())
        return apart, f"{apart:.5f}, {missed:.1f} %"

    missed = 100 * float((answers.argmax(-1) != labels).mean())
    for name, found in ours.items():
        (mine, said), (other, their_words) = told(found), told(theirs)
        yield Comparison(
            name=f"GRU-128 of PyTorch ({missed:.1f} % of {len(x)} words missed), {name}: "
            "mean error of a probability, words missed",
            ours=said,
            peer=f"{peer} {their_words}",
            ratio=other / mine,
            target=0,
        )


def _answers(path: Path, x: np.ndarray) -> np.ndarray:
    """Row by row: the peer's file takes one at a time."""
    port = _Port.of(path)
    given = port.as_input(x[:1]).copy()
    call = tflite_call(path, given)
    answers = []
    for one in x:
        given[:] = port.as_input(one[None])  # what the call reads
        answers.append(port.as_numbers(np.asarray(call())))
    return np.stack(answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Port:
    """(scale, zero) of a file's input and output; a scale of 0: numbers as they are."""

    entry: tuple[float, int]
    result: tuple[float, int]

    @classmethod
    def of(cls, path: Path) -> _Port:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=1)
        return cls(
            entry=interpreter.get_input_details()[0]["quantization"],
            result=interpreter.get_output_details()[0]["quantization"],
        )

    def as_input(self, x: np.ndarray) -> np.ndarray:
        scale, zero = self.entry
        return np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8) if scale else x

    def as_numbers(self, result: np.ndarray) -> np.ndarray:
        scale, zero = self.result
        return (result[0].astype(np.float32) - zero) * scale if scale else result[0].copy()
