"""Keras layers that make tokens of text: a front end before the model, not a part of the graph."""

from __future__ import annotations

from typing import Any, Final

from edgernn.errors import DataError
from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import KerasClass
from edgernn.export.keras.nodes import revive
from edgernn.graph import DType, Shape, TensorSpec
from edgernn.recipe import TextRecipe

_STANDARDIZE: Final[dict[str | None, tuple[bool, bool]]] = {  # lower, strip
    None: (False, False),
    "lower": (True, False),
    "strip_punctuation": (False, True),
    "lower_and_strip_punctuation": (True, True),
}
_SPLIT: Final[dict[str | None, str]] = {
    None: "none",
    "whitespace": "whitespace",
    "character": "character",
}
#: Of text that another layer reads.
READ_TEXT: Final = (
    "Put TextVectorization or StringLookup directly behind it, or turn the text into tokens before "
    "the model"
)
_OUTSIDE: Final = "Turn the text into tokens before the model"


def text_vectorization(call: Call) -> list[str]:
    layer = call.layer
    lower, strip = _STANDARDIZE[layer.options.get("standardize", "lower_and_strip_punctuation")]
    split = _SPLIT[layer.options.get("split", "whitespace")]
    length = layer.options.get("output_sequence_length")
    length = 0 if length is None else layer.size("output_sequence_length")
    shape = _given(call)
    if split != "none":
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise layer.damaged(f"takes texts of the shape {list(shape)}, not one a row")
        shape = (shape[0], length or None)
    recipe = _recipe(
        layer,
        vocabulary=_vocabulary(call, mask="", unknown_words=1),
        unknown=1,
        lower=lower,
        strip=strip,
        split=split,
        length=length,
    )
    return [_tokens(call, recipe, shape)]


def string_lookup(call: Call) -> list[str]:
    layer = call.layer
    mask, unknown_words = layer.options.get("mask_token"), _unknown_words(layer)
    recipe = _recipe(
        layer,
        vocabulary=_vocabulary(call, mask=mask, unknown_words=unknown_words),
        unknown=(0 if mask is None else 1) if unknown_words else None,
        split="none",
    )
    return [_tokens(call, recipe, _given(call))]


def _given(call: Call) -> Shape:
    """The shape of the strings.  Raises UnsupportedLayer where they are no input of the model."""
    shape = call.builder.strings.get(call.edge)
    if shape is None:
        raise call.layer.unsupported(
            "makes tokens of something else than an input of text",
            "Put it directly behind keras.Input((1,), dtype='string')",
        )
    return shape


def _tokens(call: Call, recipe: TextRecipe, shape: Shape) -> str:
    if len(shape) != 2:
        raise call.layer.unsupported(
            f"takes texts of the shape {list(shape)}", "Use keras.Input((1,), dtype='string')"
        )
    spec = TensorSpec(shape=shape, dtype=DType.INT32)
    edge = call.builder.tokens_of(call.edge, spec, recipe)
    if edge is None:
        raise call.layer.unsupported(
            "is the second one that makes tokens of text: artefacts have one vocabulary", _OUTSIDE
        )
    return edge


def _recipe(layer: LayerConfig, **values: Any) -> TextRecipe:
    try:
        return TextRecipe(**values)
    except DataError as error:
        raise layer.damaged(
            f"cannot be a front end: {error.what}", remedy=error.remedy or _OUTSIDE
        ) from error


def _vocabulary(call: Call, *, mask: str | None, unknown_words: int) -> tuple[str | None, ...]:
    """The word of each token, as Keras numbers them: the mask, unknown words, the others."""
    layer = call.layer
    words = _config_words(layer)
    if words is None:
        words = call.builder.vocabulary(layer) or []
    masks = [] if mask is None else [mask]
    special = [*masks, *[layer.text("oov_token", default="[UNK]")] * unknown_words]
    if words[: len(special)] == special:
        words = words[len(special) :]
    if not words:
        raise layer.damaged(
            "has no vocabulary",
            remedy="Call adapt(texts) or set_vocabulary(words), and save the model again",
        )
    if mask is not None and mask in words:
        raise layer.damaged(f"has the word {mask!r}, which stands for no word, in its vocabulary")
    return (*masks, *[None] * unknown_words, *words)


def _config_words(layer: LayerConfig) -> list[str] | None:
    given = layer.options.get("vocabulary")
    if isinstance(given, dict):
        given = revive(given)
        given = given.tolist() if hasattr(given, "tolist") else given
    if given is None or isinstance(given, str):
        return None
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
        raise layer.damaged("has a vocabulary that is not a list of words")
    return list(given)


def _unknown_words(layer: LayerConfig) -> int:
    count = layer.options.get("num_oov_indices", 1)
    if type(count) is not int or count < 0:
        raise layer.damaged(f"has num_oov_indices = {count!r}")
    return count


def _refuse_rules(layer: LayerConfig) -> None:
    """Rules that are Python code, or give something else than one row of tokens for a text."""
    options = layer.options
    for option, known in (("standardize", _STANDARDIZE), ("split", _SPLIT)):
        value = options.get(option)
        if isinstance(value, dict | list) or value not in known:
            raise layer.unsupported(
                f"has a {option} of its own, which edgernn never runs",
                f"Use {', '.join(map(str, known))}, or do it before the model",
            )
    if options.get("ngrams") is not None:
        raise layer.unsupported("makes n-grams of words", "Use ngrams=None and an Embedding")
    if layer.flag("ragged"):
        raise layer.unsupported("gives ragged tensors", "Use ragged=False")
    if options.get("split", "whitespace") is None and options.get("output_sequence_length"):
        raise layer.unsupported(
            "cuts a list of whole texts (split=None)", "Leave output_sequence_length out"
        )


def _refuse_output(layer: LayerConfig) -> None:
    mode = layer.options.get("output_mode", "int")
    if mode != "int":
        raise layer.unsupported(
            f"gives counts of words (output_mode '{mode}')",
            "Use output_mode='int' and an Embedding",
        )
    encoding = layer.options.get("encoding")
    if str(encoding or "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise layer.unsupported(f"takes text in {encoding}", "Use UTF-8")


def _refuse_vectorization(layer: LayerConfig) -> None:
    _refuse_output(layer)
    _refuse_rules(layer)


def _refuse_lookup(layer: LayerConfig) -> None:
    _refuse_output(layer)
    if layer.flag("invert"):
        raise layer.unsupported(
            "turns tokens into words", "Give the words to the export as --labels"
        )
    if _unknown_words(layer) > 1:
        raise layer.unsupported(
            "spreads unknown words over several tokens by a hash", "Use num_oov_indices=1"
        )


TEXT: Final[dict[str, KerasClass]] = {
    "TextVectorization": KerasClass(emit=text_vectorization, refuse=_refuse_vectorization),
    "StringLookup": KerasClass(emit=string_lookup, refuse=_refuse_lookup),
}
