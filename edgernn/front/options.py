"""The options of an export as people write them: each is checked before anything is written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from edgernn.errors import WrongOption
from edgernn.export.decoder_pair import checked_decoding
from edgernn.export.sound_input import sound_input, sound_recipe
from edgernn.export.source_model import SourceModel
from edgernn.formats import FORMATS, format_named, options_by_format
from edgernn.graph import CalibrationMethod, Decoding, Graph, Rounding
from edgernn.recipe import RowRecipe, SoundRecipe, front_end_named
from edgernn.recipe.sound import RATE_UNKNOWN_HZ
from edgernn.scheme import Scheme
from edgernn.tasks.given import Given
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.sequences import PREVIOUS, START, STOP
from edgernn.tasks.training_log import TrainingLog

#: The scheme that stands for all of them: the best one is kept.
AUTO: Final = "auto"


def is_auto(scheme: str | Scheme | Iterable[str | Scheme]) -> bool:
    """Whether the best scheme is asked for.  Raises WrongOption for others beside it.

    >>> is_auto("auto"), is_auto("int8")
    (True, False)
    """
    entries = [scheme] if isinstance(scheme, str) else list(scheme)
    names = [part.strip() for entry in entries for part in str(entry).split(",")]
    if AUTO not in names:
        return False
    if len(names) > 1:
        raise WrongOption(
            f"--scheme (scheme) names {AUTO} beside others", remedy=f"Give {AUTO} alone"
        )
    return True


def require_use(
    used: set[Scheme],
    keep_float: tuple[str, ...],
    calibrate: Given | None,
    ranges: Path | None,
    max_drop: float | None,
    io: str | None,
) -> None:
    """Raises WrongOption for an option that would change nothing."""
    if keep_float and used == {Scheme.FLOAT32}:
        raise WrongOption(
            "--keep-float (keep_float) changes nothing in a float32 export",
            remedy="Choose another scheme, or leave it out",
        )
    if max_drop is not None:
        require_drop(max_drop)
    if any(one.needs_calibration for one in used):
        return
    if io is not None and io != "float32":
        raise WrongOption(
            f"--io {io} (io) is the type of inputs and outputs of an int8 file",
            remedy="Choose scheme int8, or leave it out",
        )
    if max_drop is not None:
        raise WrongOption(
            "--max-drop (max_drop) searches layers of an int8 or int4 export",
            remedy="Choose scheme int8",
        )
    if ranges is not None and calibrate is None:
        raise WrongOption(
            "--ranges (ranges) without --calibrate is read by an int8 export only",
            remedy="Choose scheme int8, or give data to calibrate with",
        )
    # Features of unlike scale are brought to one; ranges may be saved for a later export.
    if calibrate is not None and ranges is None and used == {Scheme.FLOAT32}:
        raise WrongOption(
            "--calibrate (calibrate) changes nothing in a float32 export",
            remedy="Choose another scheme, or save the ranges with --ranges FILE (ranges)",
        )


def require_drop(max_drop: float) -> None:
    """Raises WrongOption for a loss that cannot be allowed."""
    if not 0 <= max_drop < math.inf:
        raise WrongOption(
            f"--max-drop (max_drop) is {max_drop:g}", remedy="Give points, at least 0: 0.5"
        )


def method_named(name: str) -> CalibrationMethod:
    known = [method.value for method in CalibrationMethod]
    if name not in known:
        raise WrongOption(
            f"--calibration (calibration) cannot be {name!r}",
            remedy=f"Choose one of {', '.join(known)}",
        )
    return CalibrationMethod(name)


def rounding_named(name: str, used: set[Scheme]) -> Rounding:
    known = [rounding.value for rounding in Rounding]
    if name not in known:
        raise WrongOption(
            f"--rounding (rounding) cannot be {name!r}",
            remedy=f"Choose one of {', '.join(known)}",
        )
    rounding = Rounding(name)
    if rounding is not Rounding.COMPENSATED and not any(one.needs_calibration for one in used):
        raise WrongOption(
            f"--rounding {name} (rounding) changes nothing without int8",
            remedy="Choose scheme int8, or leave it out",
        )
    return rounding


def with_scheme(backends: tuple[str, ...] | None, scheme: Scheme) -> tuple[str, ...] | None:
    """Of several schemes, a format gets those that it can store; all where none can store it."""
    able = tuple(name for name in backends or () if scheme in FORMATS[name].schemes)
    return able or backends


def require_layers(known: Sequence[str], named: Sequence[str]) -> None:
    """Raises WrongOption for a name that no layer has."""
    for name in named:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else f"Its layers are {', '.join(known)}"
            raise WrongOption(f"the model has no layer '{name}'", remedy=remedy)


def formats_named(to: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if to is None:
        return None
    names = to.split(",") if isinstance(to, str) else to
    try:
        return tuple(dict.fromkeys(format_named(name.strip()).name for name in names))
    except ValueError as error:
        raise WrongOption(str(error).rstrip(".")) from error


def format_options(
    given: dict[str, str | None], formats: Sequence[str] | None = None
) -> dict[str, dict[str, str]]:
    """By format.  formats: those that are written; without them, all.

    Raises TypeError for an option that no format has, WrongOption for a value it lacks and for an
    option that none of the formats has.
    """
    known = {option.parameter: option for row in FORMATS.values() for option in row.options}
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {near[0]}?" if near else f"those of formats are {', '.join(known)}"
            )
            raise TypeError(f"export() has no option '{name}'; {hint}")
        if value is not None and value not in known[name].choices:
            raise WrongOption(
                f"{name} cannot be {value!r}",
                remedy=f"Choose one of {', '.join(known[name].choices)}",
            )
        owners = [row.name for row in FORMATS.values() if known[name] in row.options]
        if value is not None and formats is not None and not set(owners) & set(formats):
            raise WrongOption(
                f"{known[name].flag} ({name}) changes nothing in {', '.join(formats)}",
                remedy=f"Also write {' or '.join(owners)}, or leave it out",
            )
    return options_by_format(given)


def front_end_of(given: str | RowRecipe | None, model: SourceModel) -> RowRecipe | None:
    """The user's front end, else that in the model's file.

    Raises DataError for a name that is none, or a recipe that does not fit the model's inputs,
    WrongOption where the model makes its features itself: of those only the rate can be missing.
    """
    own = sound_recipe(model.graph)
    if own is not None:
        return _own_front_end(given, own)
    recipe = front_end_named(given) if isinstance(given, str) else given or model.front_end
    if recipe is not None:
        sound_input(model.graph, recipe)
    return recipe


#: The features that the model makes itself, of sound at a rate that its file does not say.
_OWN: Final = re.compile(r"own@(\d{1,6})")


def _own_front_end(given: str | RowRecipe | None, own: SoundRecipe) -> SoundRecipe:
    rate = _OWN.fullmatch(given) if isinstance(given, str) else None
    if own.rate_hz == RATE_UNKNOWN_HZ:
        if rate is not None:
            return replace(own, rate_hz=int(rate[1]))
        raise WrongOption(
            f"the model makes its features itself ({own.name}), and its file does not say of how "
            "many samples a second",
            remedy="Give --front-end own@16000 (front_end), with the rate of its training",
        )
    if given is None or given == own or (rate is not None and int(rate[1]) == own.rate_hz):
        return own
    raise WrongOption(
        f"--front-end (front_end) names other features than the model makes itself: {own.name}, "
        f"{own.rate_hz} samples a second",
        remedy="Leave it out",
    )


def decoding_of(given: str | None, training: TrainingLog | None, graph: Graph) -> Decoding | None:
    """How the model writes sequences: as the user says, else as it was trained.  None: it does not.

    Raises WrongOption for what is no loop of this model.
    """
    if given is None:
        if training is None or architecture_named(training.settings.cell).decoder is None:
            return None
        given = f"{PREVIOUS},{START},{STOP}"
    name, *numbers = (part.strip() for part in given.split(","))
    steps = {entry.name: (*entry.spec.shape, None)[1] for entry in graph.inputs}.get(name)
    if len(numbers) == 2 and steps is not None:  # the model itself says how long
        numbers.append(str(steps))
    if len(numbers) != 3 or not all(number.isdigit() for number in numbers):
        raise WrongOption(
            f"--decode (decode) cannot be '{given}'",
            remedy="Give INPUT,START,STOP,LONGEST: the input of the tokens before, the token that "
            "is before the first, the one that ends a sequence, and the most calls "
            "(previous,0,0,30)",
        )
    start, stop, longest = map(int, numbers)
    decoding = Decoding(input=name, start=start, stop=stop, longest=longest)
    return checked_decoding(decoding, graph)


def require_torch(example: object, *, free_time: bool) -> None:
    """Raises WrongOption where an option for models of PyTorch was given with another model."""
    if example is not None:
        raise WrongOption(
            "example is for a torch.nn.Module in memory, and this model is none",
            remedy="Leave it out: the model says what it takes",
        )
    if free_time:
        raise WrongOption(
            "--free-time (free_time) is for .onnx and .pt2 files and modules of PyTorch",
            remedy="Leave it out, or build the Keras model with Input((None, features))",
        )


def require_one_loop(decoding: Decoding | None, *, streaming: bool) -> None:
    """Raises WrongOption for an encoder and its decoder as a stream."""
    if decoding is not None and streaming:
        raise WrongOption(
            "--streaming (streaming) is for models that answer at each step; this one reads a "
            "whole sequence before it writes",
            remedy="Leave it out: the decoder is written as a model of one step",
        )


def class_labels(
    given: Sequence[object], training: TrainingLog | None, graph: Graph
) -> tuple[str, ...]:
    """The user's labels, else those the model was trained with.

    Raises WrongOption for another number of labels than the model has classes.
    """
    if isinstance(given, str):
        given = given.split(",")
    labels = tuple(str(label).strip() for label in given)
    if not labels:
        return training.labels if training else ()
    name, spec = next(iter(graph.output_specs.items()))
    if len(graph.outputs) > 1 or len(spec.shape) not in {2, 3} or spec.shape[-1] is None:
        return labels
    classes = max(spec.shape[-1], 2)  # perhaps at every step; a single number separates two
    if len(labels) not in {spec.shape[-1], classes}:
        raise WrongOption(
            f"{len(labels)} labels are given, and output '{name}' has {classes} classes",
            remedy="Give one label for each class, in the order of the outputs",
        )
    return labels
