"""Random models over images, attention, cells, folds and operations, and rows that suit them.

Each seed draws a front of one of these kinds, which gives a sequence, then perhaps a recurrent
layer, a way to sum the steps up, and one or two heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

VOCABULARY: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerModel:
    """A Keras model, what it is made of, and rows by position of its inputs."""

    model: Any
    traits: tuple[str, ...]
    rows: tuple[Any, ...]  # one array for each input, [rows, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class Making:
    """One model while it is drawn."""

    random: np.random.Generator
    keras: Any
    rows: int
    inputs: list[Any]
    data: list[Any]
    traits: list[str]

    def size(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def one_in(self, count: int, trait: str = "") -> bool:
        drawn = int(self.random.integers(count)) == 0
        if drawn and trait:
            self.traits.append(trait)
        return drawn

    def pick(self, *choices: Any) -> Any:
        chosen = choices[int(self.random.integers(len(choices)))]
        self.traits.append(getattr(chosen, "__name__", str(chosen)).strip("_"))
        return chosen

    def numbers(self, *shape: int) -> Any:
        """An input of numbers around others for each row."""
        entry = self.keras.Input(shape)
        low = self.random.normal(size=(self.rows, *[1] * (len(shape) - 1), shape[-1]))
        noise = self.random.normal(size=(self.rows, *shape)) * 0.7
        self.inputs.append(entry)
        self.data.append((low + noise).astype(np.float32))
        return entry

    def words(self, steps: int, *, masked: bool) -> Any:
        """Embedded tokens; masked: rows of several lengths."""
        entry = self.keras.Input((steps,), dtype="int32")
        data = self.random.integers(1, VOCABULARY, (self.rows, steps)).astype(np.int32)
        if masked:
            for row in data:
                row[self.size(2, steps) :] = 0
        self.inputs.append(entry)
        self.data.append(data)
        layers = self.keras.layers
        x = layers.Embedding(VOCABULARY, 8, mask_zero=masked, embeddings_initializer="normal")(
            entry
        )
        return x if masked else layers.Rescaling(15.0)(x)


def layer_model(seed: int, rows: int) -> LayerModel:
    """The model of this seed, and `rows` rows for it."""
    import keras

    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    made = Making(random=random, keras=keras, rows=rows, inputs=[], data=[], traits=[])
    front: Callable[[Making], Any] = made.pick(
        _image, _image, _each_step, _heads, _cross, _cells, _operations, _folds, _transposed
    )
    outputs = _tail(made, front(made))
    model = keras.Model(made.inputs, outputs)
    return LayerModel(model=model, traits=tuple(made.traits), rows=tuple(made.data))


def _picture_block(made: Making, wrap: Callable[[Any], Any]) -> list[Any]:
    """A convolution and what people put around it."""
    layers = made.keras.layers
    padding = made.pick("valid", "same")
    window = made.pick(2, 3, (3, 2))
    strides = made.pick(1, 1, 2)
    activation = made.pick(None, "relu", "elu", "tanh", "silu")
    options = {"padding": padding, "activation": activation, "strides": strides}
    block = [
        made.pick(
            layers.Conv2D(made.size(2, 6), window, **options),
            layers.DepthwiseConv2D(window, depth_multiplier=made.size(1, 2), **options),
            layers.SeparableConv2D(made.size(2, 6), window, **options),
        )
    ]
    if made.one_in(2, "BatchNormalization"):
        block.append(layers.BatchNormalization())
    if made.one_in(3, "extra"):
        block.append(
            made.pick(
                layers.MaxPooling2D(2, padding="same"),
                layers.AveragePooling2D((2, 1)),
                layers.ZeroPadding2D(((1, 0), (0, 1))),
                layers.UpSampling2D((1, 2)),
                layers.PReLU(shared_axes=[1, 2], alpha_initializer="ones"),
            )
        )
    return [wrap(layer) for layer in block]


def _image(made: Making) -> Any:
    layers = made.keras.layers
    x = made.numbers(made.size(9, 14), made.size(9, 14), made.size(1, 3))
    for _ in range(made.size(1, 2)):
        for layer in _picture_block(made, lambda layer: layer):
            x = layer(x)
    rows, columns, channels = x.shape[1:]
    if made.one_in(2, "columns are steps"):
        x = layers.Permute((2, 1, 3))(x)
        rows, columns = columns, rows
    return layers.Reshape((rows, columns * channels))(x)


def _each_step(made: Making) -> Any:
    layers = made.keras.layers
    x = made.numbers(made.size(3, 5), 8, 7, made.size(1, 2))
    for layer in _picture_block(made, layers.TimeDistributed):
        x = layer(x)
    return layers.TimeDistributed(
        made.pick(layers.Flatten(), layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D())
    )(x)


def _sequence(made: Making) -> Any:
    steps = made.size(5, 9)
    if made.one_in(2, "words"):
        return made.words(steps, masked=made.one_in(2, "masked"))
    return made.numbers(steps, made.size(3, 6))


def _attending(made: Making, query: Any, value: Any) -> Any:
    layers = made.keras.layers
    kind = made.pick("MultiHeadAttention", "MultiHeadAttention", "Attention", "AdditiveAttention")
    causal = {"use_causal_mask": True} if made.one_in(3, "causal") else {}
    if kind == "MultiHeadAttention":
        layer = layers.MultiHeadAttention(
            made.size(1, 3), made.size(2, 4), value_dim=made.pick(None, 5),
            use_bias=made.pick(True, False), use_gate=made.one_in(4, "gate"),
        )  # fmt: skip
        return layer(query, value, **causal)
    width = query.shape[-1]
    key = value if value.shape[-1] == width else layers.Dense(width)(value)
    given = [query, key] if made.one_in(2) else [query, value, key]
    options = {"score_mode": made.pick("dot", "concat")} if kind == "Attention" else {}
    return getattr(layers, kind)(use_scale=made.pick(True, False), **options)(given, **causal)


def _heads(made: Making) -> Any:
    layers = made.keras.layers
    x = _sequence(made)
    for _ in range(made.size(1, 2)):
        y = _attending(made, x, x)
        y = layers.Dense(x.shape[-1])(y) if y.shape[-1] != x.shape[-1] else y
        x = layers.Add()([x, y])
        x = made.pick(
            layers.LayerNormalization(),
            layers.GroupNormalization(groups=1),
            layers.RMSNormalization(),
        )(x)
        x = made.pick(
            layers.Dense(6, activation="relu"),
            layers.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d", activation="gelu"),
        )(x)
    return x


def _cross(made: Making) -> Any:
    query, value = _sequence(made), _sequence(made)
    return _attending(made, query, value)


def _cells(made: Making) -> Any:
    layers = made.keras.layers
    x = _sequence(made)

    def cell() -> Any:
        kind = made.pick(layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell)
        return kind(made.size(4, 10))

    way = made.pick("one", "stacked", "by hand")
    if way == "one":
        return layers.RNN(cell(), return_sequences=True)(x)
    if way == "stacked":
        return layers.RNN(layers.StackedRNNCells([cell(), cell()]), return_sequences=True)(x)
    one = cell()
    count = 2 if isinstance(one, layers.LSTMCell) else 1
    states = [layers.Dense(one.units, "tanh")(x[:, 0]) for _ in range(count)]
    answers = []
    for step in range(2):
        y, states = one(x[:, step], states)
        answers.append(y)
    return made.keras.ops.stack(answers, axis=1)


def _operations(made: Making) -> Any:
    ops = made.keras.ops
    x = made.numbers(made.size(4, 7), made.size(3, 5))
    steps = x.shape[1]
    for _ in range(made.size(2, 4)):
        function: Callable[[Any], Any] = made.pick(
            ops.elu,
            lambda x: ops.sqrt(ops.absolute(x) + 0.1),
            lambda x: ops.rsqrt(x * x + 0.5),
            lambda x: ops.log(x * x + 1.0),
            lambda x: ops.reciprocal(1.0 + ops.absolute(x)),
            lambda x: ops.where(x > 0.1, x, 0.5 * x),
            lambda x: ops.maximum(x, ops.min(x, axis=1, keepdims=True)),
            lambda x: x - ops.mean(x, axis=-1, keepdims=True),
            lambda x: ops.concatenate([x, ops.tanh(x)], axis=-1),
            lambda x: ops.concatenate([x[:, :2], x], axis=1),
            lambda x: ops.pad(x, [[0, 0], [1, 0], [0, 0]]),
            lambda x: ops.repeat(x, 2, axis=1),
            lambda x: ops.flip(x, axis=1),
            lambda x: ops.swapaxes(x, 1, 2),
            lambda x: x / (1.0 + ops.std(x, axis=-1, keepdims=True)),
            lambda x: ops.softmax(x, axis=-1) * ops.sigmoid(x),
        )
        x = function(x)
    made.traits = [trait for trait in made.traits if trait != "<lambda>"] + [f"{steps} steps"]
    return x


def _folds(made: Making) -> Any:
    """Steps go into the batch, through a layer, and come back."""
    layers, ops = made.keras.layers, made.keras.ops
    steps, inner, features = made.size(2, 4), made.size(3, 5), made.size(2, 4)
    x = made.numbers(steps, inner, features)
    folded = ops.reshape(x, (-1, inner, features))
    y = made.pick(
        layers.GRU(5), layers.LSTM(4), layers.Conv1D(3, 2), layers.Bidirectional(layers.GRU(3))
    )(folded)
    return ops.reshape(y, (-1, steps, int(np.prod(y.shape[1:]))))


def _transposed(made: Making) -> Any:
    layers = made.keras.layers
    x = _sequence(made)
    x = layers.Conv1D(5, 3, strides=2, padding="same", activation="relu")(x)
    return layers.Conv1DTranspose(
        made.size(2, 6), made.size(2, 4), strides=made.size(1, 3),
        padding=made.pick("valid", "same"), activation=made.pick(None, "relu"),
    )(x)  # fmt: skip


def _tail(made: Making, x: Any) -> list[Any]:
    layers = made.keras.layers
    if made.one_in(2, "recurrent"):
        kind = made.pick(layers.GRU, layers.LSTM)
        layer = kind(made.size(4, 12), return_sequences=made.one_in(2))
        x = (layers.Bidirectional(layer) if made.one_in(3, "both ways") else layer)(x)
    if len(x.shape) == 3:
        way = made.pick("average", "largest", "last", "all")
        if way == "average":
            x = layers.GlobalAveragePooling1D()(x)
        elif way == "largest":
            x = layers.GlobalMaxPooling1D()(x)
        elif way == "last":
            x = x[:, -1]
    heads = [layers.Dense(3, activation="softmax"), layers.Dense(2), layers.Dense(1, "sigmoid")]
    chosen = made.random.permutation(3)[: 2 if made.one_in(4, "two outputs") else 1]
    return [heads[number](x) for number in chosen]
