"""Which input of a model takes the rows or the tokens of a front end."""

from __future__ import annotations

from typing import Final

from edgernn.errors import DataError
from edgernn.graph import DType, Graph, Input
from edgernn.recipe import RowRecipe, SensorRecipe, SoundRecipe, TextRecipe

#: The key of the recipe among the metadata of an artefact.
FRONT_END: Final = "front_end"
#: The key of what the recipe gives for a known sound, see edgernn.runtime.check_sound.
FRONT_END_CHECK: Final = "front_end_check"
#: The same of text, see edgernn.runtime.tokenizer.text_check_value.
TEXT_FRONT_END: Final = "front_end_text"
TEXT_CHECK: Final = "front_end_text_check"


def text_recipe(graph: Graph) -> TextRecipe | None:
    """How text becomes the tokens of an input; None where no input takes text."""
    return next((entry.text for entry in graph.inputs if entry.text is not None), None)


def sound_recipe(graph: Graph) -> SoundRecipe | None:
    """How the original makes the rows of an input of sound; None where it takes rows."""
    return next((entry.sound for entry in graph.inputs if entry.sound is not None), None)


def sound_input(graph: Graph, recipe: RowRecipe) -> Input:
    """The one input of float rows of the recipe's width, [batch, steps, width].

    Raises DataError where there is none, or more than one, and where its fixed number of steps is
    not that of the recipe's windows.
    """
    states = {state.input for state in graph.states}
    found = [
        entry
        for entry in graph.inputs
        if entry.name not in states
        and entry.spec.dtype is DType.FLOAT32
        and entry.spec.rank == 3
        and entry.spec.shape[-1] == recipe.width
    ]
    found = [entry for entry in found if entry.sound is not None] or found
    if len(found) == 1:
        _require_windows(found[0], recipe)
        return found[0]
    inputs = ", ".join(
        f"{entry.name} {list(entry.spec.shape)}"
        for entry in graph.inputs
        if entry.name not in states
    )
    count = "no input" if not found else f"{len(found)} inputs"
    raise DataError(
        f"{graph.name} has {count} of rows with {recipe.width} features, as its front end "
        f"{recipe.name or 'of its own'} makes them; it has {inputs}",
        remedy="Name the front end that the model was trained with",
    )


def _require_windows(entry: Input, recipe: RowRecipe) -> None:
    steps = entry.spec.shape[1]
    if not isinstance(recipe, SensorRecipe):
        return
    if steps is None and recipe.window:
        raise DataError(
            f"the input {entry.name} takes any number of samples, its front end makes windows of "
            f"{recipe.window}",
            remedy=f"Save the model with keras.Input(({recipe.window}, {recipe.width})), or give a "
            "recipe with window = 0: the model then runs sample by sample, and never begins anew",
        )
    if steps not in (None, 1, recipe.window):
        raise DataError(
            f"the input {entry.name} takes windows of {steps} samples, its front end makes windows "
            f"of {recipe.window}",
            remedy=f"Give a recipe with window = {steps}",
        )
