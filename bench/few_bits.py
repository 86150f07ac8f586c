"""Accuracy against bytes: weights of few bits, trained on their grid, beside the same in float.

    python -m bench.few_bits tune counter counter_lstm 0     # one seed of a model of the tests
    python -m bench.few_bits grow 64 0                       # digits, a GRU of so many units
    python -m bench.few_bits page                            # table and picture of docs/int4.md

Each run adds lines to docs/few-bits.json; `page` reads nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from edgernn.aware.model import copied, deployed, quantization_aware
from edgernn.export.keras.file import parameters_of, read_model
from edgernn.export.native import lower
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.report.page import picture_file
from edgernn.report.svg import Spread, linear_scale, spread_plot
from edgernn.scheme import Scheme
from edgernn.tasks.data import task_named
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.samples import Splits
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import train

_TOP: Final = Path(__file__).resolve().parents[1]
_RECORD: Final = _TOP / "docs" / "few-bits.json"
_PICTURE: Final = _TOP / "docs" / "few-bits.svg"
_PAGE: Final = _TOP / "docs" / "int4.md"
_BEGIN: Final = "<!-- made by bench.few_bits -->"
_END: Final = "<!-- end of what bench.few_bits makes -->"
_MODELS: Final = _TOP / "tests" / "golden" / "trained"

#: float: the control.  In the file, int3 and ternary are int4.
_SCHEMES: Final = ("float", "int8", "int4", "int3", "ternary")
_IN_FILE: Final = {"float": Scheme.FLOAT32, "int8": Scheme.INT8}

_RATE: Final = 1e-3
_EPOCHS: Final = {"digits": 12, "counter": 12, "japanese-vowels": 25, "languages": 4}
_ROWS: Final = {"languages": 8000}  # to train on; all rows of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fine-tuning.  Scores are shares of the task's test rows."""

    task: str
    model: str
    scheme: str
    seed: int
    before: float  # rounded, not yet trained on the grid
    after: float
    bytes: int  # of the native file; 0 where it was not made


def tuned(task: str, name: str, start: Path, seed: int, schemes: tuple[str, ...]) -> Iterator[Row]:
    """The same fine-tuning from one model, in float and on each grid."""
    keras = load_keras()
    splits, base = _splits(task), keras.models.load_model(start)
    batch = 32 if len(splits.train) <= 3000 else 128
    for scheme in schemes:
        keras.utils.set_random_seed(seed)
        model = copied(base) if scheme == "float" else quantization_aware(base, scheme)
        rate = _RATE / 2 if task == "languages" else _RATE
        model.compile(
            keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        before = _accuracy(model, splits)
        rows = slice(_ROWS.get(task))
        model.fit(
            splits.train.x[rows],
            np.asarray(splits.train.y)[rows],
            validation_data=(splits.validation.x, splits.validation.y),
            epochs=_EPOCHS[task],
            batch_size=batch,
            verbose=0,
            callbacks=[keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)],
        )
        yield Row(
            task=task,
            model=name,
            scheme=scheme,
            seed=seed,
            before=before,
            after=_accuracy(model, splits),
            bytes=_bytes(model, scheme, splits),
        )


def grown(units: int, seed: int, schemes: tuple[str, ...]) -> Iterator[Row]:
    """A GRU of another width on digits: what more or fewer units do for the same bytes."""
    recipe = replace(Recipe(), units=units, epochs=25, batch_size=64)
    with TemporaryDirectory() as folder:
        start = Path(folder) / "digits.keras"
        train(
            *(_splits("digits"), start),
            task="digits",
            cell="gru",
            recipe=recipe,
            seed=seed,
            count_parameters=parameters_of,
        )
        yield from tuned("digits", f"GRU {units}", start, seed, schemes)


def _splits(task: str) -> Splits:
    return task_named(task).read(lambda _phase: None)


def _accuracy(model: Any, splits: Splits) -> float:
    test = splits.test
    return float(model.evaluate(test.x, test.y, batch_size=256, verbose=0)[1])


def _bytes(model: Any, scheme: str, splits: Splits) -> int:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        plain = model if scheme == "float" else deployed(model.inner, model.on_grid).model
        plain.save(path)
        graph = float_graph(read_model(path).graph)
    ranges = calibrate(graph, {graph.inputs[0].name: splits.calibration.x[:64]})
    made = quantize(graph, ranges, _IN_FILE.get(scheme, Scheme.INT4))
    return len(lower(made, metadata={}).content)


def recorded() -> list[Row]:
    """All rows measured so far."""
    if not _RECORD.exists():
        return []
    return [Row(**entry) for entry in json.loads(_RECORD.read_text())]


def add(rows: Iterator[Row]) -> None:
    """Writes each row when it is there: a run may be stopped at any time."""
    for row in rows:
        key = (row.task, row.model, row.scheme, row.seed)
        known = [one for one in recorded() if (one.task, one.model, one.scheme, one.seed) != key]
        entries = [
            {name: getattr(one, name) for name in Row.__dataclass_fields__} for one in (*known, row)
        ]
        lines = ",\n".join(json.dumps(entry) for entry in entries)
        _RECORD.write_text(f"[\n{lines}\n]\n")
        print(f"{row.model} {row.scheme} seed {row.seed}: {100 * row.after:.1f} %", flush=True)


def table(rows: list[Row]) -> str:
    """Markdown: one line for each model and scheme, differences to the control of the same seed."""
    lines = [
        "| task, model | weights | bytes | rounded | trained on the grid | against float, seeds |",
        "|---|---|---|---|---|---|",
    ]
    for task, model in dict.fromkeys((row.task, row.model) for row in rows):
        mine = [row for row in rows if (row.task, row.model) == (task, model)]
        control = {row.seed: row.after for row in mine if row.scheme == "float"}
        for scheme in _SCHEMES:
            some = [row for row in mine if row.scheme == scheme and row.seed in control]
            if not some:
                continue
            lost = [100 * (row.after - control[row.seed]) for row in some]
            spread = f" ± {stdev(lost):.1f}" if len(lost) > 1 else ""
            size = max(row.bytes for row in some)
            lines.append(
                f"| {task}, {model} | {scheme} | {f'{size:,}' if size else ''} "
                f"| {100 * mean(row.before for row in some):.1f} % "
                f"| {100 * mean(row.after for row in some):.1f} % "
                f"| {mean(lost):+.1f}{spread}, {len(lost)} |"
            )
    return "\n".join(lines)


def picture(rows: list[Row]) -> str:
    """Each fine-tuning beside the same in float: points of accuracy, and bytes of its file."""
    control = {(row.model, row.seed): row for row in rows if row.scheme == "float"}
    spreads = []
    for scheme in _SCHEMES[1:]:
        for task, model in dict.fromkeys((row.task, row.model) for row in rows):
            some = [
                (row, control[row.model, row.seed])
                for row in rows
                if (row.model, row.scheme) == (model, scheme) and (row.model, row.seed) in control
            ]
            if not some:
                continue
            lost = [100 * (row.after - beside.after) for row, beside in some]
            share = max(row.bytes / beside.bytes for row, beside in some)
            spreads.append(
                Spread(
                    name=f"{scheme}, {task}: {100 * share:.0f} % of the bytes of float32",
                    low=min(lost),
                    middle=mean(lost),
                    high=max(lost),
                    dots=tuple(lost),
                )
            )
    ends = [0.0, *(end for one in spreads for end in (one.low, one.high))]
    return spread_plot(
        spreads,
        linear_scale(ends, least=-100, most=100),
        title="Points of accuracy against the same training in float",
        unit="points against the same training in float",
    )


def main(arguments: list[str]) -> None:
    match arguments:
        case ["tune", task, model, seed, *schemes]:
            chosen = tuple(schemes) or _SCHEMES
            add(tuned(task, model, _MODELS / f"{model}.keras", int(seed), chosen))
        case ["grow", units, seed, *schemes]:
            add(grown(int(units), int(seed), tuple(schemes) or _SCHEMES))
        case ["page"]:
            _PICTURE.write_text(picture_file(picture(recorded())))
            before, rest = _PAGE.read_text().split(_BEGIN)
            _PAGE.write_text(f"{before}{_BEGIN}\n{table(recorded())}\n{_END}{rest.split(_END)[1]}")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
