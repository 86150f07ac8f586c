"""Accuracy against bytes: weights of few bits, trained on their grid, beside the same in float.

    python -m bench.few_bits tune digits 0 [int4 …]      # one seed of the model of the tests
    python -m bench.few_bits grow digits 16 0 [int4 …]   # of a model of so many units
    python -m bench.few_bits study [digits …]            # all of them, as far as time goes
    python -m bench.few_bits page                        # tables and pictures of docs/int4.md

Each run adds lines to docs/few-bits.json; `page` reads nothing else, and `study` continues.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from bench.few_bits_page import write_page
from bench.few_bits_record import SCHEMES, TUNINGS, add, recorded
from bench.few_bits_runs import grown, of_tests

_SEEDS: Final = range(5)

#: Units of models that are narrower than those of the tests, by task.
_WIDTHS: Final = {
    "counter": (8, 12),
    "japanese-vowels": (16, 24),
    "digits": (16, 24),
    "languages": (24, 32),
}
_OF_WIDTHS: Final = ("float", "int8", "int4")
_SEEDS_OF_WIDTHS: Final = range(3)


def study(tasks: Sequence[str]) -> None:
    """What is not in the record: models of the tests first, then other widths."""
    for seed in _SEEDS:
        for task in tasks:
            _tune_missing(task, seed)
    for seed in _SEEDS_OF_WIDTHS:
        for task in tasks:
            for units in _WIDTHS[task]:
                missing = _missing(task, f"{TUNINGS[task].cell} {units}", seed, _OF_WIDTHS)
                if missing:
                    add(grown(task, units, seed, missing))


def _tune_missing(task: str, seed: int) -> None:
    missing = _missing(task, TUNINGS[task].model, seed, SCHEMES)
    if missing:
        add(of_tests(task, seed, missing))


def _missing(task: str, model: str, seed: int, schemes: tuple[str, ...]) -> tuple[str, ...]:
    there = {
        row.scheme for row in recorded() if (row.task, row.model, row.seed) == (task, model, seed)
    }
    return tuple(scheme for scheme in schemes if scheme not in there)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["tune", task, seed, *schemes]:
            add(of_tests(task, int(seed), tuple(schemes) or SCHEMES))
        case ["grow", task, units, seed, *schemes]:
            add(grown(task, int(units), int(seed), tuple(schemes) or _OF_WIDTHS))
        case ["study", *tasks]:
            study(tasks or list(TUNINGS))
        case ["page"]:
            write_page(recorded())
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
