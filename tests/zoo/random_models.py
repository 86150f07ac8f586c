"""Hypothesis draws whole models: a plan of layers first, which shrinks, then the Keras model.

A plan is data.  Each step names the tensors it reads by position, so that branches, merges and
several outputs come about by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from tests.zoo.case import Keras

#: Steps of an input whose time is free, when the model is called.
STEPS: Final = 7
MOST_LAYERS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What a plan has to know of a tensor so that the next step fits."""

    features: int
    steps: int | None  # None: a vector, without time
    timeline: int = 0  # sequences of one timeline have equal lengths at run time too


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One layer: a class of keras.layers, its options, the tensors it reads."""

    layer: str
    options: dict[str, Any]
    reads: tuple[int, ...]
    wrapper: str = ""  # "Bidirectional" or "TimeDistributed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A model: the input's features (0: tokens), its steps, and what produces each next tensor."""

    features: int
    fixed_time: bool
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]


def build(k: Keras, plan: Plan) -> Any:
    time = STEPS if plan.fixed_time else None
    entry = (
        k.Input(batch_shape=(None, time, plan.features))
        if plan.features
        else k.Input(batch_shape=(None, time), dtype="int32")
    )
    tensors = [entry]
    for step in plan.steps:
        layer = getattr(k.layers, step.layer)(**step.options)
        if step.wrapper:
            layer = getattr(k.layers, step.wrapper)(layer)
        read = [tensors[position] for position in step.reads]
        tensors.append(layer(read[0] if len(read) == 1 else read))
    return k.Model(entry, [tensors[position] for position in plan.outputs])


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of up to MOST_LAYERS layers behind one input of sequences or tokens."""
    features = draw(st.sampled_from([0, 1, 3, 4]))
    tensors: list[Tensor] = [Tensor(features=features, steps=STEPS)]
    steps: list[Step] = []
    if not features:
        width = draw(st.integers(1, 5))
        masked = draw(st.booleans())
        steps.append(_step("Embedding", 0, input_dim=11, output_dim=width, mask_zero=masked))
        tensors.append(Tensor(features=width, steps=STEPS))
    elif draw(st.booleans()):
        steps.append(_step("Masking", 0))
        tensors.append(tensors[0])
    for _ in range(draw(st.integers(1, MOST_LAYERS))):
        step, written = _next(draw, tensors, lowest=0 if features else 1)
        steps.append(step)
        tensors.append(written)
    last = len(tensors) - 1
    also = draw(st.integers(1, last))
    outputs = (last,) if also == last else (last, also)
    return Plan(
        features=features,
        fixed_time=draw(st.booleans()),
        steps=tuple(steps),
        outputs=outputs,
    )


def _next(draw: st.DrawFn, tensors: list[Tensor], *, lowest: int) -> tuple[Step, Tensor]:
    """A layer that fits one of the tensors, mostly the last one."""
    last = len(tensors) - 1
    position = draw(st.sampled_from([last, last, last, *range(lowest, last)]))
    tensor = tensors[position]
    likes = [
        other
        for other in range(lowest, len(tensors))
        if (tensors[other].steps, tensors[other].timeline) == (tensor.steps, tensor.timeline)
    ]
    partner = draw(st.sampled_from(likes))
    if partner != position and draw(st.booleans()):
        return _merge(draw, tensors, (position, partner))
    if tensor.steps is None:
        return draw(st.sampled_from(_ON_VECTORS))(draw, position, tensor)
    return draw(st.sampled_from(_ON_SEQUENCES))(draw, position, tensor)


def _step(layer: str, *reads: int, wrapper: str = "", **options: Any) -> Step:
    return Step(layer=layer, options=options, reads=reads, wrapper=wrapper)


def _merge(draw: st.DrawFn, tensors: list[Tensor], reads: tuple[int, int]) -> tuple[Step, Tensor]:
    left, right = (tensors[position] for position in reads)
    if left.features == right.features and draw(st.booleans()):
        kind = draw(st.sampled_from(["Add", "Subtract", "Multiply", "Average", "Maximum"]))
        return _step(kind, *reads), left
    joined = Tensor(
        features=left.features + right.features, steps=left.steps, timeline=left.timeline
    )
    return _step("Concatenate", *reads), joined


_ACTIVATIONS = st.sampled_from(["linear", "relu", "tanh", "sigmoid", "softmax", "elu", "silu"])
_UNITS = st.integers(1, 6)


def _recurrent(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    units = draw(_UNITS)
    kind = draw(st.sampled_from(["GRU", "LSTM", "SimpleRNN"]))
    sequences = draw(st.booleans())
    options: dict[str, Any] = {
        "units": units,
        "return_sequences": sequences,
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(["tanh", "tanh", "relu", "hard_sigmoid"])),
    }
    if kind != "SimpleRNN":
        options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "hard_sigmoid"]))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    wrapper = "Bidirectional" if draw(st.integers(0, 3)) == 0 else ""
    if not wrapper:
        options["go_backwards"] = draw(st.integers(0, 3)) == 0
        options["zero_output_for_mask"] = draw(st.integers(0, 3)) == 0
    written = Tensor(
        features=2 * units if wrapper else units,
        steps=tensor.steps if sequences else None,
        timeline=tensor.timeline if sequences else 0,
    )
    return _step(kind, position, wrapper=wrapper, **options), written


def _dense(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    units = draw(_UNITS)
    wrapper = "TimeDistributed" if tensor.steps is not None and draw(st.booleans()) else ""
    written = Tensor(features=units, steps=tensor.steps, timeline=tensor.timeline)
    activation = draw(_ACTIVATIONS)
    return _step("Dense", position, wrapper=wrapper, units=units, activation=activation), written


def _convolution(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    stride, dilation = draw(st.sampled_from([(1, 1), (1, 2), (2, 1)]))
    options: dict[str, Any] = {
        "kernel_size": draw(st.integers(1, 3)),
        "padding": draw(st.sampled_from(["same", "causal"])),
        "strides": stride,
        "dilation_rate": dilation,
        "activation": draw(_ACTIVATIONS),
    }
    written_steps = -(-_steps(tensor) // stride)
    timeline = tensor.timeline if stride == 1 else 3 * tensor.timeline + 1
    if options["padding"] == "same" and draw(st.integers(0, 2)) == 0:
        written = Tensor(features=tensor.features, steps=written_steps, timeline=timeline)
        return _step("DepthwiseConv1D", position, **options), written
    filters = draw(_UNITS)
    written = Tensor(features=filters, steps=written_steps, timeline=timeline)
    return _step("Conv1D", position, filters=filters, **options), written


def _pool(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    kind = draw(st.sampled_from(["MaxPooling1D", "AveragePooling1D"]))
    written = Tensor(
        features=tensor.features,
        steps=-(-_steps(tensor) // 2),
        timeline=3 * tensor.timeline + 1,  # as a convolution of stride 2 has it
    )
    return _step(kind, position, pool_size=2, padding="same"), written


def _global_pool(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    kind = draw(st.sampled_from(["GlobalMaxPooling1D", "GlobalAveragePooling1D"]))
    return _step(kind, position), Tensor(features=tensor.features, steps=None)


def _upsample(_: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    written = Tensor(
        features=tensor.features, steps=2 * _steps(tensor), timeline=3 * tensor.timeline + 2
    )
    return _step("UpSampling1D", position, size=2), written


def _attention(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    return _step("Attention", position, position, use_scale=draw(st.booleans())), tensor


def _normalize(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    kind = draw(st.sampled_from(["LayerNormalization", "BatchNormalization"]))
    return _step(kind, position, center=draw(st.booleans())), tensor


def _activate(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    return _step("Activation", position, activation=draw(_ACTIVATIONS)), tensor


def _dropout(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    dropped = [_step("Dropout", position, rate=0.3), _step("GaussianNoise", position, stddev=0.3)]
    return draw(st.sampled_from(dropped)), tensor


def _repeat(draw: st.DrawFn, position: int, tensor: Tensor) -> tuple[Step, Tensor]:
    times = draw(st.integers(1, 4))
    written = Tensor(features=tensor.features, steps=times, timeline=-times)
    return _step("RepeatVector", position, n=times), written


def _steps(tensor: Tensor) -> int:
    if tensor.steps is None:
        raise ValueError("a vector has no steps")
    return tensor.steps


_Drawn = Callable[[st.DrawFn, int, Tensor], tuple[Step, Tensor]]
_ON_SEQUENCES: Final[tuple[_Drawn, ...]] = (
    _recurrent,
    _recurrent,
    _recurrent,
    _dense,
    _convolution,
    _pool,
    _global_pool,
    _upsample,
    _attention,
    _normalize,
    _activate,
    _dropout,
)
_ON_VECTORS: Final[tuple[_Drawn, ...]] = (_dense, _normalize, _activate, _dropout, _repeat, _repeat)
