"""A teacher: half of the loss is against its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import edgernn
from edgernn.errors import WrongOption
from edgernn.tasks.keras_backend import load_keras

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS, STEPS, FEATURES, CLASSES = 24, 5, 3, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)


@pytest.fixture(scope="module")
def keras() -> Any:
    return load_keras()


def network(keras: Any, head: Any, *, steps: bool = False, masked: bool = False) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    masking = [layers.Masking(9.0)] if masked else []
    gru = layers.GRU(6, return_sequences=steps)
    return keras.Sequential([layers.Input((STEPS, FEATURES)), *masking, gru, head])


def taught(keras: Any, loss: Any, head: Any, **how: bool) -> tuple[Any, Any]:
    """(A model, compiled, and its teacher, whose answers are others)"""
    model = network(keras, head, **how)
    teacher = keras.models.clone_model(model)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=one.shape) for one in model.get_weights()])
    teacher.set_weights([3 * rng.normal(size=one.shape) for one in model.get_weights()])
    aware = edgernn.quantization_aware(model, "int4", teacher=teacher)
    aware.compile("adam", loss)
    return aware, teacher


def loss_of(aware: Any, y: Any, weights: Any = None, *, x: Any = X, training: bool = True) -> float:
    return float(aware.compute_loss(x, y, aware(x), weights, training=training))


def answers(model: Any, x: Any = X) -> npt.NDArray[np.float64]:
    return np.asarray(model(x), np.float64)


def entropy(wanted: Any, given: Any) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = -(wanted * np.log(given)).sum(-1)
    return found


def test_half_of_the_loss_is_against_the_probabilities_of_the_teacher(keras: Any) -> None:
    head = keras.layers.Dense(CLASSES, activation="softmax")
    aware, teacher = taught(keras, "sparse_categorical_crossentropy", head)
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    labels = entropy(np.eye(CLASSES)[y], answers(aware)).mean()
    teachers = entropy(answers(teacher), answers(aware)).mean()
    assert abs(labels - teachers) > 0.01
    assert loss_of(aware, y) == pytest.approx((labels + teachers) / 2, rel=1e-4)
    assert loss_of(aware, y, training=False) == pytest.approx(labels, rel=1e-4)


def test_logits_count_as_their_probabilities(keras: Any) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    aware, teacher = taught(keras, loss, keras.layers.Dense(CLASSES))
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    own, wanted = (
        np.exp(one) / np.exp(one).sum(-1, keepdims=True)
        for one in (answers(aware), answers(teacher))
    )
    expected = (entropy(np.eye(CLASSES)[y], own) + entropy(wanted, own)).mean() / 2
    assert loss_of(aware, y) == pytest.approx(expected, rel=1e-4)


def test_logits_of_labels_count_as_their_probabilities(keras: Any) -> None:
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    aware, teacher = taught(keras, loss, keras.layers.Dense(2))
    y = np.random.default_rng(2).integers(0, 2, (ROWS, 2))
    own, wanted = (1 / (1 + np.exp(-one)) for one in (answers(aware), answers(teacher)))
    both = (y + wanted) / 2  # the loss is linear in what it wants
    expected = -(both * np.log(own) + (1 - both) * np.log(1 - own)).mean()
    assert loss_of(aware, y) == pytest.approx(expected, rel=1e-4)


def test_of_numbers_the_teachers_numbers_are_learnt(keras: Any) -> None:
    aware, teacher = taught(keras, "mean_absolute_error", keras.layers.Dense(1))
    y = np.random.default_rng(2).normal(size=ROWS).astype(np.float32)
    own = answers(aware)[:, 0]
    labels, teachers = np.abs(own - y).mean(), np.abs(own - answers(teacher)[:, 0]).mean()
    assert loss_of(aware, y) == pytest.approx((labels + teachers) / 2, rel=1e-4)


def test_steps_of_an_ignored_class_do_not_count(keras: Any) -> None:
    """So trainings mark the padding of rows; weights of rows count for both halves."""
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    head = keras.layers.Dense(CLASSES, activation="softmax")
    aware, teacher = taught(keras, loss, head, steps=True)
    y = np.random.default_rng(2).integers(0, CLASSES, (ROWS, STEPS))
    y[:, 3:] = -1
    weights = np.random.default_rng(2).uniform(size=(ROWS, STEPS))
    own, wanted = answers(aware)[:, :3], answers(teacher)[:, :3]
    each = (entropy(np.eye(CLASSES)[y[:, :3]], own) + entropy(wanted, own)) / 2
    assert loss_of(aware, y) == pytest.approx(each.mean(), rel=1e-4)
    weighted = (weights[:, :3] * each).mean()
    assert loss_of(aware, y, weights) == pytest.approx(weighted, rel=1e-4)


def test_steps_that_a_mask_hides_do_not_count(keras: Any) -> None:
    head = keras.layers.Dense(1)
    aware, teacher = taught(keras, "mean_squared_error", head, steps=True, masked=True)
    x, y = X.copy(), np.random.default_rng(2).normal(size=(ROWS, STEPS, 1)).astype(np.float32)
    x[:, 2:] = 9.0
    own, wanted = answers(aware, x)[:, :2], answers(teacher, x)[:, :2]
    expected = (((own - y[:, :2]) ** 2).mean() + ((own - wanted) ** 2).mean()) / 2
    assert loss_of(aware, y, x=x) == pytest.approx(expected, rel=1e-4)


def test_each_output_has_its_loss_and_its_share(keras: Any) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    given = layers.Input((STEPS, FEATURES))
    state = layers.GRU(6)(given)
    heads = [layers.Dense(CLASSES, activation="softmax", name="kind")(state)]
    heads.append(layers.Dense(1, name="size")(state))
    model = keras.Model(given, heads)
    teacher = keras.models.clone_model(model)
    teacher.set_weights(
        [3 * np.random.default_rng(2).normal(size=one.shape) for one in model.get_weights()]
    )
    aware = edgernn.quantization_aware(model, "int4", teacher=teacher)
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mean_absolute_error"}
    aware.compile("adam", losses, loss_weights={"kind": 1.0, "size": 0.1})
    kinds = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    y = {"kind": kinds, "size": np.zeros((ROWS, 1), np.float32)}
    (kind, size), (wanted_kind, wanted_size) = (
        [np.asarray(a) for a in m(X)] for m in (aware, teacher)
    )
    of_kind = entropy(np.eye(CLASSES)[kinds], kind) + entropy(wanted_kind, kind)
    of_size = np.abs(size) + np.abs(size - wanted_size)
    expected = of_kind.mean() / 2 + 0.1 * of_size.mean() / 2
    first = aware.fit(X, y, batch_size=ROWS, epochs=1, verbose=0).history["loss"][0]
    assert first == pytest.approx(expected, rel=1e-4)


def test_losses_that_layers_add_count_once(keras: Any) -> None:
    head = keras.layers.Dense(1, activity_regularizer="l2")
    aware, teacher = taught(keras, "mean_absolute_error", head)
    own, y = answers(aware), np.zeros((ROWS, 1), np.float32)
    expected = (np.abs(own) + np.abs(own - answers(teacher))).mean() / 2
    expected += 0.01 * (own**2).sum() / ROWS
    first = aware.fit(X, y, batch_size=ROWS, epochs=1, verbose=0).history["loss"][0]
    assert first == pytest.approx(expected, rel=1e-4)


def test_a_model_comes_near_its_teacher_which_stays_as_it_is(keras: Any, tmp_path: Path) -> None:
    head = keras.layers.Dense(1)
    aware, teacher = taught(keras, "mean_squared_error", head)
    exact = [np.array(one) for one in teacher.weights]
    wanted, before = answers(teacher), answers(aware)
    aware.compile(keras.optimizers.Adam(0.02), "mean_squared_error")
    aware.fit(X, 2 * before - wanted, epochs=40, verbose=0)  # labels on the other side
    middle = np.abs(answers(aware) - before).mean()
    assert middle < 0.5 * np.abs(wanted - before).mean()
    assert all(np.array_equal(a, b) for a, b in zip(exact, teacher.get_weights(), strict=True))
    assert len(aware.weights) == len(aware.inner.weights)
    aware.save(tmp_path / "small.keras")
    saved = keras.models.load_model(tmp_path / "small.keras")
    assert np.allclose(np.asarray(saved(X)), answers(aware), atol=1e-6)


def test_what_cannot_be_learnt_from_a_teacher_says_so(keras: Any) -> None:
    layers = keras.layers
    model = network(keras, layers.Dense(CLASSES, activation="softmax"))
    for teacher, why in (
        ("gru.keras", "the teacher is of type str"),
        (network(keras, layers.Dense(2)), "takes and gives ('?', 3) -> (2,), the model"),
    ):
        with pytest.raises(WrongOption, match=r"teacher") as raised:
            edgernn.quantization_aware(model, "int4", teacher=teacher)
        assert why in str(raised.value)
    aware = edgernn.quantization_aware(model, "int4", teacher=model)
    with pytest.raises(WrongOption, match="has no loss"):
        aware.compile("adam")

    def of_class_numbers(y_true: Any, y_pred: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    for own in (of_class_numbers, type("Own", (keras.losses.Loss,), {"call": of_class_numbers})()):
        with pytest.raises(WrongOption, match=r"not fit what the loss .* takes"):
            aware.compile("adam", own)
    steps = network(keras, layers.Dense(CLASSES, activation="softmax"), steps=True)
    aware = edgernn.quantization_aware(steps, "int4", teacher=steps)
    aware.compile("adam", keras.losses.CTC())
    with pytest.raises(WrongOption, match="where the loss CTC takes labels"):
        aware.compute_loss(X, np.ones((ROWS, 2), np.int64), aware(X), None)


@pytest.mark.parametrize("theirs", [{"left": 1, "right": 0}, [1, 0]])
def test_outputs_of_other_names_are_not_compared_by_their_order(keras: Any, theirs: Any) -> None:
    given = keras.Input((STEPS, FEATURES))
    state = keras.layers.GRU(6)(given)
    heads = [keras.layers.Dense(1)(state) for _ in range(2)]
    model = keras.Model(given, {"small": heads[0], "large": heads[1]})
    teacher = keras.Model(given, keras.tree.map_structure(heads.__getitem__, theirs))
    aware = edgernn.quantization_aware(model, "int4", teacher=teacher)
    aware.compile("adam", {"small": "mean_squared_error", "large": "mean_squared_error"})
    labels = {name: np.zeros((ROWS, 1), np.float32) for name in ("small", "large")}
    with pytest.raises(WrongOption, match=r"the teacher's outputs are .*, the model's named large"):
        aware.fit(X, labels, epochs=1, verbose=0)
