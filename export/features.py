"""Every layer kind and option a model may have, each as the smallest graph that has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edgernn.export.feature import Feature
from edgernn.export.image_features import image_features
from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyNotEqual,
    ApplyMask,
    Attention,
    Cast,
    Compare,
    CompareKind,
    Concatenate,
    Conv1D,
    Dense,
    Dot,
    DType,
    Embedding,
    FloatArray,
    FoldTime,
    GlobalPool1D,
    Graph,
    Gru,
    HiddenScores,
    Input,
    Layer,
    LayerNorm,
    Lstm,
    Merge,
    MergeKind,
    NotEqual,
    Output,
    Padding,
    Pool1D,
    PoolKind,
    PRelu,
    Recurrent,
    Repeat,
    Reshape,
    Reverse,
    SimpleRnn,
    Slice,
    TensorSpec,
    Transpose,
    UnfoldTime,
    Upsample1D,
    Where,
    ZeroPad1D,
)

_FEATURES: Final = 4
_UNITS: Final = 4

SEQUENCE: Final = TensorSpec(shape=(None, None, _FEATURES))
FIXED: Final = TensorSpec(shape=(None, 6, _FEATURES))
VECTOR: Final = TensorSpec(shape=(None, _FEATURES))
TOKENS: Final = TensorSpec(shape=(None, None), dtype=DType.INT32)
#: One for each number of a sequence.
COUNTS: Final = TensorSpec(shape=(None, None, _FEATURES), dtype=DType.INT32)
MARKS: Final = TensorSpec(shape=(None, None, _FEATURES), dtype=DType.BOOL)
MASK: Final = TensorSpec(shape=(None, None), dtype=DType.BOOL)


def features() -> Iterator[Feature]:
    """In the order of the documentation."""
    yield from _cells()
    yield from _cell_activations()
    yield from _windows()
    yield from image_features()
    yield from _elements()
    yield from _shapes()
    yield from _merges()


def _graph(
    layer: Layer,
    reads: Mapping[str, TensorSpec],
    *,
    results: int = 1,
    before: tuple[Layer, ...] = (),
) -> Graph:
    """The layer behind those of `before`; its first results are the outputs."""
    written = layer.writes[:results]
    return Graph(
        name="feature",
        inputs=tuple(Input(name=name, spec=spec) for name, spec in reads.items()),
        layers=(*before, layer),
        outputs=tuple(Output(name=f"y{i}", edge=edge) for i, edge in enumerate(written)),
    )


def _numbers(*shape: int) -> FloatArray:
    return np.linspace(-0.1, 0.1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def _cell(kind: type[Recurrent], **options: Any) -> Recurrent:
    gates = len(kind.GATES)
    fields: dict[str, Any] = {
        "name": "cell",
        "input": "x",
        "output": "y",
        "state_h": "h",
        "kernel": _numbers(_FEATURES, gates * _UNITS),
        "recurrent_kernel": _numbers(_UNITS, gates * _UNITS),
        "bias": _numbers(gates * _UNITS),
    }
    if kind is Lstm:
        fields["state_c"] = "c"
    if kind is Gru and options.get("reset_after", True):
        fields["recurrent_bias"] = _numbers(gates * _UNITS)
    elif kind is Gru:
        fields["recurrent_bias"] = None
    return kind(**(fields | options))


_CELLS: Final[dict[str, type[Recurrent]]] = {"GRU": Gru, "LSTM": Lstm, "SimpleRNN": SimpleRnn}


def _cells() -> Iterator[Feature]:
    section = "Recurrent layers"
    for name, kind in _CELLS.items():
        options: dict[str, tuple[dict[str, Any], dict[str, TensorSpec], int]] = {
            "": ({}, {}, 1),
            "return_sequences=True": ({"return_sequences": True}, {}, 1),
            "return_state=True": ({"return_sequences": True}, {}, 3 if kind is Lstm else 2),
            "go_backwards=True": ({"go_backwards": True, "return_sequences": True}, {}, 1),
            "use_bias=False": ({"bias": None} | _no_recurrent_bias(kind), {}, 1),
            "mask": ({"mask": "m", "return_sequences": True}, {"m": MASK}, 1),
            "mask, zero_output_for_mask=True": (
                {"mask": "m", "return_sequences": True, "zero_output_for_mask": True},
                {"m": MASK},
                1,
            ),
            "initial_state": ({"initial_h": "h0"}, {"h0": VECTOR}, 1),
            "mask, initial_state, return_state=True": (
                {"mask": "m", "initial_h": "h0", "return_sequences": True},
                {"m": MASK, "h0": VECTOR},
                2,
            ),
        }
        if kind is Gru:
            options["reset_after=False"] = ({"reset_after": False}, {}, 1)
        for text, (fields, more, results) in options.items():
            graph = _graph(_cell(kind, **fields), {"x": SEQUENCE} | more, results=results)
            yield Feature(section=section, layer=name, option=text, graph=graph)
        stateful = replace(_cell(kind), stateful=True)
        yield Feature(
            section=section,
            layer=name,
            option="stateful=True",
            graph=_graph(stateful, {"x": replace(SEQUENCE, shape=(1, None, _FEATURES))}),
        )


def _no_recurrent_bias(kind: type[Recurrent]) -> dict[str, None]:
    return {"recurrent_bias": None} if kind is Gru else {}


#: Functions that Keras has as operations only.
_OPERATIONS: Final = frozenset(
    {
        ActivationKind.SQRT,
        ActivationKind.RSQRT,
        ActivationKind.LOGARITHM,
        ActivationKind.RECIPROCAL,
    }
)

#: What Keras calls an activation, and what the graph makes of it.
_ACTIVATIONS: Final[dict[str, Activation]] = {
    **{kind.value: Activation(kind=kind) for kind in ActivationKind if kind not in _OPERATIONS},
    "relu": Activation(kind=ActivationKind.RELU),
    "relu6": Activation(kind=ActivationKind.RELU, max_value=6.0),
    "leaky_relu": Activation(kind=ActivationKind.RELU, alpha=0.2),
    "ReLU(threshold=0.5)": Activation(kind=ActivationKind.RELU, beta=0.5),
    "elu": Activation(kind=ActivationKind.ELU, alpha=1.0),
    "gelu": Activation(kind=ActivationKind.GELU),
    "hard_sigmoid": HARD_SIGMOID_KERAS3,
    "hard_sigmoid (Keras 2)": HARD_SIGMOID_KERAS2,
}


def _cell_activations() -> Iterator[Feature]:
    for name, kind in _CELLS.items():
        for text, activation in _ACTIVATIONS.items():
            yield Feature(
                section="Activations inside recurrent layers",
                layer=name,
                option=f"activation={text}",
                graph=_graph(_cell(kind, activation=activation), {"x": SEQUENCE}),
            )
    for name, kind in (("GRU", Gru), ("LSTM", Lstm)):
        for text, activation in _ACTIVATIONS.items():
            cell = _cell(kind, recurrent_activation=activation)
            yield Feature(
                section="Activations inside recurrent layers",
                layer=name,
                option=f"recurrent_activation={text}",
                graph=_graph(cell, {"x": SEQUENCE}),
            )


def _windows() -> Iterator[Feature]:
    section = "Convolution and pooling"
    kernel: dict[str, Any] = {"kernel": _numbers(3, _FEATURES, 4), "bias": _numbers(4)}
    convolutions: dict[str, dict[str, Any]] = {
        **{f"padding={padding.value}": {"padding": padding} for padding in Padding},
        "strides=2": {"stride": 2},
        "dilation_rate=2": {"dilation": 2},
        "strides=2, padding=same": {"stride": 2, "padding": Padding.SAME},
        "use_bias=False": {"bias": None},
        "groups=2": {"groups": 2, "kernel": _numbers(3, _FEATURES // 2, 4)},
    }
    for text, options in convolutions.items():
        conv = Conv1D(**{"name": "conv", "input": "x", "output": "y"} | kernel | options)
        yield Feature(
            section=section, layer="Conv1D", option=text, graph=_graph(conv, {"x": SEQUENCE})
        )
    for multiplier in (1, 2):
        depthwise = Conv1D(
            name="conv",
            input="x",
            output="y",
            kernel=_numbers(3, 1, multiplier * _FEATURES),
            bias=None,
            groups=_FEATURES,
        )
        yield Feature(
            section=section,
            layer="DepthwiseConv1D",
            option=f"depth_multiplier={multiplier}",
            graph=_graph(depthwise, {"x": SEQUENCE}),
        )
    for kind in PoolKind:
        name = kind.value.capitalize()
        for padding in (Padding.VALID, Padding.SAME):
            pool = Pool1D(
                name="pool", input="x", output="y", kind=kind, window=3, stride=2, padding=padding
            )
            yield Feature(
                section=section,
                layer=f"{name}Pooling1D",
                option=f"padding={padding.value}",
                graph=_graph(pool, {"x": SEQUENCE}),
            )
        whole = GlobalPool1D(name="pool", input="x", output="y", kind=kind)
        yield Feature(
            section=section, layer=f"Global{name}Pooling1D", graph=_graph(whole, {"x": SEQUENCE})
        )
    masked = GlobalPool1D(name="pool", input="x", output="y", kind=PoolKind.AVERAGE, mask="m")
    yield Feature(
        section=section,
        layer="GlobalAveragePooling1D",
        option="mask",
        graph=_graph(masked, {"x": SEQUENCE, "m": MASK}),
    )


def _elements() -> Iterator[Feature]:
    section = "Dense, activations, normalization, masks"
    ends: dict[str, Any] = {"name": "layer", "input": "x", "output": "y"}
    dense = Dense(**ends, kernel=_numbers(_FEATURES, 3), bias=_numbers(3))
    gamma = _numbers(_FEATURES)
    norm = LayerNorm(**ends, gamma=gamma, beta=gamma, epsilon=1e-3)
    rms = LayerNorm(**ends, gamma=gamma, beta=None, epsilon=1e-3, rms=True)
    layers: dict[str, tuple[Layer, dict[str, TensorSpec]]] = {
        "Dense: of vectors": (dense, {"x": VECTOR}),
        "Dense: of sequences": (dense, {"x": SEQUENCE}),
        "Embedding": (Embedding(**ends, table=_numbers(7, 3)), {"x": TOKENS}),
        "BatchNormalization, Normalization, Rescaling": (
            Affine(**ends, scale=gamma, offset=gamma),
            {"x": SEQUENCE},
        ),
        "LayerNormalization": (norm, {"x": SEQUENCE}),
        "RMSNormalization": (rms, {"x": SEQUENCE}),
        "PReLU": (PRelu(**ends, alpha=_numbers(1, _FEATURES)), {"x": SEQUENCE}),
        "Embedding: mask_zero=True": (NotEqual(**ends), {"x": TOKENS}),
        "Masking: the mask": (AnyNotEqual(**ends), {"x": SEQUENCE}),
        "Masking: the output": (
            ApplyMask(**ends, mask="m"),
            {"x": SEQUENCE, "m": MASK},
        ),
        "Greater, Less: than a number": (
            Compare(**ends, kind=CompareKind.GREATER, value=0.1),
            {"x": SEQUENCE},
        ),
        "Where": (
            Where(name="where", output="y", condition="m", then="x", otherwise="z"),
            {"m": MARKS, "x": SEQUENCE, "z": SEQUENCE},
        ),
        "Cast: of int32 to float32": (Cast(**ends), {"x": COUNTS}),
    }
    for text, (layer, reads) in layers.items():
        name, _, option = text.partition(": ")
        yield Feature(section=section, layer=name, option=option, graph=_graph(layer, reads))
    for text, activation in _ACTIVATIONS.items():
        activate = Activate(**ends, activation=activation)
        yield Feature(
            section=section,
            layer="Activation",
            option=text,
            graph=_graph(activate, {"x": SEQUENCE}),
        )
    over_time = Activate(**ends, activation=Activation(kind=ActivationKind.SOFTMAX, axis=1))
    yield Feature(
        section=section, layer="Softmax", option="axis=1", graph=_graph(over_time, {"x": SEQUENCE})
    )


def _shapes() -> Iterator[Feature]:
    section = "Shape and time"
    ends: dict[str, Any] = {"name": "layer", "input": "x", "output": "y"}
    layers: dict[str, tuple[Layer, dict[str, TensorSpec]]] = {
        "Flatten": (Reshape(**ends, target=(-1,)), {"x": FIXED}),
        "Reshape": (Reshape(**ends, target=(3, 8)), {"x": FIXED}),
        "Reshape: of a free time": (Reshape(**ends, target=(-1, 2)), {"x": SEQUENCE}),
        "Permute": (Transpose(**ends, permutation=(0, 2, 1)), {"x": SEQUENCE}),
        "Bidirectional: the backward half": (Reverse(**ends), {"x": SEQUENCE}),
        "RepeatVector": (Repeat(**ends, times=3), {"x": VECTOR}),
        "UpSampling1D": (Upsample1D(**ends, times=2), {"x": SEQUENCE}),
        "ZeroPadding1D": (ZeroPad1D(**ends, left=1, right=2), {"x": SEQUENCE}),
        "Cropping1D": (Slice(**ends, axis=1, start=1, stop=-1), {"x": SEQUENCE}),
        "x[:, -1, :]": (Slice(**ends, axis=1, start=-1, squeeze=True), {"x": SEQUENCE}),
    }
    for text, (layer, reads) in layers.items():
        name, _, option = text.partition(": ")
        yield Feature(section=section, layer=name, option=option, graph=_graph(layer, reads))
    fold = FoldTime(name="fold", input="x", output="steps")
    norm = LayerNorm(
        name="norm", input="steps", output="done", gamma=None, beta=None, epsilon=1e-3, axes=2
    )
    unfold = UnfoldTime(name="unfold", input="done", like="x", output="y")
    folded = _graph(unfold, {"x": TensorSpec(shape=(None, None, 3, 2))}, before=(fold, norm))
    yield Feature(section=section, layer="TimeDistributed", graph=folded)


def _merges() -> Iterator[Feature]:
    section = "Merging and attention"
    pair = {"a": SEQUENCE, "b": SEQUENCE}
    ends: dict[str, Any] = {"name": "layer", "output": "y"}
    for kind in MergeKind:
        is_mask = kind in {MergeKind.AND, MergeKind.OR}
        text = f"masks merged by {kind.value.upper()}" if is_mask else kind.value.capitalize()
        merge = Merge(**ends, inputs=("a", "b"), kind=kind)
        reads = {"a": MASK, "b": MASK} if is_mask else pair
        yield Feature(section=section, layer=text, graph=_graph(merge, reads))
    attention: dict[str, Any] = {"query": "a", "value": "b", "key": "b"} | ends
    layers: dict[str, tuple[Layer, dict[str, TensorSpec]]] = {
        "Concatenate": (Concatenate(**ends, inputs=("a", "b")), pair),
        "Concatenate: axis=1": (Concatenate(**ends, inputs=("a", "b"), axis=1), pair),
        "Dot": (Dot(**ends, left="a", right="b", left_axis=2, right_axis=2), pair),
        "Dot: normalize=True": (
            Dot(**ends, left="a", right="b", left_axis=1, right_axis=1, normalize=True),
            {"a": VECTOR, "b": VECTOR},
        ),
        "Attention": (Attention(**attention), pair),
        "Attention: use_causal_mask=True": (Attention(**attention, causal=True), pair),
        "Attention: mask": (
            Attention(**attention, query_mask="m", key_mask="n"),
            pair | {"m": MASK, "n": MASK},
        ),
        "AdditiveAttention": (
            Attention(**attention, energy=np.ones(SEQUENCE.shape[-1] or 1, np.float32)),
            pair,
        ),
        "MultiHeadAttention": (
            Attention(**attention, scale=0.5, hidden=HiddenScores.REPLACED),
            pair,
        ),
        "MultiHeadAttention: use_causal_mask=True": (
            Attention(**attention, causal=True, hidden=HiddenScores.REPLACED),
            pair,
        ),
        "MultiHeadAttention: mask": (
            Attention(**attention, query_mask="m", key_mask="n", hidden=HiddenScores.REPLACED),
            pair | {"m": MASK, "n": MASK},
        ),
    }
    for text, (layer, reads) in layers.items():
        name, _, option = text.partition(": ")
        yield Feature(section=section, layer=name, option=option, graph=_graph(layer, reads))
