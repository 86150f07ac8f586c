"""A report whose every figure is known, made on the fake device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgernn.devices.device import Completed
from edgernn.devices.fake import FakeDevice, FakeModel
from edgernn.profile.candidates import Candidate
from edgernn.profile.measure import Plan
from edgernn.profile.profiling import begun, profiled
from edgernn.profile.report import Item, Report, Training
from edgernn.profile.workload import Workload
from edgernn.tasks.samples import Baselines, Samples

ROWS = 1000
SAMPLES = Samples(
    name="digits:test",
    x=np.arange(ROWS, dtype=np.float32).reshape(ROWS, 1, 1),
    y=np.zeros(ROWS, np.int64),
    baselines=Baselines(trivial=0.1, linear=0.918),
)
CRASH = Completed(exit_code=None, signal="SIGSEGV")


def wrong_from(row: int):
    """A model that is right up to that row of SAMPLES: says class 1 afterwards."""
    return lambda case: {"y": (case["x"][:, 0] >= row).astype(np.float32)}


def item(model: str, backend: str, size_bytes: int, **more) -> Item:
    suffix = {"onnx": ".onnx", "tflite": ".tflite"}[backend]
    fields = {
        "file": model + suffix,
        "sha256": model + backend,
        "model": model,
        "backend": backend,
        "scheme": "float32",
        "bytes": size_bytes,
        "parameters": size_bytes // 4,
        "streaming": False,
        "verification": "passed (2e-07)",
        "source_sha256": model,
        "training": Training(
            cell=model,
            units=128,
            layers=1,
            seconds=41.2,
            seconds_to_best=30.0,
            epochs_to_best=12,
        ),
    }
    return Item(**{**fields, **more})


MODELS = {
    "gru.onnx": FakeModel(
        hot_ms=[[0.5, 0.5, 0.52]], load_ms=4.25, first_call_ms=0.9, compute=wrong_from(986)
    ),
    "lstm.onnx": FakeModel(
        hot_ms=[[0.6, 0.6, 0.61], [0.61, 0.61, 0.62]],
        load_ms=5.5,
        first_call_ms=1.1,
        compute=wrong_from(990),
    ),
    "gru.tflite": FakeModel(ends={"latency": CRASH}, compute=wrong_from(986)),
}
ITEMS = (
    item("gru", "onnx", 76_000),
    item("lstm", "onnx", 100_000),
    item("gru", "tflite", 78_000),
)


def measured(
    folder: Path,
    *,
    models=MODELS,
    items=ITEMS,
    plan=Plan(),  # noqa: B008 - immutable
    samples=SAMPLES,
    metric=None,
    name="desk",
    report=None,
    outputs=(),
) -> Report:
    """A finished report on a fake device of that name."""
    for one in items:
        (folder / one.file).write_bytes(b"")
    candidates = [Candidate(item=one, path=folder / one.file, outputs=outputs) for one in items]
    workload = Workload(samples=samples, metric=metric)
    report = report or begun("2026-01-02T03:04:05+00:00", plan, workload)
    last = list(profiled(report, FakeDevice(name=name, models=models), candidates, workload))[-1]
    return last.report


def with_hot_ms(file: str, hot_ms) -> dict[str, FakeModel]:
    """MODELS with other times for one file."""
    return {**MODELS, file: replace(MODELS[file], hot_ms=hot_ms)}
