"""GRU and LSTM layers of Keras whose training takes half the processor time.

TensorFlow derives a loop for the gradient from Keras' loop over steps: some 60 small operations a
step, and a product for the gradient of each weight matrix.  Here a step back has a dozen, and the
gradients of the weights are one product over all steps.  Weights, outputs and gradients are those
of Keras' layers but for rounding.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from edgernn.tasks.keras_backend import load_keras


def quick_layer(kind: str, units: int, *, return_sequences: bool, name: str) -> Any:
    """An untrained recurrent layer: `kind` is "gru" or "lstm", as keras.layers.GRU and LSTM.

    It takes [B, T, F] without a mask and without a state to begin with, and can be the layer of a
    keras.layers.Bidirectional.  It is for training: save a model that has its weights.
    Raises MissingRuntime.
    """
    return _layers()[kind](units, return_sequences=return_sequences, name=name)


@cache
def _layers() -> dict[str, Any]:
    """Subclasses of Keras' layers, which are known only once Keras is imported."""
    layers = load_keras().layers

    def call(layer: Any, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
        if mask is not None or initial_state is not None:
            raise ValueError(f"{layer.name} takes sequences without mask and state")
        return _answered(layer, sequences)

    return {
        "gru": type("QuickGRU", (layers.GRU,), {"call": call, "run": staticmethod(_gru)}),
        "lstm": type("QuickLSTM", (layers.LSTM,), {"call": call, "run": staticmethod(_lstm)}),
    }


def _answered(layer: Any, sequences: Any) -> Any:
    """[B, T, units], or [B, units] of the last step, as the layer's return_sequences says."""
    tf, cell = sys.modules["tensorflow"], layer.cell  # load_keras has imported it
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
    weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
    states = layer.run(tf.transpose(sequences, [1, 0, 2]), *map(tf.convert_to_tensor, weights))
    return tf.transpose(states, [1, 0, 2]) if layer.return_sequences else states[-1]


def _gru(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """States [T, B, units] of x [T, B, F], with the reset gate after the product."""
    tf, units = sys.modules["tensorflow"], recurrent.shape[0]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def states_of(seen: Any, recurrent: Any, bias: Any) -> Any:
        steps = tf.shape(seen)[0]
        kept = _kept(seen, units, 2 * units, units, units, units)

        def forth(step: Any, state: Any, *kept: Any) -> Any:
            before, update_reset, candidate, remembered, after = kept
            now = tf.gather(seen, step)
            product = tf.matmul(state, recurrent) + bias
            gates = tf.sigmoid(now[:, : 2 * units] + product[:, : 2 * units])
            memory = product[:, 2 * units :]
            new = tf.tanh(now[:, 2 * units :] + gates[:, units:] * memory)
            ended = new + gates[:, :units] * (state - new)
            return (
                step + 1,
                ended,
                before.write(step, state),
                update_reset.write(step, gates),
                candidate.write(step, new),
                remembered.write(step, memory),
                after.write(step, ended),
            )

        start = tf.zeros_like(seen[0][:, :units])
        _, _, before, update_reset, candidate, remembered, after = tf.while_loop(
            lambda step, *_: step < steps,
            forth,
            (0, start, *kept),
            maximum_iterations=steps,
        )

        def gradient(wanted: Any) -> Any:
            turned = tf.transpose(recurrent)

            def back(step: Any, slope: Any, of_seen: Any, of_product: Any) -> Any:
                slope += tf.gather(wanted, step)
                gates, new = update_reset.read(step), candidate.read(step)
                update, reset = gates[:, :units], gates[:, units:]
                of_new = slope * (1.0 - update) * (1.0 - new * new)
                of_gates = tf.concat(
                    [slope * (before.read(step) - new), of_new * remembered.read(step)], axis=1
                )
                of_gates *= gates * (1.0 - gates)
                of_memory = tf.concat([of_gates, of_new * reset], axis=1)
                return (
                    step - 1,
                    slope * update + tf.matmul(of_memory, turned),
                    of_seen.write(step, tf.concat([of_gates, of_new], axis=1)),
                    of_product.write(step, of_memory),
                )

            _, _, of_seen, of_product = tf.while_loop(
                lambda step, *_: step >= 0,
                back,
                (steps - 1, tf.zeros_like(start), *_kept(seen, 3 * units, 3 * units)),
                maximum_iterations=steps,
            )
            of_product = of_product.concat()
            of_recurrent = tf.matmul(before.concat(), of_product, transpose_a=True)
            return of_seen.stack(), of_recurrent, tf.reduce_sum(of_product, axis=0)

        return after.stack(), gradient

    return states_of(_product(x, kernel) + bias[0], recurrent, bias[1])


def _lstm(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """States [T, B, units] of x [T, B, F]."""
    tf, units = sys.modules["tensorflow"], recurrent.shape[0]

    def sorted_gates(weights: Any) -> Any:
        """Input, forget, output and then the candidate: one sigmoid for three of them."""
        first, second, candidate, output = tf.split(weights, 4, axis=-1)
        return tf.concat([first, second, output, candidate], axis=-1)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def states_of(seen: Any, recurrent: Any) -> Any:
        steps = tf.shape(seen)[0]

        def forth(step: Any, state: Any, cell: Any, *kept: Any) -> Any:
            before, cells, gated, candidate, bent, after = kept
            sums = tf.gather(seen, step) + tf.matmul(state, recurrent)
            gates, new = tf.sigmoid(sums[:, : 3 * units]), tf.tanh(sums[:, 3 * units :])
            ended = gates[:, units : 2 * units] * cell + gates[:, :units] * new
            shown = tf.tanh(ended)
            answer = gates[:, 2 * units :] * shown
            return (
                step + 1,
                answer,
                ended,
                before.write(step, state),
                cells.write(step, cell),
                gated.write(step, gates),
                candidate.write(step, new),
                bent.write(step, shown),
                after.write(step, answer),
            )

        start = tf.zeros_like(seen[0][:, :units])
        _, _, _, before, cells, gated, candidate, bent, after = tf.while_loop(
            lambda step, *_: step < steps,
            forth,
            (0, start, start, *_kept(seen, units, units, 3 * units, units, units, units)),
            maximum_iterations=steps,
        )

        def gradient(wanted: Any) -> Any:
            turned = tf.transpose(recurrent)

            def back(step: Any, slope: Any, of_cell: Any, of_sums: Any) -> Any:
                slope += tf.gather(wanted, step)
                gates, new, shown = gated.read(step), candidate.read(step), bent.read(step)
                of_cell += slope * gates[:, 2 * units :] * (1.0 - shown * shown)
                of_gates = tf.concat(
                    [of_cell * new, of_cell * cells.read(step), slope * shown], axis=1
                )
                of_gates *= gates * (1.0 - gates)
                of_new = of_cell * gates[:, :units] * (1.0 - new * new)
                all_gates = tf.concat([of_gates, of_new], axis=1)
                return (
                    step - 1,
                    tf.matmul(all_gates, turned),
                    of_cell * gates[:, units : 2 * units],
                    of_sums.write(step, all_gates),
                )

            nothing = tf.zeros_like(start)
            _, _, _, of_sums = tf.while_loop(
                lambda step, *_: step >= 0,
                back,
                (steps - 1, nothing, nothing, *_kept(seen, 4 * units)),
                maximum_iterations=steps,
            )
            of_recurrent = tf.matmul(before.concat(), of_sums.concat(), transpose_a=True)
            return of_sums.stack(), of_recurrent

        return after.stack(), gradient

    seen = _product(x, sorted_gates(kernel)) + sorted_gates(bias)
    return states_of(seen, sorted_gates(recurrent))


def _product(x: Any, kernel: Any) -> Any:
    """[T, B, gates] of x [T, B, F]: all steps at once."""
    tf = sys.modules["tensorflow"]
    shape = tf.shape(x)
    flat = tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]), kernel)
    return tf.reshape(flat, [shape[0], shape[1], kernel.shape[1]])


def _kept(like: Any, *widths: int) -> tuple[Any, ...]:
    """Lists of a matrix [B, width] for each step of `like` [T, B, ...]."""
    tf = sys.modules["tensorflow"]
    return tuple(
        tf.TensorArray(
            tf.float32,
            size=tf.shape(like)[0],
            clear_after_read=False,
            element_shape=(like.shape[1], width),
        )
        for width in widths
    )
