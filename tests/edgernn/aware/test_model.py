"""`edgernn.quantization_aware`: what trains is what an export stores."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.aware.deployed import deployed
from edgernn.aware.integers import in_integers
from edgernn.errors import ModelFileError, WrongOption
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import QTensor, as_float32
from edgernn.scheme import Scheme
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.samples import Samples
from tests.edgernn.aware.models import rows, small
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN

TRAINED = GOLDEN / "trained"

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def keras() -> Any:
    return load_keras()


def tuned(name: str, task: str, scheme: str, count: int) -> tuple[Any, list[Samples]]:
    """A trained model after an epoch on a few rows of its task."""
    keras = load_keras()
    splits = splits_of(task)
    keras.utils.set_random_seed(0)
    base = keras.models.load_model(TRAINED / f"{name}.keras")
    model = edgernn.quantization_aware(base, scheme, calibrate=splits.calibration.x)
    model.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy")
    x, y = splits.train.x[:count], np.asarray(splits.train.y)[:count]
    model.fit(x, y, epochs=1, verbose=0)
    return model, [splits.calibration, splits.test]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, list[Samples]]:
    model, parts = tuned("digits_gru", "digits", "int4", 256)
    path = tmp_path_factory.mktemp("digits") / "gru4.keras"
    model.save(path)
    return model, path, parts


def file_answers(path: Path, parts: list[Samples], folder: Path) -> Any:
    """Of the int4 native file, on fresh rows: [N, classes]."""
    calibration, test = parts
    made = edgernn.load(path).export(
        folder, to="native", scheme="int4", calibrate=calibration.x, verify=False
    )
    name = next(iter(edgernn.load(path).inputs))
    (given,) = edgernn.Model(made["native"].path).run({name: test.x}).values()
    return given


def alike(model: Any, given: Any, test: Samples) -> float:
    """Share of rows that the model answers as the file."""
    wanted = model.predict(test.x, batch_size=500, verbose=0)
    return float((given.argmax(-1) == wanted.argmax(-1)).mean())


def test_the_native_file_answers_as_the_training(digits: Any, tmp_path: Path) -> None:
    model, path, parts = digits
    given = file_answers(path, parts, tmp_path)
    np.testing.assert_allclose(model.predict(parts[1].x, verbose=0), given, atol=1e-5)
    assert alike(model, given, parts[1]) >= 0.999
    assert alike(model.on_the_grid(), given, parts[1]) >= 0.998  # as in training, states in float
    x = parts[1].x[:8]
    in_training = np.asarray(model(x, training=True))
    assert np.abs(in_training - given[:8]).max() > 1e-4  # its states are float
    np.testing.assert_array_equal(model(x), model.predict(x, verbose=0))


def test_the_small_head_of_a_trained_grid_reads_16_bits(
    digits: Any, keras: Any, tmp_path: Path
) -> None:
    """Its weights are exact, so that its inputs alone turn answers; others keep 8 bits."""
    _, path, (calibration, _) = digits
    keras.models.load_model(path).save(tmp_path / "plain.keras")  # the numbers, and no grids

    def finer(file: Path) -> dict[str, str]:
        made = edgernn.load(file).export(
            tmp_path, to="native", scheme="int4", calibrate=calibration.x, verify=False
        )
        details = made["native"].artefact.details
        return {name: text for name, text in details.items() if "with 16 bits" in text}

    assert finer(path).keys() == {"layer probabilities"}
    assert not finer(tmp_path / "plain.keras")


@pytest.mark.long
@pytest.mark.parametrize("name", ["languages_bi_lstm", "languages_conv_lstm"])
@pytest.mark.parametrize("scheme", ["int4", "ternary"])
def test_native_files_of_a_hard_task_answer_as_they_were_scored(
    name: str, scheme: str, tmp_path: Path
) -> None:
    """Also words without a margin, which a training of one epoch leaves: states are integers."""
    model, parts = tuned(name, "languages", scheme, 2000)
    model.save(tmp_path / "model.keras")
    given = file_answers(tmp_path / "model.keras", parts, tmp_path)
    np.testing.assert_allclose(model.predict(parts[1].x, verbose=0), given, atol=1e-5)
    assert alike(model, given, parts[1]) >= 0.999
    assert alike(model.on_the_grid(), given, parts[1]) >= 0.998  # as in training, states in float


def test_the_export_has_the_weights_of_the_training(digits: Any) -> None:
    model, path, (calibration, _) = digits
    graph = float_graph(read_model(path).graph)
    assert len(graph.grids) == 3
    ranges = calibrate(graph, {graph.inputs[0].name: calibration.x})
    stored = [
        as_float32(weight)
        for layer in quantize(graph, ranges, Scheme.INT4).layers
        for weight in layer.weights.values()
        if isinstance(weight, QTensor)
    ]
    assert all(np.unique(matrix[:, 0]).size <= 15 for matrix in stored)
    seen = [np.asarray(weight) for weight in model.on_the_grid().weights]
    assert len(stored) == 3
    for matrix in stored:
        assert any(np.array_equal(matrix, weight) for weight in seen)


def test_the_model_in_memory_is_that_of_the_file(digits: Any) -> None:
    model, path, _ = digits
    in_memory, in_file = edgernn.load(model).model.graph, read_model(path).graph
    assert in_memory.grids.keys() == in_file.grids.keys()
    assert edgernn.load(model).parameters == edgernn.load(path).parameters


def test_keras_loads_the_file_alone(digits: Any, keras: Any) -> None:
    model, path, (_, test) = digits
    with zipfile.ZipFile(path) as archive:
        assert b"edgernn" not in archive.read("config.json")
    plain = keras.models.load_model(path)
    x = test.x[:64]
    in_training = np.asarray(model(x, training=True))
    np.testing.assert_allclose(plain.predict(x, verbose=0), in_training, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("most", 5), ("step", [1.0]), ("step", [1e38] * 96), ("step", [10**400]), ("step", "x")],
)
def test_a_damaged_grid_is_refused(digits: Any, field: str, value: Any, tmp_path: Path) -> None:
    copy = tmp_path / "damaged.keras"
    with zipfile.ZipFile(digits[1]) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "edgernn.json":
                entry = json.loads(content)
                entry["grids"][0][field] = value
                content = json.dumps(entry).encode()
            new.writestr(name, content)
    with pytest.raises(ModelFileError, match=r"edgernn\.json is damaged"):
        read_model(copy)


def test_all_kinds_of_layers_train_with_the_gradient_of_the_rounded_model(keras: Any) -> None:
    """The oracle: Keras itself, on a plain model that has the rounded weights."""
    import tensorflow as tf

    x, y = rows()
    convolution = keras.layers.Conv1D(8, 3, padding="same", activation="tanh")
    pair = keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True))
    model = edgernn.quantization_aware(small(keras, convolution, pair), "int4")
    assert model.left_in_float == ()
    assert len(model.on_grid) == 9

    def gradients(one: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(
                keras.losses.sparse_categorical_crossentropy(y, one(x, training=False))
            )
        found = tape.gradient(loss, [weight.value for weight in one.trainable_weights])
        return [tf.convert_to_tensor(gradient).numpy() for gradient in found]

    for found, wanted in zip(gradients(model), gradients(model.on_the_grid()), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)


def test_training_moves_weights_and_means_and_leaves_the_given_model(keras: Any) -> None:
    given = small(keras)
    before = given.get_weights()
    model = edgernn.quantization_aware(given, "ternary")
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*rows(), epochs=1, batch_size=16, verbose=0)
    for first, second in zip(before, given.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    changed = [
        not np.array_equal(first, second)
        for first, second in zip(before, model.inner.get_weights(), strict=True)
    ]
    assert all(changed)  # the moving means of BatchNormalization, too
    for one in model.on_grid:
        kernel = np.asarray(model.on_the_grid().weights[one.position])
        numbers = (
            len(np.unique(kernel.reshape(-1, kernel.shape[-1])[:, 0])) if not one.by_row else 0
        )
        assert numbers <= 2 * one.most + 1


def test_frozen_layers_answer_on_the_grid_and_keep_their_weights(keras: Any) -> None:
    given = small(keras)
    given.layers[1].trainable = False  # the GRU
    model = edgernn.quantization_aware(given, "ternary")
    before = [np.asarray(weight) for weight in model.inner.layers[1].weights]
    x, _ = rows()
    model.predict(x, verbose=0)
    model(x, training=True)
    for first, second in zip(before, model.inner.layers[1].weights, strict=True):
        np.testing.assert_array_equal(first, np.asarray(second))
    frozen = np.asarray(model.on_the_grid().layers[1].weights[0])
    assert len(np.unique(frozen[:, 0])) <= 3


def test_losses_of_activations_and_of_weights_count_once(keras: Any) -> None:
    keras.utils.set_random_seed(0)
    layers, square = keras.layers, keras.regularizers.L2(10.0)
    inputs = layers.Input((12,), dtype="int32")
    edge = layers.Embedding(20, 8)(inputs)
    edge = layers.Dense(8, kernel_regularizer=square)(edge)
    edge = layers.Rescaling(10.0)(edge)
    edge = layers.Dense(8, activity_regularizer=square)(edge)
    outputs = layers.Dense(3, activation="softmax")(layers.GRU(5)(edge))
    given = keras.Model(inputs, outputs)
    model = edgernn.quantization_aware(given, "int8")
    for one in (given, model):
        one.compile("sgd", "sparse_categorical_crossentropy")
    wanted = given.evaluate(*rows(), verbose=0)
    of_kernel = float(square(given.layers[2].kernel))
    assert of_kernel > 10
    assert wanted > 1.5 * of_kernel  # the rest is that of the activations
    assert model.evaluate(*rows(), verbose=0) == pytest.approx(wanted, rel=0.01)


def test_integers_in_fit_and_evaluate_follow_the_weights(keras: Any) -> None:
    """The oracle: the integers of the weights after the last step."""
    x, y = rows()
    model = edgernn.quantization_aware(small(keras), "int4", calibrate=x)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    found = model.fit(x, y, validation_data=(x, y), epochs=2, batch_size=16, verbose=0).history
    assert found["val_loss"][0] != found["val_loss"][1]
    scored = in_integers(deployed(model.inner, model.on_grid), x, "int4")
    assert scored is not None
    answers = scored.predict(x, batch_size=48)
    wanted = float(-np.log(answers[np.arange(len(y)), y]).mean())
    assert found["val_loss"][1] == pytest.approx(wanted, rel=1e-5)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(wanted, rel=1e-5)
    assert model.test_on_batch(x, y) == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_array_equal(model.predict_on_batch(x), answers)


def test_a_model_of_one_kernel_is_called_outside_of_a_graph(keras: Any) -> None:
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    aware = edgernn.quantization_aware(model, "ternary")
    np.testing.assert_allclose(aware(x), aware.on_the_grid()(x), atol=1e-6)


def test_integers_of_steps_that_a_mask_hides_do_not_count(keras: Any) -> None:
    layers = keras.layers
    inputs = layers.Input((6, 3), name="x")
    outputs = layers.Dense(2)(layers.GRU(4, return_sequences=True)(layers.Masking()(inputs)))
    x = np.random.default_rng(0).normal(size=(16, 6, 3)).astype(np.float32)
    x[:, 4:] = 0
    y = np.zeros((16, 6, 2), np.float32)
    given = keras.Model({"x": inputs}, outputs)
    model = edgernn.quantization_aware(given, "int4", calibrate=x)
    model.compile("sgd", "mse")
    wanted = model.evaluate({"x": x}, y, verbose=0)
    y[:, 4:] = 100
    assert model.evaluate({"x": x}, y, verbose=0) == pytest.approx(wanted)


def test_a_graph_of_the_user_answers_in_integers_of_the_weights_as_they_are(keras: Any) -> None:
    x, _ = rows()
    model = edgernn.quantization_aware(small(keras), "int4", calibrate=x)
    in_graph = pytest.importorskip("tensorflow").function(model)
    before = np.asarray(in_graph(x))
    model.inner.set_weights([1.5 * weight for weight in model.inner.get_weights()])
    after = np.asarray(in_graph(x))
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_array_equal(after, model(x))


def test_states_that_stay_between_calls_are_not_scored_in_integers(keras: Any) -> None:
    cell = keras.layers.GRU(4, stateful=True)
    model = keras.Sequential([keras.layers.Input(batch_shape=(4, 6, 3)), cell])
    with pytest.raises(WrongOption, match="keeps its states between calls"):
        edgernn.quantization_aware(model, "int4", calibrate=np.zeros((4, 6, 3), np.float32))


def test_several_inputs_are_not_scored_in_integers(keras: Any) -> None:
    one, other = (keras.layers.Input((6, 3)) for _ in range(2))
    both = keras.layers.Concatenate()([one, other])
    model = keras.Model([one, other], keras.layers.Dense(2)(keras.layers.GRU(4)(both)))
    x = np.zeros((4, 6, 3), np.float32)
    with pytest.raises(WrongOption, match="takes 2 inputs is not scored in integers"):
        edgernn.quantization_aware(model, "int4", calibrate=x)


def test_a_class_with_steps_of_its_own_is_refused_and_the_remedy_works(keras: Any) -> None:
    class Adversarial(keras.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            raise NotImplementedError

    plain = small(keras)
    model = Adversarial(plain.inputs, plain.outputs)
    with pytest.raises(WrongOption, match=r"has a train_step\(\) of its own"):
        edgernn.quantization_aware(model, "int4")
    edgernn.quantization_aware(keras.Model(model.inputs, model.outputs), "int4")


def test_matrices_of_zeros_keep_the_grid_of_their_shape(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    inputs = layers.Input((6, 8))
    read = layers.GRU(4)(inputs)
    wide = layers.Dense(3, kernel_initializer="zeros")(read)
    narrow = layers.Dense(1, kernel_initializer="zeros")(layers.Dense(12)(read))  # 12 zeros, too
    model = edgernn.quantization_aware(keras.Model(inputs, [wide, narrow]), "int4")
    model.save(tmp_path / "zeros.keras")
    assert len(read_model(tmp_path / "zeros.keras").graph.grids) == len(model.on_grid) == 5


def test_a_file_that_keras_saved_again_has_no_grids(
    digits: Any, keras: Any, tmp_path: Path
) -> None:
    plain = keras.models.load_model(digits[1])
    head = plain.layers[-1]
    head.set_weights([1.01 * weight for weight in head.get_weights()])
    plain.save(tmp_path / "changed.keras")
    assert not read_model(tmp_path / "changed.keras").graph.grids


def test_what_cannot_be_trained_says_so(keras: Any, tmp_path: Path) -> None:
    model = small(keras)
    with pytest.raises(WrongOption, match=r"no training for 'int2'. Choose int8, int4"):
        edgernn.quantization_aware(model, "int2")
    flat = keras.Sequential([keras.layers.Input((4, 2)), keras.layers.GlobalAveragePooling1D()])
    with pytest.raises(WrongOption, match="no weights that int4 could hold"):
        edgernn.quantization_aware(flat, "int4")
    with pytest.raises(ModelFileError, match="is not a model of Keras 3"):
        edgernn.quantization_aware("gru.keras", "int4")
    aware = edgernn.quantization_aware(model, "int4")
    with pytest.raises(WrongOption, match=r"does not end in .keras"):
        aware.save(tmp_path / "model.h5")
    assert not list(tmp_path.iterdir())


def test_matrices_on_no_grid_are_named(keras: Any) -> None:
    layers = keras.layers
    inputs = layers.Input((6, 8))
    outputs = layers.MultiHeadAttention(2, 4)(inputs, inputs)
    outputs = layers.GRU(4)(outputs)
    model = edgernn.quantization_aware(keras.Model(inputs, outputs), "int4")
    assert [one.variable.split("/")[-1] for one in model.on_grid][-2:] == [
        "kernel",
        "recurrent_kernel",
    ]
    assert all("attention" in path for path in model.left_in_float)
