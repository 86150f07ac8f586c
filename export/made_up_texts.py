"""Texts for a model that takes text, so that Keras makes its own tokens of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edgernn.export.cases import Case
from edgernn.graph import AnyArray, Graph
from edgernn.recipe import TextRecipe

#: Between words: white space of ASCII and none, punctuation, capitals, other alphabets.
_BETWEEN: Final = (" ", "  ", "\t", ", ", " - ", "! ", "\n", " Ä\u00a0ß ", " unseen-Word ")


def texts_of(
    graph: Graph, calls: Sequence[Case], *, seed: int = 0
) -> tuple[list[Case], list[dict[str, AnyArray]]]:
    """(the calls with tokens of made-up texts, the texts of each call by input).

    The texts are like the tokens of the calls: so many rows, and mostly those words.
    """
    random = np.random.default_rng(seed)
    made_calls, made_texts = [], []
    for call in calls:
        inputs, texts = dict(call.inputs), {}
        for entry in graph.inputs:
            if entry.text is not None:
                texts[entry.name], inputs[entry.name] = _texts_like(
                    inputs[entry.name], entry.text, random
                )
        made_calls.append(replace(call, inputs=inputs))
        made_texts.append(texts)
    return made_calls, made_texts


def _texts_like(
    tokens: AnyArray, recipe: TextRecipe, random: np.random.Generator
) -> tuple[AnyArray, AnyArray]:
    """(texts [N, 1], or [N, T] where each is one word; their tokens)"""
    from edgernn.runtime.tokenizer import Tokenizer

    known = [word for word in recipe.vocabulary if word]
    rows = [[_word(recipe, known, int(token)) for token in row] for row in tokens]
    if recipe.split == "none":
        texts = np.array(rows)
    else:
        texts = np.array([[_joined(row, recipe, random)] for row in rows])
    return texts, Tokenizer(recipe).batch(texts)


def _word(recipe: TextRecipe, known: Sequence[str], token: int) -> str:
    """The word of a token; another one of the vocabulary for 0, which fills texts up."""
    found = recipe.vocabulary[token] if token < len(recipe.vocabulary) else None
    if found:
        return found
    return "unseen" if recipe.unknown == token else known[token % len(known)]


def _joined(words: Sequence[str], recipe: TextRecipe, random: np.random.Generator) -> str:
    if recipe.split == "character":
        return "".join(words)
    text = words[0]
    for word in words[1:]:
        text += str(random.choice(_BETWEEN)) + (word.title() if random.random() < 0.3 else word)
    return text
