"""Half of what a model learns: the answers of a teacher (Hinton et al., 2015)."""

from __future__ import annotations

import functools
from typing import Any

from edgernn.errors import WrongOption
from edgernn.tasks.keras_backend import load_keras

#: Where Keras keeps which steps of a tensor count.
MASK = "_keras_mask"
#: Of the loss, that against the teacher's answers.  The rest is that against the labels.
_SHARE = 0.5


class Distillation:
    """What the loss becomes when half of it is against a teacher's answers.

    It is no layer: a Keras model that has it does not train the teacher's weights or save them.
    """

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher
        self.loss: Any = None

    def compile(self, loss: Any, loss_weights: Any, output_names: Any) -> None:
        """Takes what keras.Model.compile takes: one loss, or one for each output.

        Raises WrongOption where there is no loss against labels.
        """
        keras = load_keras()
        if loss is None:
            raise WrongOption(
                "compile() has no loss, and the teacher's answers take half of it",
                remedy="Pass a loss, or leave out teacher",
            )
        # A model without layers: Keras finds the loss, its weight and the labels of each output.
        self.loss = keras.Model()
        if output_names is not None:
            self.loss.output_names = output_names
        self.loss.compile(loss=keras.tree.map_structure(_moved, loss), loss_weights=loss_weights)

    def more_loss(self, x: Any, y: Any, answers: Any, sample_weight: Any) -> Any:
        """What is added to the loss against the labels, so that half of it is the teacher's."""
        keras = load_keras()
        wanted = self.teacher(x, training=False)
        if (theirs := _names(wanted)) != (mine := _names(answers)):
            raise WrongOption(
                f"the teacher's outputs are {theirs}, the model's {mine}",
                remedy="Pass a teacher with outputs of the same structure and names as the model",
            )
        pairs = [
            _side_by_side(own, one)
            for own, one in zip(
                keras.tree.flatten(answers), keras.tree.flatten(wanted), strict=True
            )
        ]
        packed = keras.tree.pack_sequence_as(answers, pairs)
        return self.loss.compute_loss(y=y, y_pred=packed, sample_weight=sample_weight)


def distillation_from(teacher: Any, model: Any) -> Distillation:
    """Raises WrongOption for a teacher whose inputs or answers are not those of the model."""
    if not isinstance(teacher, load_keras().Model):
        raise WrongOption(
            f"the teacher is of type {type(teacher).__name__}, not a model of Keras 3",
            remedy="Pass a trained keras.Model",
        )
    theirs, mine = _shapes(teacher), _shapes(model)
    if theirs != mine:
        raise WrongOption(
            f"the teacher takes and gives {theirs}, the model {mine}",
            remedy="Pass a teacher with the inputs and outputs of the model",
        )
    return Distillation(teacher)


def _shapes(model: Any) -> str:
    """Of a row; lengths are left open."""

    def text(tensors: Any) -> str:
        return ", ".join(str((*("?" for _ in one.shape[1:-1]), one.shape[-1])) for one in tensors)

    if not getattr(model, "outputs", None):
        return "unknown shapes"
    return f"{text(model.inputs)} -> {text(model.outputs)}"


def _names(outputs: Any) -> str:
    """Of outputs in a dict.  Those in a list are compared by their order."""
    paths = [path for path, _ in load_keras().tree.flatten_with_path(outputs)]
    named = [".".join(map(str, path)) for path in paths if any(isinstance(k, str) for k in path)]
    return f"named {', '.join(named)}" if named else "without names"


def _side_by_side(own: Any, wanted: Any) -> Any:
    """[..., 2 values]: as a loss gets them, with the mask of the first ones."""
    ops = load_keras().ops
    pair = ops.concatenate([own, ops.stop_gradient(ops.cast(wanted, own.dtype))], axis=-1)
    setattr(pair, MASK, getattr(own, MASK, None))
    return pair


def _moved(loss: Any) -> Any:
    """The loss of one output against the teacher's answers, less that against labels, by half."""
    return None if loss is None else _moved_class()(load_keras().losses.get(loss))


def _require_loss_of_keras(loss: Any) -> None:
    """Of another it is not known whether it takes logits, and what stands for a label there."""
    if str(getattr(loss, "__module__", "")).split(".")[0] != "keras":
        name = getattr(loss, "__name__", type(loss).__name__)
        raise WrongOption(
            f"a teacher's answers may not fit what the loss {name} takes",
            remedy="Use a loss of keras.losses, or leave out teacher",
        )


@functools.cache
def _moved_class() -> type:
    """Made when Keras is loaded: a class cannot wait for the module of its base."""
    keras = load_keras()
    ops, losses = keras.ops, keras.losses

    class Moved(losses.Loss):  # type: ignore[misc, name-defined]
        """loss: a function or a Loss of keras.losses.

        Of numbers of classes, the teacher's probabilities take the place; of other labels, its
        answers do.
        """

        def __init__(self, loss: Any) -> None:
            made = isinstance(loss, losses.Loss)
            _require_loss_of_keras(type(loss) if made else loss)
            config = loss.get_config() if made else {}
            super().__init__(reduction=loss.reduction if made else "sum_over_batch_size")
            self.of = loss.call if made else loss
            self.known_as = type(loss).__name__ if made else getattr(loss, "__name__", str(loss))
            self.from_logits = bool(config.get("from_logits", False))
            self.of_class_numbers = loss is losses.sparse_categorical_crossentropy or isinstance(
                loss, losses.SparseCategoricalCrossentropy
            )

        def call(self, y_true: Any, y_pred: Any) -> Any:
            own, wanted = ops.split(y_pred, 2, axis=-1)
            if len(y_true.shape) + 1 == len(own.shape) and not self.of_class_numbers:
                y_true = ops.expand_dims(y_true, -1)
            if y_true.shape[-1] != own.shape[-1] and not self.of_class_numbers:
                raise WrongOption(
                    f"a teacher's answers do not fit where the loss {self.known_as} takes labels",
                    remedy="Use a loss that takes probabilities or numbers, or leave out teacher",
                )
            of_labels = self.of(y_true, own)
            moved = _SHARE * (self.of_answers(own, wanted) - of_labels)
            counts = getattr(of_labels, MASK, None)  # not the steps of a class that is ignored
            if counts is not None:
                moved = ops.where(counts, moved, 0.0)
                setattr(moved, MASK, counts)
            return moved

        def of_answers(self, own: Any, wanted: Any) -> Any:
            if self.from_logits:
                several = self.of_class_numbers or "Categorical" in self.known_as
                wanted = ops.softmax(wanted) if several else ops.sigmoid(wanted)
            if self.of_class_numbers:
                return losses.categorical_crossentropy(wanted, own, from_logits=self.from_logits)
            return self.of(wanted, own)

    return Moved
