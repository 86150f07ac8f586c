"""Models that kits are made of: integers, so that every language must give the same bits."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from edgernn.export.native import lower
from edgernn.graph import ActivationKind, Conv1D, Graph, Input, Output, Padding, TensorSpec
from edgernn.recipe import preset, recipe_text, rows_text
from edgernn.streaming import to_streaming
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    random_integer_cell,
    random_recurrent_plan,
    with_plans,
)
from tests.edgernn.runtime.sensor_models import RECIPE as SENSORS
from tests.edgernn.runtime.test_listening import RECIPE, constant
from tests.edgernn.runtime.test_steps_without_result import step_content

RATE_HZ = 8000
LABELS = ("no", "yes", "go", "stop", "left")
NO_SOUND = "the model has no front end for sound: give it rows of features"


def int8_cell(
    *,
    features: int,
    units: int,
    sequences: bool,
    fixed: int | None = None,
    seed: int = 0,
    labels: tuple[str, ...] = LABELS,
    mirrors: bool = False,
) -> bytes:
    """A GRU with arbitrary weights; 40 features are of sound, 3 of SENSORS."""
    rng = np.random.default_rng(seed)
    layer = cell("gru", rng, units=units, features=features, return_sequences=sequences)
    plan = random_recurrent_plan(layer, rng, bits=8, state_bits=8)
    graph = with_plans(graph_of(layer, features=features), cell=plan)
    if fixed is not None:
        spec = replace(graph.inputs[0].spec, shape=(None, fixed, features))
        graph = replace(graph, inputs=(replace(graph.inputs[0], spec=spec),))
    metadata = {"scheme": "int8"}
    if features == 40:
        recipe = replace(preset(f"kaldi-fbank40@{RATE_HZ}"), log_scale=0.3, log_shift=2.5)
        if mirrors:
            clip = 80 * (fixed or 30)
            recipe = replace(recipe, lead_samples=100, ends="mirror", clip_samples=clip)
        metadata["front_end"] = recipe_text(recipe)  # shifted to where the cell does not saturate
        metadata["labels"] = json.dumps(labels)
    if features == len(SENSORS.channels):
        metadata["front_end"] = rows_text(SENSORS)
        metadata["labels"] = json.dumps(labels)
    return lower(graph, metadata=metadata).content


@cache
def sound_model(fixed: int | None = None, labels: tuple[str, ...] = LABELS) -> bytes:
    """Five labels of sound, of which it gives two by turns; `fixed`: the number of steps."""
    return int8_cell(
        features=40, units=len(labels), sequences=False, fixed=fixed, seed=48, labels=labels
    )


@cache
def mirroring_model() -> bytes:
    """As sound_model(30), of a recipe as Keras' spectrograms have it: its windows begin silent."""
    return int8_cell(features=40, units=5, sequences=False, fixed=30, seed=48, mirrors=True)


@cache
def array_model() -> bytes:
    """[steps, 16] -> [steps, 100]"""
    return int8_cell(features=16, units=100, sequences=True)


@cache
def sensor_model() -> bytes:
    """With the layers of sound_model: its kit runs this one, too."""
    return int8_cell(features=3, units=5, sequences=False, fixed=SENSORS.window, seed=5)


def samples_of_sensors() -> Any:
    """[samples, 3], more than a kit copies at once."""
    return np.random.default_rng(5).normal(size=(1500, 3)).astype(np.float32)


#: What a listener of sensors says to another rate, to a time between scores, to a part of a sample,
#: and to integers.
SENSOR_ERRORS = (
    "the model's sensors give 50 samples a second, not 49",
    "a model of sensors answers as often as its file says: leave out every",
    "samples of sensors",
    "samples of sensors",
)


def rows(steps: int = 100, features: int = 16) -> Any:
    return np.random.default_rng(7).normal(size=(steps, features)).astype(np.float32)


def other_model() -> bytes:
    """With a layer that the models above do not have: an LSTM."""
    graph, _ = random_integer_cell(2)
    return lower(graph, metadata={}).content


def strided_graph() -> Graph:
    """Scores in rows 3, 5, 7 and so on, never where a tenth of a second is full."""
    conv = Conv1D(
        name="conv", input="x", output="y", bias=None, stride=2, padding=Padding.VALID,
        kernel=np.random.default_rng(3).normal(scale=0.01, size=(3, 40, 5)).astype(np.float32),
    )  # fmt: skip
    return Graph(
        name="strided",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 40))),),
        layers=(conv,),
        outputs=(Output(name="y", edge="y"),),
    )


def strided_model() -> bytes:
    """strided_graph step by step, for sound."""
    recipe = preset(f"kaldi-fbank40@{RATE_HZ}")
    return step_content(strided_graph(), front_end=recipe_text(recipe))


def certain_model() -> bytes:
    """Of sound of 16,000 samples a second: "yes" with 91 %, whatever the sound."""
    graph = constant([0.0, 3.0, 0.0], ActivationKind.SOFTMAX)
    metadata = {"front_end": recipe_text(RECIPE), "labels": '["no", "yes", "go"]'}
    return lower(graph, metadata=metadata).content


def rhythmic_model() -> bytes:
    """A step of the GRU of `sound_model`; its file says that steps 2, 5, 8, … have a result."""
    rng = np.random.default_rng(0)
    layer = cell("gru", rng, units=5, features=40, return_sequences=False)
    plan = random_recurrent_plan(layer, rng, bits=8, state_bits=8)
    step = to_streaming(with_plans(graph_of(layer, features=40), cell=plan))
    metadata = {"scheme": "int8", "first_result": "2", "result_every": "3"}
    return lower(step, metadata=metadata).content
