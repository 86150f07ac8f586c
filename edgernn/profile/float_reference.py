"""What the original model would have said, computed here in float32 without Keras.

Agreement with it separates what quantization, a kernel or a device did to a model from what the
model never knew.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from edgernn.scoring.predictions import Predictions
from edgernn.tasks.samples import Samples

#: numpy does some 10^10 multiplications a second: a larger job would keep the device waiting.
MOST_MULTIPLICATIONS: Final = 1e11


class References:
    """Answers of original models to one set of samples: each is computed once.

    Threads may share it.  The second that asks for a model waits for the first.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Path, tuple[str, ...]], Predictions | None] = {}
        self._lock = threading.Lock()

    def of(self, source: Path, samples: Samples, labels: tuple[str, ...]) -> Predictions | None:
        """As reference_predictions."""
        with self._lock:
            key = (source, labels)
            if key not in self._known:
                self._known[key] = reference_predictions(source, samples, labels)
            return self._known[key]


def reference_predictions(
    source: Path, samples: Samples, labels: tuple[str, ...] = ()
) -> Predictions | None:
    """Row by row what the Keras file `source` says; None where that cannot be had here.

    `labels` are the names of its classes.  None is the answer for models of several inputs or
    with states, and for jobs that would take minutes.
    Raises ModelFileError or UnsupportedLayer when the file cannot be read, DataError when the
    samples do not fit it.
    """
    from edgernn.export.keras.file import read_model
    from edgernn.export.study.labelled import predict

    graph = read_model(source).graph
    multiplications = graph.parameters * samples.x.shape[1] * len(samples.x)
    if len(graph.inputs) != 1 or graph.states:
        return None
    if multiplications > MOST_MULTIPLICATIONS:
        return None
    return predict(graph, samples, labels, file=source.name)
