"""How the files of an export are named after their model, and what they say of it."""

from __future__ import annotations

import json
from math import lcm
from pathlib import Path

from edgernn.artefact import OBJECT
from edgernn.errors import MissingRuntime, OutputError, UnsupportedLayer
from edgernn.export.request import Request
from edgernn.export.sound_input import (
    FRONT_END,
    FRONT_END_CHECK,
    TEXT_CHECK,
    TEXT_FRONT_END,
    text_recipe,
)
from edgernn.export.source_model import SourceModel
from edgernn.formats import FORMATS, format_named
from edgernn.recipe import RowRecipe, SensorRecipe, TextRecipe, rows_text, text_recipe_text
from edgernn.scheme import Scheme
from edgernn.streaming import rhythms


def artefact_stem(model: SourceModel, request: Request) -> str:
    """gru, gru.float16, gru.step.float16, gru.encoder: what artefacts of one export share."""
    parts = [model_name(model)]
    if request.decoding is not None:
        parts.append(request.part or "encoder")
    elif request.streaming:
        parts.append("step")
    if request.fewest_bits is not Scheme.FLOAT32:
        parts.append(request.fewest_bits.value)
    return ".".join(parts)


def model_name(model: SourceModel) -> str:
    """The file's stem, or the name of a model in memory."""
    in_memory = model.source.file == OBJECT
    return model.graph.name if in_memory else Path(model.source.file).stem


def keep_given_file(model: SourceModel, out: Path, request: Request) -> None:
    """Raises OutputError where an artefact would take the place of the file that was given."""
    if model.file is None:
        return
    for target in map(format_named, request.backends or FORMATS):
        require_other_file(model, out / f"{artefact_stem(model, request)}{target.suffix}")


def require_other_file(model: SourceModel, written: Path) -> None:
    """Raises OutputError where `written` is the file that was given."""
    if model.file is not None and written.exists() and written.samefile(model.file):
        raise OutputError(
            f"the export would write over the model that it reads, {model.file}",
            remedy="Choose another folder with -o",
        )


def _origin(model: SourceModel) -> dict[str, str]:
    source = model.source
    if source.made_by:
        return {"source_made_by": source.made_by}
    return {"keras_version": source.keras_version}


def metadata_of(model: SourceModel, request: Request) -> dict[str, str]:
    """What a written file says of its model."""
    metadata = {
        "scheme": request.fewest_bits.value,
        "source": model.source.file,
        "source_sha256": model.source.sha256,
        **_origin(model),
    }
    if request.streaming and not request.part:  # each call of a decoder gives its next token
        metadata |= _result_steps(model)
    if request.labels:
        metadata["labels"] = json.dumps(request.labels)
    if request.front_end is not None:
        metadata[FRONT_END] = rows_text(request.front_end)
        metadata |= _check_value(request.front_end)
    text = text_recipe(model.graph)
    if text is not None:
        metadata[TEXT_FRONT_END] = text_recipe_text(text)
        metadata |= _text_check(text)
    return metadata


def _result_steps(model: SourceModel) -> dict[str, str]:
    """Which calls of a file of one step have a result, where not all of them do, counted from 0.

    Of several outputs: those in which all have one.  Raises UnsupportedLayer where none has.
    """
    times = rhythms(model.graph)
    begin = max(first for first, _ in times.values())
    every = lcm(*(every for _, every in times.values()))
    for first in range(begin, begin + every):
        if all((first - own) % period == 0 for own, period in times.values()):
            known = {"first_result": str(first), "result_every": str(every)}
            return known if (first, every) != (0, 1) else {}
    raise UnsupportedLayer(
        layer=", ".join(times),
        kind="outputs",
        where=f"the streaming form of '{model.graph.name}'",
        reason="never have a result in the same call",
        remedy="Export a model with one of these outputs, or the whole model without --streaming",
    )


def _check_value(recipe: RowRecipe) -> dict[str, str]:
    """What other code for the recipe can be held against; nothing without the C library."""
    if isinstance(recipe, SensorRecipe):
        samples = [[0.0] * recipe.width, [1.0] * recipe.width]
        return {
            FRONT_END_CHECK: json.dumps({"samples": samples, "rows": recipe.rows(samples).tolist()})
        }
    try:
        from edgernn.runtime.audio import check_value
    except MissingRuntime:  # edgernn was installed without a compiler: no features can be made here
        return {}
    return {FRONT_END_CHECK: json.dumps(check_value(recipe))}


def _text_check(recipe: TextRecipe) -> dict[str, str]:
    """As `_check_value`, of text."""
    try:
        from edgernn.runtime.tokenizer import text_check_value
    except MissingRuntime:
        return {}
    return {TEXT_CHECK: json.dumps(text_check_value(recipe), ensure_ascii=False)}
