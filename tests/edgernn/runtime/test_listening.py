"""A listener says which models it cannot ask, and repeats a label only after a pause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn import Model
from edgernn.errors import DataError
from edgernn.export.native import lower
from edgernn.graph import (
    Activation,
    ActivationKind,
    Dense,
    Graph,
    Input,
    Layer,
    Merge,
    MergeKind,
    Output,
    PoolKind,
    TensorSpec,
)
from edgernn.graph import GlobalPool1D as GlobalPool
from edgernn.recipe import preset, recipe_text
from edgernn.runtime.audio import known_sound
from edgernn.runtime.listening import Deciding, Listener
from tests.edgernn.runtime.models import cell, graph_of

RECIPE = preset("kaldi-fbank40@16000")


def model(graph: Graph) -> Model:
    return Model(lower(graph, metadata={"front_end": recipe_text(RECIPE)}).content)


def constant(bias: list[float], kind: ActivationKind, steps: int | None = 20) -> Graph:
    """The same answer for every sound."""
    layers: tuple[Layer, ...] = (
        GlobalPool(name="largest", input="x", output="pooled", kind=PoolKind.MAX),
        Dense(
            name="head",
            input="pooled",
            output="y",
            kernel=np.zeros((40, len(bias)), np.float32),
            bias=np.array(bias, np.float32),
            activation=Activation(kind=kind),
        ),
    )
    return Graph(
        name="constant",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, steps, 40))),),
        layers=layers,
        outputs=(Output(name="y", edge="y"),),
    )


@pytest.mark.parametrize(
    ("bias", "kind", "label", "score"),
    [
        ([0.0, 3.0, 0.0], ActivationKind.SOFTMAX, "class 1", 0.9094),
        ([0.0, 3.0, 0.0], ActivationKind.LINEAR, "class 1", 0.9094),
        ([2.0], ActivationKind.SIGMOID, "class 1", 0.8808),
        ([-2.0], ActivationKind.SIGMOID, "class 0", 0.8808),
        ([2.0], ActivationKind.LINEAR, "class 1", 0.8808),
        ([0.1, 0.9], ActivationKind.LINEAR, "class 1", 0.6900),  # logits that could be shares
        ([0.9], ActivationKind.LINEAR, "class 1", 0.7109),
    ],
    ids=[
        *("softmax", "without softmax", "sigmoid", "sigmoid of the first class"),
        *("without sigmoid", "logits in 0 to 1", "a logit in 0 to 1"),
    ],
)
def test_scores_are_shares_whatever_ends_the_model(
    bias: list[float], kind: ActivationKind, label: str, score: float
) -> None:
    deciding = Deciding(threshold=0.5)
    listener = Listener(model=model(constant(bias, kind)), rate_hz=16000, deciding=deciding)
    (heard, *_) = listener.feed(known_sound(16000))
    assert (heard.label, round(heard.score, 4)) == (label, score)


def test_a_mean_of_softmaxes_is_taken_as_it_is() -> None:
    """Shares stay shares behind layers that move or average them; sums of them do not."""
    kernel, bias = np.zeros((40, 2), np.float32), np.array([0.0, 2.0], np.float32)
    softmax = Activation(kind=ActivationKind.SOFTMAX)
    head = Dense(name="d", input="x", output="d", kernel=kernel, bias=bias, activation=softmax)
    mean = GlobalPool(name="mean", input="d", output="p", kind=PoolKind.AVERAGE)
    sums = Merge(name="sum", inputs=("p", "p"), output="y", kind=MergeKind.ADD)
    for layers, output, score in (((head, mean), "p", 0.8808), ((head, mean, sums), "y", 0.8210)):
        graph = replace(
            constant([0.0, 1.0], ActivationKind.LINEAR),
            layers=layers,
            outputs=(Output(name="y", edge=output),),
        )
        listener = Listener(model=model(graph), rate_hz=16000)
        (heard, *_) = listener.feed(known_sound(16000))
        assert (heard.label, round(heard.score, 4)) == ("class 1", score)


def test_the_same_label_comes_again_after_the_pause_only() -> None:
    made = model(constant([0.0, 3.0], ActivationKind.SOFTMAX))
    sound = np.tile(known_sound(16000), 5)
    for pause_s, times in ((0.5, 10), (2.0, 3), (60.0, 1)):
        deciding = Deciding(pause_s=pause_s)
        heard = list(Listener(model=made, rate_hz=16000, deciding=deciding).feed(sound))
        assert len(heard) == times
        gaps = np.diff([one.seconds for one in heard])
        assert (gaps >= pause_s - 1e-9).all()


def test_no_label_is_below_the_threshold() -> None:
    made = model(constant([0.0, 0.5], ActivationKind.SOFTMAX))  # 62 %
    sound = known_sound(16000)
    assert not list(Listener(model=made, rate_hz=16000).feed(sound))
    deciding = replace(Deciding(), threshold=0.6)
    assert list(Listener(model=made, rate_hz=16000, deciding=deciding).feed(sound))


def test_a_class_of_silence_is_never_reported() -> None:
    graph = constant([0.0, 3.0], ActivationKind.SOFTMAX)
    for labels, times in (('["yes", "_silence_"]', 0), ('["_silence_", "yes"]', 1)):
        metadata = {"front_end": recipe_text(RECIPE), "labels": labels}
        made = Model(lower(graph, metadata=metadata).content)
        listener = Listener(model=made, rate_hz=16000)
        heard = list(listener.feed(known_sound(16000)))
        assert [one.label for one in heard] == ["yes"] * times
        assert listener.whole().label in {"yes", "_silence_"}  # asked for, it is an answer


def test_a_model_with_an_answer_for_each_step_is_refused() -> None:
    layer = cell("gru", np.random.default_rng(0), units=8, features=40, return_sequences=True)
    with pytest.raises(DataError, match="has an answer for each step"):
        Listener(model=model(graph_of(layer, features=40)), rate_hz=16000)


def test_nothing_was_heard_before_the_first_row() -> None:
    listener = Listener(model=model(constant([0.0, 3.0], ActivationKind.SOFTMAX)), rate_hz=16000)
    assert not list(listener.feed(known_sound(300)))
    with pytest.raises(DataError, match="shorter than one window of the front end"):
        listener.whole()
