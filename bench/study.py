"""`make study`: GRU beside LSTM on every task, over seeds, into docs/choosing.md.

    python -m bench.study [--tasks digits,bike] [--seeds 5] [--rows 2000] [--folder study]

Each task is a comparison in a folder of its own; what is trained is kept, so the study can be cut
off and started again at any time.  Subsets keep it within 2.5 hours on two cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgernn import atomic
from edgernn.report.compared import comparison_json, comparison_markdown
from edgernn.scheme import Scheme
from edgernn.scoring.metric import METRICS, Metric
from edgernn.selection.comparing import Question, compared
from edgernn.selection.row_scores import row_metric
from edgernn.selection.verdict import Worth
from edgernn.selection.work import Forms
from edgernn.tasks.data import task_named
from edgernn.tasks.registry import TASKS
from edgernn.tasks.samples import Samples, Split, Splits
from edgernn.tasks.target import Target

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "choosing.md"
BEGIN, END = "<!-- study: made by `make study` -->", "<!-- end of study -->"
#: Their 3 layers of 650 units would take days; tokens are no target of a comparison.
LEFT_OUT = ("next-byte",)
MOST_UNITS, MOST_EPOCHS = 32, 30
#: An interval of so many points or percent says nothing: other programs were running.
UNRESOLVED = 60


def subset(splits: Splits, rows: int) -> Splits:
    """At most so many training rows, and of the other parts in proportion; evenly spread."""
    share = min(1.0, rows / len(splits.train))

    def some(part: Samples, most: int) -> Samples:
        chosen = np.linspace(0, len(part) - 1, min(len(part), most)).astype(np.int64)
        return part if len(chosen) == len(part) else part.rows(chosen, name=part.name)

    sizes = {
        Split.TRAIN: rows,
        Split.VALIDATION: max(100, round(share * len(splits.validation))),
        Split.CALIBRATION: 256,
        Split.TEST: 1500,
    }
    return Splits(**{part.value: some(splits.part(part), sizes[part]) for part in Split})


def studied(name: str, folder: Path, *, seeds: int, rows: int, workers: int) -> None:
    """Compares on one task; the results are in its folder."""
    task = task_named(name)
    splits = subset(task.read(print), rows)
    metric = row_metric(splits.test)
    recipe = replace(
        task.recipe,
        units=min(task.recipe.units, MOST_UNITS),
        epochs=min(task.recipe.epochs, MOST_EPOCHS),
    )
    question = Question(
        name=name,
        splits=splits,
        recipe=recipe,
        architectures=("gru", "lstm"),
        seeds=seeds,
        forms=Forms(formats=("native",), schemes=(Scheme.FLOAT32, Scheme.INT8)),
        workers=workers,
        worth=Worth(amount=0.005) if metric.is_share else Worth(amount=0.02, is_relative=True),
    )
    found = compared(question, folder, resume=folder.exists(), progress=print)
    atomic.write_bytes(folder / "report.md", comparison_markdown(found).encode())
    atomic.write_bytes(folder / "report.json", comparison_json(found).encode())


def table(folder: Path) -> Iterator[str]:
    """Markdown lines of the tasks that have a result."""
    yield "| task | rows, units, seeds | metric | GRU | LSTM | LSTM − GRU | verdict on LSTM |"
    yield "|---|---|---|---|---|---|---|"
    for path in sorted(folder.glob("*/report.json")):
        entry = json.loads(path.read_text(encoding="utf-8"))
        metric = METRICS[entry["metric"]]
        gru, lstm = (
            next(
                one
                for one in entry["groups"][0]["standings"]
                if one["contender"]["architecture"] == cell and one["form"] == "original"
            )
            for cell in ("gru", "lstm")
        )
        effect = lstm["verdict"]["effect"]
        scale = metric.scale
        low, high = (scale * bound for bound in effect["interval"])
        yield (
            f"| {entry['data']} | {entry['training_rows']:,}, {gru['contender']['units']}, "
            f"{len(gru['scores'])} | {metric.name} | {_mean(gru, metric)} "
            f"| {_mean(lstm, metric)} | {scale * effect['estimate']:+.2f} "
            f"[{low:+.2f}, {high:+.2f}] | {lstm['verdict']['outcome']}{_neither(entry)} |"
        )


def sayings(folder: Path) -> Iterator[str]:
    """Markdown lines: what people say, and the same figure on each task."""
    found: dict[str, dict[str, str]] = {}
    tasks = []
    for path in sorted(folder.glob("*/report.json")):
        entry = json.loads(path.read_text(encoding="utf-8"))
        tasks.append(entry["data"])
        for one in entry["told"]:
            text = f"{one['here']:.1f} {one['unit']}"
            if one["interval"]:
                low, high = one["interval"]
                text += f" [{low:.1f}, {high:.1f}]"
                if high - low > UNRESOLVED:
                    text = "not resolved"
            found.setdefault(one["claim"], {})[entry["data"]] = text
    yield "| people say | " + " | ".join(tasks) + " |"
    yield "|---" * (len(tasks) + 1) + "|"
    for claim, by_task in found.items():
        yield f"| {claim} | " + " | ".join(by_task.get(task, "–") for task in tasks) + " |"


def _mean(standing: dict[str, list[float]], metric: Metric) -> str:
    return metric.text(float(np.mean(standing["scores"])))


def _neither(entry: dict[str, object]) -> str:
    beside = entry["baselines"]
    if not isinstance(beside, list):
        return ""
    lost = [
        one for one in beside if one["verdict"]["outcome"] in {"worse", "equal for your purpose"}
    ]
    return f"; the {lost[0]['baseline']} model is as good or better: use neither" if lost else ""


def write_page(folder: Path) -> None:
    """Puts the tables between the marks of docs/choosing.md."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    middle = "\n".join([*table(folder), "", *sayings(folder)])
    atomic.write_bytes(PAGE, f"{before}{BEGIN}\n\n{middle}\n\n{END}{after}".encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [
        name
        for name, task in TASKS.items()
        if name not in LEFT_OUT and Target.TOKEN.value not in name and task.shape
    ]
    parser.add_argument("--tasks", default=",".join(names))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2000, help="training rows at most")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("study"))
    given = parser.parse_args()
    for name in given.tasks.split(","):
        print(f"== {name}", flush=True)
        studied(
            name, given.folder / name, seeds=given.seeds, rows=given.rows, workers=given.workers
        )
        write_page(given.folder)


if __name__ == "__main__":
    main()
