"""Says where fewer bits make a larger file: operators and scales of a small model cost more bytes
than its weights save.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from edgernn.artefact import Artefact
from edgernn.errors import CalibrationError, UnsupportedLayer
from edgernn.export import backend_named
from edgernn.export.backend import Lowered
from edgernn.graph import Graph
from edgernn.scheme import Scheme

#: From so many parameters on, smaller weights always pay.
_MOST_PARAMETERS: Final = 200_000


def larger_than_float32(
    graph: Graph,
    artefacts: Sequence[Artefact],
    options: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    """A sentence for each file that is no smaller than the same model in float32.

    graph: the float model that the artefacts were made from, of one step where they are.
    options: of the formats, as the artefacts were made with.
    """
    if graph.parameters > _MOST_PARAMETERS:
        return
    for artefact in artefacts:
        if artefact.scheme is Scheme.FLOAT32:
            continue
        try:
            lowered = _in_float32(graph, artefact, options.get(artefact.backend, {}))
        except UnsupportedLayer:  # the scheme that was made has a form that float32 lacks
            continue
        size = len(lowered.content) + sum(map(len, lowered.extra_files.values()))
        if artefact.bytes >= size:
            yield (
                f"{artefact.name} has {artefact.bytes:,} bytes, and the same file in float32 "
                f"{size:,}: the model is so small that --scheme float32 is smaller, exact, and "
                "often faster; `edgernn profile` measures both"
            )


def _in_float32(graph: Graph, artefact: Artefact, options: Mapping[str, str]) -> Lowered:
    lower, metadata = backend_named(artefact.backend).lower, _metadata(artefact)
    try:
        return lower(graph, metadata=metadata, **options)
    except CalibrationError:  # an option for integers only, such as --onnx-gru customop
        return lower(graph, metadata=metadata)


def _metadata(artefact: Artefact) -> dict[str, str]:
    """As large as that of the pipeline."""
    metadata = {
        "scheme": Scheme.FLOAT32.value,
        "source": artefact.source.file,
        "source_sha256": artefact.source.sha256,
        "keras_version": artefact.source.keras_version,
    }
    return metadata | ({"labels": json.dumps(artefact.labels)} if artefact.labels else {})
