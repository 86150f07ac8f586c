"""Functions of numbers and over axes, choices, elements that move; cells called as layers."""

# Each function takes the module and both tensors, whether it uses them or not.
# ruff: noqa: ARG005

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.zoo.case import BOTH, Case, Generation, Keras, state

#: Of keras.ops on a tensor [B, 5, 4]; p has positive numbers.
FUNCTIONS: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "elu": lambda ops, x, p: ops.elu(x, alpha=0.7),
    "sqrt": lambda ops, x, p: ops.sqrt(p),
    "rsqrt": lambda ops, x, p: ops.rsqrt(p),
    "log": lambda ops, x, p: ops.log(p),
    "reciprocal": lambda ops, x, p: ops.reciprocal(p),
    "divide_by_a_tensor": lambda ops, x, p: x / p,
    "divide_a_number": lambda ops, x, p: 2.0 / p,
    "min": lambda ops, x, p: ops.min(x, axis=1),
    "min-features": lambda ops, x, p: ops.min(x, axis=-1, keepdims=True),
    "max-features": lambda ops, x, p: ops.max(x, axis=-1),
    "max-both": lambda ops, x, p: ops.max(x, axis=(1, 2), keepdims=True),
    "var": lambda ops, x, p: ops.var(x, axis=1),
    "var-features": lambda ops, x, p: ops.var(x, axis=-1, keepdims=True),
    "std": lambda ops, x, p: ops.std(x, axis=1, keepdims=True),
    "greater": lambda ops, x, p: ops.where(x > 0.25, x, p),
    "less": lambda ops, x, p: ops.where(x < p - 1.0, 2.0, x),
    "less_equal": lambda ops, x, p: ops.where(x >= 0.1, x, -1.5),
    "not_equal": lambda ops, x, p: x * ops.cast(ops.not_equal(x, ops.maximum(x, 0.1)), "float32"),
    "not_equal_to_0": lambda ops, x, p: p * ops.cast(ops.relu(x) != 0, "float32"),
    "equal": lambda ops, x, p: ops.where(ops.equal(ops.relu(x), 0.0), p, x),
    "logical_not": lambda ops, x, p: ops.where(ops.logical_not(x > 0.1), p, x),
    "where_of_numbers": lambda ops, x, p: ops.softmax(p + ops.where(x > 0.1, 0.0, -1e9)),
    "where_log_is_finite": lambda ops, x, p: ops.where(x > 0.1, ops.log(x), -2.5),
    "where_quotient_is_finite": lambda ops, x, p: ops.where(
        x[:, :, :1] > 0.1, p / ops.relu(x[:, :, :1]), 0.5
    ),
    "count": lambda ops, x, p: ops.sum(x > 0.1, axis=1) / ops.sum(p, axis=1),
    "share": lambda ops, x, p: ops.mean(ops.cast(x < 0.1, "float32"), axis=-1),
    "cast_to_bool": lambda ops, x, p: ops.where(ops.cast(ops.relu(x), "bool"), x, p),
    "ones_like": lambda ops, x, p: ops.concatenate([x, ops.ones_like(p), ops.zeros_like(x)], -1),
    "from_ones": lambda ops, x, p: ops.ones_like(x) - ops.tanh(x),
    "mask_spread": lambda ops, x, p: ops.expand_dims(x[:, :, 0] != 0.0, -1) * x,
    "pad": lambda ops, x, p: ops.pad(x, [[0, 0], [2, 1], [0, 3]]),
    "repeat": lambda ops, x, p: ops.repeat(x, 3, axis=1),
    "repeat-features": lambda ops, x, p: ops.repeat(x, 2, axis=-1),
    "tile": lambda ops, x, p: ops.tile(x, [1, 2, 3]),
    "swapaxes": lambda ops, x, p: ops.swapaxes(x, 1, 2),
    "stack-features": lambda ops, x, p: ops.stack([x, p], axis=-1),
    "stack-axis_2": lambda ops, x, p: ops.stack([x, p, x], axis=2),
}

TENSORFLOW: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "elu": lambda tf, x, p: tf.nn.elu(x),
    "sqrt": lambda tf, x, p: tf.sqrt(p),
    "rsqrt": lambda tf, x, p: tf.math.rsqrt(p),
    "log": lambda tf, x, p: tf.math.log(p),
    "reciprocal": lambda tf, x, p: tf.math.reciprocal(p),
    "divide": lambda tf, x, p: x / p,
    "min": lambda tf, x, p: tf.reduce_min(x, axis=1),
    "var": lambda tf, x, p: tf.math.reduce_variance(x, axis=-1, keepdims=True),
    "std": lambda tf, x, p: tf.math.reduce_std(x, axis=1),
    "greater": lambda tf, x, p: tf.where(x > 0.25, x, p),
    "less": lambda tf, x, p: tf.where(tf.less(x, p - 1.0), x, p),
    "equal": lambda tf, x, p: tf.where(tf.equal(tf.nn.relu(x), 0.0), p, x),
    "not_equal": lambda tf, x, p: p * tf.cast(tf.not_equal(tf.nn.relu(x), 0.0), "float32"),
    "logical_not": lambda tf, x, p: tf.where(tf.logical_not(x > 0.1), p, x),
    "pad": lambda tf, x, p: tf.pad(x, [[0, 0], [2, 1], [0, 3]]),
    "repeat": lambda tf, x, p: tf.repeat(x, 3, axis=1),
    "tile": lambda tf, x, p: tf.tile(x, [1, 2, 3]),
    "stack": lambda tf, x, p: tf.stack([x, p], axis=-1),
}


def cases() -> Iterator[Case]:
    for name, function in FUNCTIONS.items():
        yield Case(name=f"element-{name}", build=_of_keras(function))
    for name, function in TENSORFLOW.items():
        yield Case(
            name=f"element-tf_{name}",
            build=_of_tensorflow(function),
            generations=(Generation.KERAS2,),
        )
    for kind in ("GRUCell", "LSTMCell", "SimpleRNNCell"):
        yield Case(name=f"cell-{kind}", build=_cell(kind), generations=BOTH)
    yield Case(name="cell-stacked", build=_stacked)
    yield Case(name="cell-unrolled_by_hand", build=_unrolled)


def _of_keras(function: Callable[[Any, Any, Any], Any]) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        x = k.Input(batch_shape=(None, 5, 4))
        return k.Model(x, function(k.ops, x, x * x + 0.5))

    return build


def _of_tensorflow(function: Callable[[Any, Any, Any], Any]) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        import tensorflow as tf

        x = k.Input(batch_shape=(None, 5, 4))
        return k.Model(x, function(tf, x, x * x + 0.5))

    return build


def _cell(kind: str) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        x = k.Input(batch_shape=(None, 3))
        states = [state(k, 4) for _ in range(2 if kind == "LSTMCell" else 1)]
        output, new = getattr(k.layers, kind)(4)(x, states)
        new = new if isinstance(new, list | tuple) else [new]
        return k.Model([x, *states], [k.layers.Dense(2)(output), *new])

    return build


def _stacked(k: Keras) -> Any:
    x = k.Input(batch_shape=(None, 3))
    h, c, g = state(k, 4), state(k, 4), state(k, 5)
    cells = k.layers.StackedRNNCells([k.layers.LSTMCell(4), k.layers.GRUCell(5)])
    output, _ = cells(x, [[h, c], [g]])
    return k.Model([x, h, c, g], output)


def _unrolled(k: Keras) -> Any:
    """A loop that somebody wrote: one cell, called for each step."""
    x = k.Input(batch_shape=(None, 4, 3))
    h = state(k, 5)
    cell, new = k.layers.GRUCell(5), h
    for step in range(4):
        _, new = cell(x[:, step], [new])
        new = new[0] if isinstance(new, list | tuple) else new
    return k.Model([x, h], new)
