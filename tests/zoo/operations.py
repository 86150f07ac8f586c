"""Operators and functions on Keras tensors, as people write them between layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.zoo.case import BOTH, Case, Gaps, Generation, Keras, sequence, state, tokens

#: What Python's own operators make of a tensor [B, 5, 4]; Keras 2 records them as TensorFlow's.
OPERATORS: Final[dict[str, Callable[[Any], Any]]] = {
    "last_step": lambda x: x[:, -1, :],
    "first_step": lambda x: x[:, 0],
    "tail": lambda x: x[:, 1:],
    "last_three": lambda x: x[:, -3:],
    "every_other": lambda x: x[:, ::2, :],
    "features": lambda x: x[:, :, 1:3],
    "one_feature": lambda x: x[:, :, 0],
    "new_axis": lambda x: x[:, :, 0, None],
    "add": lambda x: x + x,
    "subtract": lambda x: x - x * x,
    "scale": lambda x: x * 0.5,
    "shift": lambda x: x + 1.5,
    "one_minus": lambda x: 1.0 - x,
    "divide": lambda x: x / 4.0,
    "negate": lambda x: -x,
    "square": lambda x: x**2,
    "less_the_last": lambda x: x - x[:, -1:, :],
}

#: Functions of keras.ops (Keras 3) on a tensor [B, 5, 4].
FUNCTIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "mean_over_time": lambda ops, x: ops.mean(x, axis=1),
    "mean_over_time-keepdims": lambda ops, x: x - ops.mean(x, axis=1, keepdims=True),
    "mean_over_features": lambda ops, x: ops.mean(x, axis=-1),
    "max_over_time": lambda ops, x: ops.max(x, axis=-2),
    "sum_over_time": lambda ops, x: ops.sum(x, axis=1),
    "sum_over_features": lambda ops, x: ops.sum(x, axis=2, keepdims=True),
    "attention_pool": lambda ops, x: ops.sum(x * ops.softmax(x[:, :, :1], axis=1), axis=1),
    "relu": lambda ops, x: ops.relu(x),
    "leaky_relu": lambda ops, x: ops.leaky_relu(x, negative_slope=0.1),
    "gelu": lambda ops, x: ops.gelu(x),
    "softmax_over_time": lambda ops, x: ops.softmax(x, axis=1),
    "swap_axes": lambda ops, x: ops.transpose(x, (0, 2, 1)),
    "absolute": lambda ops, x: ops.abs(x),
    "square": lambda ops, x: ops.square(x),
    "power": lambda ops, x: ops.power(x, 2),
    "clip": lambda ops, x: ops.clip(x, -0.3, 0.4),
    "at_least": lambda ops, x: ops.maximum(x, 0.2),
    "clip_far": lambda ops, x: ops.clip(x, -1e9, 1e9),
    "clip_at_20": lambda ops, x: ops.clip(30 * x, -20.0, 25.0),
    "at_least_far": lambda ops, x: ops.maximum(x, -1e9),
    "at_most_far": lambda ops, x: ops.minimum(x, 1e9),
    "at_most": lambda ops, x: ops.minimum(0.2, x),
    "matmul": lambda ops, x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
    "split": lambda ops, x: ops.multiply(*ops.split(x, 2, axis=-1)),
    "split_at": lambda ops, x: ops.split(x, [1, 3], axis=-1)[1],
    "stack": lambda ops, x: ops.stack([x[:, 0], x[:, 2], x[:, -1]], axis=1),
    "concatenate": lambda ops, x: ops.concatenate([x, x], axis=1),
    "reshape": lambda ops, x: ops.reshape(x, (-1, 2, 10)),
    "reshape-fold": lambda ops, x: ops.reshape(x, (-1, 4)),
    "reshape-fold_two_axes": lambda ops, x: ops.reshape(x, (-1, 2)),
    "reshape-fold_and_back": lambda ops, x: ops.reshape(ops.reshape(x, (-1, 4)) * 2, (-1, 5, 4)),
    "reshape-fold_and_regroup": lambda ops, x: ops.reshape(ops.reshape(x, (-1, 2)), (-1, 2, 5)),
    "reshape-fold_twice": lambda ops, x: ops.reshape(
        ops.reshape(ops.reshape(x, (-1, 4)), (-1, 2)) + 1, (-1, 20)
    ),
    "expand_and_squeeze": lambda ops, x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "flip": lambda ops, x: ops.flip(x, axis=1),
    "cast": lambda ops, x: ops.cast(x, "float32"),
    "ellipsis": lambda _, x: x[..., 0],
}

#: TensorFlow's functions on tensors of Keras 2 [B, 5, 4].
TENSORFLOW: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "reduce_mean": lambda tf, x: tf.reduce_mean(x, axis=1),
    "reduce_max": lambda tf, x: tf.reduce_max(x, axis=[1]),
    "reduce_sum": lambda tf, x: tf.reduce_sum(x, -1, keepdims=True),
    "split": lambda tf, x: tf.split(x, [1, 2, 1], axis=-1)[1],
    "stack": lambda tf, x: tf.stack([x[:, 0], x[:, -1]], axis=1),
    "concat": lambda tf, x: tf.concat([x, x], -1),
    "clip_by_value": lambda tf, x: tf.clip_by_value(x, -0.3, 0.4),
    "matmul": lambda tf, x: tf.matmul(x, x, transpose_b=True),
    "matmul_operator": lambda tf, x: x @ tf.transpose(x, [0, 2, 1]),
    "reshape": lambda tf, x: tf.reshape(x, (-1, 20)),
    "reshape-fold_and_back": lambda tf, x: tf.reshape(tf.reshape(x, [-1, 4]) * 2, [-1, 5, 4]),
    "expand_dims": lambda tf, x: tf.squeeze(tf.expand_dims(x, 1), [1]),
    "reverse": lambda tf, x: tf.reverse(x, axis=[1]),
    "leaky_relu": lambda tf, x: tf.nn.leaky_relu(x, 0.1),
    "softmax": lambda tf, x: tf.nn.softmax(x, axis=1),
    "gelu": lambda tf, x: tf.nn.gelu(x),
    "abs_square": lambda tf, x: tf.abs(x) + tf.square(x),
    "cast": lambda tf, x: tf.cast(x, "float32"),
}


def cases() -> Iterator[Case]:
    for name, operator in OPERATORS.items():
        yield Case(name=f"operator-{name}", build=_operator(operator), generations=BOTH)
    for name, function in FUNCTIONS.items():
        yield Case(name=f"function-{name}", build=_function(function))
    for name, function in TENSORFLOW.items():
        yield Case(
            name=f"tensorflow-{name}",
            build=_tensorflow(function),
            generations=(Generation.KERAS2,),
        )
    yield Case(name="function-free_time", build=_free_time)
    yield Case(name="function-fold_free_time", build=_fold_free_time)
    yield Case(name="function-gru_on_folded_time", build=_gru_on_folded_time)
    yield Case(name="function-of_inputs", build=_of_inputs)
    yield Case(name="operator-seasonal_skip", build=_seasonal_skip, steps=8, generations=BOTH)
    yield Case(name="operator-highway", build=_highway, generations=BOTH)
    yield Case(name="operator-beside_a_mask", build=_beside_a_mask, gaps=Gaps.HOLES)
    yield Case(name="function-mask_of_a_slice", build=_mask_of_a_slice, gaps=Gaps.HOLES)
    yield Case(name="operator-masked_last_step", build=_masked_last_step, gaps=Gaps.HOLES)


def _operator(operation: Callable[[Any], Any]) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, 5)
        x = k.layers.GRU(4, return_sequences=True)(entry)
        return k.Model(entry, operation(x))

    return build


def _function(function: Callable[[Any, Any], Any]) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, 5)
        x = k.layers.GRU(4, return_sequences=True)(entry)
        return k.Model(entry, function(k.ops, x))

    return build


def _tensorflow(function: Callable[[Any, Any], Any]) -> Any:
    def build(k: Keras) -> Any:
        import tensorflow as tf

        entry = sequence(k, 4, 5)
        x = k.layers.GRU(4, return_sequences=True)(entry)
        return k.Model(entry, function(tf, x))

    return build


def _free_time(k: Keras) -> Any:
    entry = sequence(k)
    x = k.ops.relu(k.layers.GRU(4, return_sequences=True)(entry))
    return k.Model(entry, k.ops.mean(x, axis=1))


def _fold_free_time(k: Keras) -> Any:
    entry = sequence(k)
    return k.Model(entry, k.layers.Dense(3)(k.ops.reshape(entry, (-1, 2))))


def _gru_on_folded_time(k: Keras) -> Any:
    """A document of sentences, its sentences made rows of the batch by hand."""
    entry = k.Input((3, 6, 4))
    sentences = k.layers.GRU(5)(k.ops.reshape(entry, (-1, 6, 4)))
    return k.Model(entry, k.layers.GRU(2)(k.ops.reshape(sentences, (-1, 3, 5))))


def _of_inputs(k: Keras) -> Any:
    left, right = sequence(k), sequence(k)
    return k.Model([left, right], k.ops.concatenate([left, right], axis=-1))


def _seasonal_skip(k: Keras) -> Any:
    """A forecast beside the values of a season ago, after the last value was taken away."""
    entry = sequence(k, 3, 8)
    last = entry[:, -1:, :]
    x = k.layers.GRU(6)(entry - last)
    ahead = k.layers.Reshape((4, 3))(k.layers.Dense(12)(x))
    return k.Model(entry, ahead + last + entry[:, :4])


def _highway(k: Keras) -> Any:
    entry = sequence(k)
    open_ = k.layers.Dense(4, activation="sigmoid")(entry)
    turned = k.layers.Dense(4, activation="relu")(entry)
    return k.Model(entry, k.layers.GRU(3)(open_ * turned + (1 - open_) * entry))


def _beside_a_mask(k: Keras) -> Any:
    words, frames = tokens(k), sequence(k)
    x = k.layers.Embedding(11, 4, mask_zero=True)(words)
    return k.Model([words, frames], k.layers.GRU(5, return_sequences=True)(x * 0.5 + frames))


def _masked_last_step(k: Keras) -> Any:
    words, extra = tokens(k), state(k, 5)
    x = k.layers.Embedding(11, 4, mask_zero=True)(words)
    x = k.layers.LSTM(5, return_sequences=True)(x)
    return k.Model([words, extra], k.layers.Dense(2)(x[:, -1, :] + extra))


def _mask_of_a_slice(k: Keras) -> Any:
    """One of the features says which steps count."""
    entry = sequence(k, 4, 6)
    return k.Model(entry, k.layers.GRU(5)(entry, mask=k.ops.not_equal(entry[:, :, 0], 0.0)))
