"""The original model's answers, computed here in float32 without Keras.

Agreement with them separates the effect of quantization, a kernel or a device from the errors of
the model itself.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from edgernn.graph import Decoding
from edgernn.scoring.predictions import Predictions
from edgernn.tasks.samples import Samples

#: numpy does some 10^10 multiplications a second; the device would wait for a larger job.
MOST_MULTIPLICATIONS: Final = 1e11


class References:
    """Answers of original models to one set of samples: each is computed once.

    Threads may share it.  A second request for the same model waits for the first.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Path, tuple[str, ...], Decoding | None], Predictions | None] = {}
        self._lock = threading.Lock()

    def of(
        self,
        source: Path,
        samples: Samples,
        labels: tuple[str, ...],
        decoding: Decoding | None = None,
    ) -> Predictions | None:
        """As reference_predictions."""
        with self._lock:
            key = (source, labels, decoding)
            if key not in self._known:
                self._known[key] = reference_predictions(source, samples, labels, decoding)
            return self._known[key]


def reference_predictions(
    source: Path,
    samples: Samples,
    labels: tuple[str, ...] = (),
    decoding: Decoding | None = None,
) -> Predictions | None:
    """The answers of the Keras file `source` for each row; None if they cannot be computed here.

    `labels` are the names of its classes; with a `decoding` it writes sequences.  Returns None for
    other models with several inputs, for models with states, and for jobs that would take minutes.
    Raises ModelFileError or UnsupportedLayer if the file cannot be read, DataError if the samples
    do not fit it.
    """
    from edgernn.export.reading import read_source
    from edgernn.export.study.labelled import predict

    graph = read_source(source).graph
    multiplications = graph.parameters * samples.x.shape[1] * len(samples.x)
    if (len(graph.inputs) != 1 and decoding is None) or graph.states:
        return None
    if multiplications > MOST_MULTIPLICATIONS:
        return None
    return predict(graph, samples, labels, file=source.name, decoding=decoding)
