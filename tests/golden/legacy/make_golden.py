"""Writes the legacy models of this folder, each with inputs and its own version's predictions.

Run it once in each old environment; what it writes is committed, the environments are not:

    Python 3.7   tensorflow==1.15.5 keras==2.2.4 "h5py<3" "protobuf<3.21" "numpy<1.19"
    Python 3.8   tensorflow-cpu==2.3.4 "protobuf<3.21"
    Python 3.9   tensorflow-cpu==2.8.4 "protobuf<3.21" "numpy<2"
    Python 3.10  tensorflow-cpu==2.16.2 keras==3.0.5 "numpy<2"

    python make_golden.py keras           # the keras package
    python make_golden.py tensorflow      # tf.keras

Each model becomes <model>-<version>.h5 or .keras and an .npz of the same name with input_0,
input_1, ... and output_0, output_1, ... in the model's order.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def text_classifier(keras):
    """The legacy model that people have: hard_sigmoid, where the version defaults to it."""
    layers = keras.layers
    model = keras.models.Sequential(name="text")
    if keras.__version__.startswith("3"):
        model.add(layers.Input(shape=(20,)))
        model.add(layers.Embedding(50, 8))
    else:
        model.add(layers.Embedding(50, 8, input_length=20))
    model.add(layers.Dropout(0.2))
    model.add(layers.Conv1D(12, 3, padding="same", activation="relu"))
    model.add(layers.MaxPooling1D(pool_size=2))
    model.add(layers.LSTM(10, recurrent_activation="hard_sigmoid"))
    model.add(layers.Dense(3, activation="softmax"))
    return model


def masked_functional(keras):
    """Masks through Bidirectional, merges and TimeDistributed; a shared layer; two inputs."""
    layers = keras.layers
    tokens = layers.Input(shape=(None,), name="tokens", dtype="int32")
    features = layers.Input(shape=(None, 4), name="features")
    embedded = layers.Embedding(20, 4, mask_zero=True, name="embedding")(tokens)
    masked = layers.Masking(name="masking")(features)
    shared = layers.GRU(5, return_sequences=True, name="shared")
    both = layers.Concatenate(name="both")([shared(embedded), shared(masked)])
    around = layers.Bidirectional(
        layers.LSTM(3, return_sequences=True), merge_mode="sum", name="around"
    )(both)
    steps = layers.TimeDistributed(layers.Dense(2, activation="tanh"), name="steps")(around)
    summed = layers.Add(name="summed")([embedded, masked])
    last = layers.SimpleRNN(3, name="last")(summed)
    return keras.models.Model([tokens, features], [steps, last], name="masked")


def seq2seq(keras):
    """Returned and initial states; a nested model with BatchNormalization, partly frozen."""
    layers = keras.layers
    source = layers.Input(shape=(None, 3), name="source")
    target = layers.Input(shape=(None, 2), name="target")
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(source)
    decoded = layers.LSTM(4, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    inner_in = layers.Input(shape=(None, 4), name="inner_in")
    frozen = layers.Dense(3, name="frozen", trainable=False)
    y = layers.BatchNormalization(name="norm")(frozen(inner_in))
    y = layers.Dense(2, name="inner_out")(y)
    head = keras.models.Model(inner_in, y, name="head")
    gru = layers.GRU(3, go_backwards=True, name="gru")(decoded)
    return keras.models.Model([source, target], [head(decoded), gru], name="seq2seq")


def conv_stack(keras):
    """Sizes and options that changed their spelling between versions."""
    layers = keras.layers
    model = keras.models.Sequential(name="conv")
    model.add(layers.SeparableConv1D(6, 3, padding="same", input_shape=(12, 3)))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU(0.2))
    model.add(layers.Conv1D(4, 2, strides=2, padding="causal", dilation_rate=1))
    model.add(layers.ELU())
    model.add(layers.ZeroPadding1D((1, 2)))
    model.add(layers.AveragePooling1D(2, padding="same"))
    model.add(layers.Activation("hard_sigmoid"))
    model.add(layers.PReLU(shared_axes=[1]))
    model.add(layers.Flatten())
    model.add(layers.RepeatVector(3))
    model.add(layers.GRU(4, return_sequences=True, recurrent_activation="hard_sigmoid"))
    model.add(layers.GlobalMaxPooling1D())
    return model


def cudnn(keras, layers):
    """GPU-only layers: saved as such, predicted by the layers that load their weights."""
    model = keras.models.Sequential(name="cudnn")
    model.add(layers.CuDNNGRU(4, return_sequences=True, input_shape=(6, 3), name="a"))
    model.add(layers.CuDNNLSTM(5, name="b"))
    return model


def on_cpu(keras):
    layers = keras.layers
    model = keras.models.Sequential(name="cudnn")
    sigmoid = "sigmoid"
    model.add(
        layers.GRU(
            4,
            reset_after=True,
            recurrent_activation=sigmoid,
            return_sequences=True,
            input_shape=(6, 3),
            name="a",
        )
    )
    model.add(layers.LSTM(5, recurrent_activation=sigmoid, name="b"))
    return model


MODELS = [text_classifier, masked_functional, seq2seq, conv_stack]


def inputs_for(model, rng):
    found = []
    for tensor in model.inputs:
        shape = (
            [int(size) if size is not None else None for size in tensor.shape.as_list()]
            if (hasattr(tensor.shape, "as_list"))
            else list(tensor.shape)
        )
        sizes = [
            3 if axis == 0 else (7 if size is None else size) for axis, size in enumerate(shape)
        ]
        if len(sizes) == 2:
            x = rng.randint(1, 20, sizes).astype("float32")
            x[0, 4:] = 0
            x[1, 2] = 0
        else:
            x = rng.normal(size=sizes).astype("float32")
            x[0, 4:] = 0
            x[1, 2] = 0
        found.append(x)
    return found


def write(model, label, suffix, predictor=None):
    rng = np.random.RandomState(7)
    weights = [rng.normal(0, 0.5, w.shape).astype("float32") for w in model.get_weights()]
    # Variances are positive; a size of its own is not needed to find them.
    model.set_weights([np.abs(w) + 0.1 if w.ndim == 1 else w for w in weights])
    path = HERE / f"{model.name}-{label}{suffix}"
    model.save(str(path))
    if predictor is not None:
        predictor.load_weights(str(path))
    inputs = inputs_for(model, rng)
    outputs = (predictor or model).predict(inputs if len(inputs) > 1 else inputs[0])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    arrays = {f"input_{i}": x for i, x in enumerate(inputs)}
    arrays.update({f"output_{i}": y for i, y in enumerate(outputs)})
    np.savez_compressed(HERE / f"{model.name}-{label}.npz", **arrays)


def main():
    if sys.argv[1] == "keras":
        import keras
    else:
        from tensorflow import keras
    label = keras.__version__
    suffix = ".keras" if label.startswith("3") else ".h5"
    for build in MODELS:
        keras.backend.clear_session()
        write(build(keras), label, suffix)
    if label == "2.4.0":  # where CuDNN layers can be made and saved without a GPU
        from tensorflow.compat.v1.keras import layers

        keras.backend.clear_session()
        write(cudnn(keras, layers), label, suffix, on_cpu(keras))


main()
