"""Recipes for models that are too small with the usual one: learning rate, dropout, batch, front.

Optuna samples; it keeps nothing.  What was tried lies in the folder of the search, one file each;
a new sampler reads it when the search goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from edgernn import atomic
from edgernn.errors import DataError, MissingRuntime
from edgernn.selection.contender import Contender
from edgernn.tasks.task import Recipe

_VERSION: Final = 1
_SEED: Final = 20_240
FRONTS: Final = ("", "conv-")
#: Tried first, with each contender: what small models lack most are a wider view and updates.
FIRST_RECIPES: Final = tuple(
    {"front": front, "learning_rate": 5e-3, "dropout": 0.0, "batch_size": 32}
    for front in ("conv-", "")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A contender and a recipe to try."""

    number: int
    contender: Contender
    recipe: Recipe


class Tuner:
    """Asks Optuna for suggestions among contenders; resumes from `folder`."""

    def __init__(
        self, contenders: Sequence[Contender], recipe: Recipe, folder: Path, *, higher: bool
    ) -> None:
        """Raises MissingRuntime without Optuna, DataError for a damaged file in `folder`."""
        self._optuna = _optuna()
        self._contenders = tuple(contenders)
        self._recipe = recipe
        self._folder = folder
        self._study = self._optuna.create_study(
            direction="maximize" if higher else "minimize",
            sampler=self._optuna.samplers.TPESampler(seed=_SEED, n_startup_trials=8),
        )
        self._asked: dict[int, Any] = {}
        self._number = 0
        self.earlier: list[tuple[Suggestion, float]] = []  # of an earlier start, with their scores
        self._resume()
        for settings in FIRST_RECIPES:
            for place in range(len(self._contenders)):
                self._study.enqueue_trial({"contender": place, **settings}, skip_if_exists=True)

    def suggestion(self) -> Suggestion:
        """The next one; it is `told` later."""
        trial = self._study.ask(self._space())
        suggestion = self._of(trial.params, self._number)
        self._asked[self._number] = trial
        self._number += 1
        return suggestion

    def told(self, suggestion: Suggestion, score: float | None) -> None:
        """The mean score of a suggestion's trainings; None: it cannot be trained.

        Raises OutputError.
        """
        trial = self._asked.pop(suggestion.number)
        state = self._optuna.trial.TrialState
        if score is None:
            self._study.tell(trial, state=state.PRUNED)
            return
        self._study.tell(trial, score)
        entry = {
            "format": "edgernn-search-trial",
            "version": _VERSION,
            "number": suggestion.number,
            "contenders": [asdict(one) for one in self._contenders],
            "params": trial.params,
            "score": score,
        }
        path = self._folder / f"{suggestion.number:04}.json"
        atomic.write_bytes(path, json.dumps(entry).encode() + b"\n")

    def _space(self) -> dict[str, Any]:
        of = self._optuna.distributions
        return {
            "contender": of.CategoricalDistribution(range(len(self._contenders))),
            "front": of.CategoricalDistribution(FRONTS),
            "learning_rate": of.FloatDistribution(5e-4, 1.6e-2, log=True),
            "dropout": of.FloatDistribution(0.0, 0.4, step=0.1),
            "batch_size": of.CategoricalDistribution((16, 32, 64, 128)),
        }

    def _of(self, params: dict[str, Any], number: int) -> Suggestion:
        base = self._contenders[params["contender"]]
        return Suggestion(
            number=number,
            contender=replace(base, architecture=params["front"] + base.architecture),
            recipe=replace(
                self._recipe,
                learning_rate=params["learning_rate"],
                dropout=params["dropout"],
                batch_size=params["batch_size"],
            ),
        )

    def _resume(self) -> None:
        """The sampler gets what was tried among the same contenders."""
        atomic.make_folder(self._folder)
        for path in sorted(self._folder.glob("[0-9]*.json")):
            try:
                entry = json.loads(path.read_text(encoding="utf-8"))
                number = int(entry["number"])
                # Of other contenders, too: no file is written over.
                self._number = max(self._number, number + 1)
                if entry["contenders"] != [asdict(one) for one in self._contenders]:
                    continue
                trial = self._optuna.trial.create_trial(
                    params=entry["params"], distributions=self._space(), value=entry["score"]
                )
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path} is not a trial of a search ({error})",
                    remedy="Remove it and go on with --resume",
                ) from error
            self._study.add_trial(trial)
            self.earlier.append((self._of(entry["params"], number), float(entry["score"])))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingRuntime(
            "a search needs Optuna, which is not installed",
            remedy="Install it with: pip install 'edgernn[search]'",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
