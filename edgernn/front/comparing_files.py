"""`compare_models`: which of these trained models is better on these rows?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn import atomic
from edgernn.errors import WrongOption
from edgernn.front.arguments import checked_arguments
from edgernn.front.comparing import parsed_worth
from edgernn.front.progress import progress_line
from edgernn.report.compared_files import (
    files_html,
    files_json,
    files_markdown,
    files_recommendation,
)
from edgernn.selection.files import FileComparison, compared_files, model_files
from edgernn.selection.row_scores import row_metric
from edgernn.tasks.given import Given, as_samples

_WRITERS: Final[dict[str, Callable[[FileComparison], str]]] = {
    ".md": files_markdown,
    ".json": files_json,
    ".html": files_html,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ComparedModels:
    """The result of `compare_models`: verdicts about files, not about architectures."""

    values: FileComparison

    @property
    def recommendation(self) -> str:
        """One sentence."""
        return files_recommendation(self.values)

    def write(self, *paths: str | os.PathLike[str]) -> None:
        """Writes .md, .html or .json files.  Raises WrongOption for another suffix; OutputError."""
        for path in map(Path, paths):
            if path.suffix.lower() not in _WRITERS:
                raise WrongOption(
                    f"no comparison is written as '{path.name}'",
                    remedy=f"End its name in {', '.join(_WRITERS)}",
                )
        for path in map(Path, paths):
            written = _WRITERS[path.suffix.lower()](self.values)
            atomic.write_bytes(path, written.encode())

    def __str__(self) -> str:
        return files_markdown(self.values).rstrip("\n")

    def __repr__(self) -> str:
        return f"<edgernn.ComparedModels {self.recommendation}>"

    def _repr_html_(self) -> str:
        return files_html(self.values)


@checked_arguments
def compare_models(
    paths: Sequence[str | os.PathLike[str]],
    *,
    data: Given,
    target: str | None = None,
    worth: str | float | None = None,
    progress: Callable[[str], None] | None = None,
) -> ComparedModels:
    """Compares trained models on the same rows, without training: a paired test.

    paths: .keras, .h5, .onnx, .tflite or .ernn files; the others are compared with the first.
    data: rows with answers that no model was trained on: (x, y), a path, or "digits:test".  Sound
        and texts become rows as each file says it, also where their vocabularies differ.
    worth: the smallest difference that matters: points of a share (0.5), or "2%" of an error.

    Raises WrongOption, DataError, ModelFileError, UnsupportedLayer, MissingRuntime.

    >>> print(edgernn.compare_models(["a.keras", "b.onnx"], data=(x_test, y_test)))
    """
    with progress_line("reading the models", progress) as phase:
        files = model_files([Path(path) for path in paths])
        phase("reading the data")
        recipes = dict.fromkeys(file.front_end for file in files)
        read = {
            recipe: as_samples(data, target=target, front_end=recipe, notify=phase)
            for recipe in recipes
        }
        samples = [read[file.front_end] for file in files]
        parsed = parsed_worth(worth, row_metric(samples[0]))
        phase("running the models")
        return ComparedModels(values=compared_files(files, samples, parsed))
