"""The names of a model's classes, from the user or from the training."""

from __future__ import annotations

from collections.abc import Sequence

from edgernn.errors import WrongOption
from edgernn.graph import Graph
from edgernn.tasks.training_log import TrainingLog


def class_labels(
    given: Sequence[str], training: TrainingLog | None, graph: Graph
) -> tuple[str, ...]:
    """The user's labels, else those the model was trained with.

    Raises WrongOption for another number of labels than the model has classes.
    """
    if isinstance(given, str):
        given = given.split(",")
    labels = tuple(label.strip() for label in given)
    if not labels:
        return training.labels if training else ()
    name, spec = next(iter(graph.output_specs.items()))
    if len(graph.outputs) > 1 or len(spec.shape) not in {2, 3} or spec.shape[-1] is None:
        return labels
    classes = max(spec.shape[-1], 2)  # perhaps at every step; a single number separates two
    if len(labels) not in {spec.shape[-1], classes}:
        raise WrongOption(
            f"{len(labels)} labels are given, and output '{name}' has {classes} classes",
            remedy="Give one label for each class, in the order of the outputs",
        )
    return labels
