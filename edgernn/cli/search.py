"""`edgernn search`: the smallest model that is accurate enough and fits the device."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from edgernn.cli import several_trainings
from edgernn.cli.completion import complete_devices, complete_schemes, complete_tasks
from edgernn.cli.parameters import Duration


class Bytes(click.ParamType[int]):
    """A size like 20k, 9500 or 1.5M; k is a thousand."""

    name = "size"
    _UNITS = {"": 1, "k": 1_000, "m": 1_000_000}  # noqa: RUF012

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kKmM]?)[bB]?\s*", str(value))
        if found is None or float(found[1]) <= 0:
            self.fail(f"'{value}' is not a size; write 9500, 20k or 1.5M", param, ctx)
        return round(float(found[1]) * self._UNITS[found[2].lower()])


@click.command()
@click.argument("data", shell_complete=complete_tasks)
@click.option("--accuracy", type=float, help="Least accuracy in percent: 97.5 (classes).")
@click.option("--error", type=float, help="Largest mean absolute error (numbers).")
@click.option("--max-bytes", type=Bytes(), help="Largest file: 20k.")
@click.option("--p95", "p95_s", type=Duration(), help="Longest call on the device (95 %): 2ms.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    shell_complete=complete_devices,
    help="Where the model is to run.",
)
@several_trainings.models()
@click.option(
    "--scheme",
    default="int8",
    show_default=True,
    shell_complete=complete_schemes,
    help="Of the file.",
)
@click.option("--to", default="native", show_default=True, help="Format of the file.")
@click.option("--fastest", is_flag=True, help="Look for the least time, not the least bytes.")
@click.option(
    "--trials",
    type=click.IntRange(0, 10_000),
    default=40,
    show_default=True,
    help="Recipes to try at most: learning rate, dropout, batch, a convolution in front.",
)
@several_trainings.epochs
@several_trainings.workers(least=0)
@several_trainings.hosts
@click.option("--storage", metavar="URL", help="postgresql://host/db: `edgernn worker` trains.")
@several_trainings.time_limit
@several_trainings.target
@several_trainings.hold_out
@click.option("--resume", is_flag=True, help="Continue the search in the folder.")
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the model, its file, and report.md, .html, .json.",
)
@several_trainings.as_json
def command(
    data: str,
    accuracy: float | None,
    p95_s: float | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the smallest model for DATA that is accurate enough and fits the device.

    \b
    edgernn search digits --accuracy 97.5 --max-bytes 10k --workers 2 --time-limit 15min -o best/
    edgernn search mydata.npz --accuracy 95 --p95 2ms --device kitchen --fastest -o best/

    Bytes are known and times predicted before anything is trained.  The winner is measured on the
    device; one that is slower than --p95 there makes way for the next.  The test rows are opened
    once, for the winner.  Exit code 14: the winner misses a limit.
    """
    from edgernn.errors import BudgetExceeded
    from edgernn.front.searching import search

    found = search(
        data,
        accuracy=None if accuracy is None else accuracy / 100,
        p95_ms=None if p95_s is None else 1e3 * p95_s,
        out=out,
        progress=several_trainings.progress_lines(),
        **options,
    )
    if as_json:
        click.echo((out / "report.json").read_text(encoding="utf-8"), nl=False)
    else:
        click.echo(str(found))
    if not found.holds:
        raise BudgetExceeded(
            f"the winner misses: {', '.join(found.values.missed)}",
            remedy="Give more time and --resume, or a larger budget",
        )
