"""Whatever happens to a file, reading it ends in a value or in an error of edgernn, in time."""

from __future__ import annotations

import random
import shutil
import signal
import traceback
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edgernn.artefact import read_manifest, read_refusals
from edgernn.devices.inventory import inventory_path, read_inventory
from edgernn.errors import EdgernnError
from edgernn.export.contents import read_contents
from edgernn.export.examples import _named_arrays
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.ranges_file import read_ranges
from edgernn.formats import format_of
from edgernn.front.loaded import load
from edgernn.profile.budget import read_budget
from edgernn.profile.candidates import find_candidates
from edgernn.profile.own_facts import OwnFacts, own_facts
from edgernn.profile.storage import as_json, read_report
from edgernn.report.text import as_text
from edgernn.runtime import Model
from edgernn.tasks.npz import read_npz
from edgernn.tasks.recordings import read_recordings
from edgernn.tasks.table import read_csv
from edgernn.tasks.training_log import read_log, write_log
from tests.edgernn.report import reports
from tests.edgernn.tasks.test_training_log import LOG
from tests.export.test_text_front_end import written
from tests.fuzzing import mutant
from tests.golden import GOLDEN

SMALL: Final = GOLDEN / "small_gru.keras"
LONGEST_S: Final = 10
LONGEST_WAIT_S: Final = 120


def own(path: Path) -> OwnFacts:
    """What a file without a manifest says of itself."""
    found = format_of(path)
    assert found is not None
    return own_facts(path, path.read_bytes(), found)


#: name of the file -> who reads it
READERS: Final[dict[str, Callable[[Path], Any]]] = {
    "gru.keras": read_model,
    "old.h5": read_model,
    "rows.npz": read_npz,
    "inputs.npz": lambda path: _named_arrays(str(path)),
    "rows.csv": read_csv,
    "a/recording.wav": lambda path: read_recordings(path.parent.parent),
    "model.json": lambda path: (
        read_manifest(path.parent),
        read_refusals(path.parent),
        find_candidates([path.parent]),
    ),
    "report.json": lambda path: as_text(read_report(path)),
    "gru.train.json": read_log,
    "ranges.json": lambda path: read_ranges(path, float_graph(read_model(SMALL).graph)),
    "budget.toml": read_budget,
    "devices.toml": lambda _path: read_inventory(),
    "small_gru.ernn": lambda path: (read_contents(path), Model(path)),
    "small_gru.tflite": read_contents,
    "small_gru.onnx": read_contents,
    "words.ernn": lambda path: (own(path), Model(path).labels, Model(path).text),
    "words.onnx": own,
    "words.tflite": own,
}

BUDGET: Final = "[every]\nfile_bytes = 100_000\nagreement = 0.99\n[kitchen]\np95_ms = 5\n"
DEVICES: Final = '[kitchen]\nkind = "ssh"\naddress = "pi@raspberrypi.local"\nboard = "Pi 4"\n'
CSV: Final = "sequence,label,x,y\n" + "".join(
    f"s{row // 4},{'yes' if row % 8 < 4 else 'no'},{row / 7:.3f},{-row}\n" for row in range(40)
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> dict[str, bytes]:
    """An undamaged file of each kind, made by edgernn where edgernn writes such files."""
    folder = tmp_path_factory.mktemp("seeds")
    random_ = np.random.default_rng(0)
    model = load(SMALL)
    (shape,) = model.inputs.values()
    x = random_.normal(size=(16, *(size or 5 for size in shape[1:]))).astype(np.float32)
    model.export(folder, verify=False)
    model.export(
        folder / "int8", to="native", scheme="int8", calibrate=x, ranges=folder / "ranges.json"
    )
    load(written(folder / "words.keras")).export(folder, labels=["bad", "good"], verify=False)
    shutil.copy(SMALL, folder / "gru.keras")
    shutil.copy(GOLDEN / "legacy" / "conv-2.8.0.h5", folder / "old.h5")
    np.savez(folder / "rows.npz", x=x, y=np.arange(16) % 3, labels=np.array(["a", "b", "c"]))
    np.savez_compressed(folder / "inputs.npz", first=x, second=x[:, 0])
    (folder / "rows.csv").write_text(CSV)
    (folder / "budget.toml").write_text(BUDGET)
    (folder / "devices.toml").write_text(DEVICES)
    (folder / "a").mkdir()
    with wave.open(str(folder / "a" / "recording.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(random_.integers(-3000, 3000, 8000, np.int16).tobytes())
    reported = tmp_path_factory.mktemp("report")
    (folder / "report.json").write_text(as_json(reports.measured(reported)))
    write_log(folder / "gru.train.json", LOG)
    return {name: (folder / name).read_bytes() for name in READERS}


class TooSlow(Exception):
    """A reader computed for longer than LONGEST_S, or waited for longer than LONGEST_WAIT_S."""


@contextmanager
def limited() -> Iterator[None]:
    """Seconds of this process's work: those of the clock depend on what else runs."""

    def stop(_signal: int, _frame: object) -> None:
        raise TooSlow

    signals = (signal.SIGPROF, signal.SIGALRM)
    before = [signal.signal(one, stop) for one in signals]
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    signal.alarm(LONGEST_WAIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


def outcomes(seeds, tmp_path, monkeypatch, mutants: int, seed: int) -> Counter[str]:
    """Reads so many mutants of each kind in turn; fails with the first that is no typed error."""
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))
    counts: Counter[str] = Counter()
    faults = []
    for name, read in READERS.items():
        folder = tmp_path / name.replace("/", "-")
        path = tmp_path / name if name == "devices.toml" else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "model.json":
            for other in ("small_gru.onnx", "small_gru.tflite", "small_gru.ernn"):
                (folder / other).write_bytes(seeds[other])
        for number in range(mutants):
            chance = random.Random(f"{seed} {name} {number}")
            path.write_bytes(mutant(seeds[name], name, chance))
            try:
                with limited(), np.errstate(all="ignore"):
                    read(path)
                counts["read"] += 1
            except EdgernnError as error:
                counts["refused"] += 1
                if "\n" in error.what.strip():
                    faults.append(f"{name} {number}: several lines: {error.what[:100]!r}")
            except FileNotFoundError:  # as read_report and read_log document
                raise
            except Exception as error:  # noqa: BLE001 - all of them are what is looked for
                last = traceback.extract_tb(error.__traceback__)[-1]
                faults.append(
                    f"{name} {number}: {type(error).__name__}: {str(error)[:100]} "
                    f"({Path(last.filename).name}:{last.lineno})"
                )
    assert not faults, f"{len(faults)} of {mutants * len(READERS)}:\n" + "\n".join(faults[:60])
    return counts


def test_an_undamaged_file_of_each_kind_is_read(seeds, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path))
    for name, content in seeds.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert inventory_path().exists()
    for name, read in READERS.items():
        read(tmp_path / name)


def test_damaged_files_of_every_kind_end_in_a_value_or_a_typed_error(seeds, tmp_path, monkeypatch):
    counts = outcomes(seeds, tmp_path, monkeypatch, mutants=60, seed=1)
    assert counts["refused"] > counts["read"] / 2


@pytest.mark.long
def test_ten_thousand_damaged_files_end_in_a_value_or_a_typed_error(seeds, tmp_path, monkeypatch):
    counts = outcomes(seeds, tmp_path, monkeypatch, mutants=670, seed=2)
    assert counts.total() >= 10_000
