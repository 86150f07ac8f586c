"""Compares edgernn's reading of a model with Keras itself, which shares nothing with it.

All files are compared with the reference executor.  Where it shares a misreading with the reader,
they agree and are wrong: only Keras can tell.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgernn.artefact import Verification
from edgernn.devices import open_device
from edgernn.errors import MissingRuntime, VerificationError
from edgernn.export import keras_answers
from edgernn.export.cases import Case, make_cases
from edgernn.export.made_up_sounds import sounds_of
from edgernn.export.made_up_texts import texts_of
from edgernn.export.verify import same_up_to_rounding
from edgernn.graph import AnyArray, Graph
from edgernn.reference import run_calls

_TIMEOUT_S: Final = 600.0


def compared_with_keras(
    graph: Graph,
    store: Callable[[Path], Path],
    *,
    generation: str = "3",
    rows: Sequence[Mapping[str, AnyArray]] = (),
) -> Verification:
    """How far the graph that was read is from Keras, on made-up inputs and on `rows`.

    store: puts the model into a folder and gives its path.  generation: "3" for Keras 3, "2" for
    tf_keras, whose layers compute what files of Keras 1 and 2 mean.
    Keras runs in a child process and loads the model as it would anywhere, code and all.
    Raises MissingRuntime where that Keras is not installed, VerificationError where
    Keras cannot run the model or answers otherwise.
    """
    package = "tf_keras" if generation == "2" else "keras"
    if find_spec(package) is None:
        raise MissingRuntime(
            f"comparing with Keras needs the package {package}, which is not installed",
            remedy=f"Install it (pip install {package}), or leave out --against-keras "
            "(against_keras)",
        )
    calls = [
        *make_cases(graph),
        *(Case(name=f"row {at}", inputs=row) for at, row in enumerate(rows)),
    ]
    calls, texts = texts_of(graph, calls)
    calls, sounds = sounds_of(graph, calls)
    given = [{**text, **sound} for text, sound in zip(texts, sounds, strict=True)]
    answers = _answers(graph, calls, given, store, generation)
    expected = [
        {output.name: said[position] for position, output in enumerate(graph.outputs)}
        for said in answers
    ]
    actual = run_calls(graph, [call.inputs for call in calls])
    return same_up_to_rounding(
        "what edgernn reads from the model", calls, actual, expected, graph=graph
    )


def _answers(
    graph: Graph,
    calls: Sequence[Case],
    given: Sequence[Mapping[str, AnyArray]],
    store: Callable[[Path], Path],
    generation: str,
) -> list[list[AnyArray]]:
    arrays: dict[str, Any] = {
        f"{number}.{position}": given[number].get(entry.name, call.inputs[entry.name])
        for number, call in enumerate(calls)
        for position, entry in enumerate(graph.inputs)
    }
    script = Path(keras_answers.__file__)
    with open_device("cpu") as device, tempfile.TemporaryDirectory(prefix="edgernn-") as folder:
        local = Path(folder)
        model = store(local)
        np.savez(local / "inputs.npz", **arrays)
        for path in (model, script, local / "inputs.npz"):
            device.push(path, path.name)
        argv = (*(device.python or ()), script.name, model.name, generation)
        completed = device.run(argv, timeout_s=_TIMEOUT_S)
        if not completed.succeeded:
            last = (completed.stderr.strip().splitlines() or ["it was stopped"])[-1]
            raise VerificationError(
                f"Keras cannot run the model to compare with: {last}",
                remedy="Leave out --against-keras (against_keras)",
            )
        device.pull("outputs.npz", local / "outputs.npz")
        with np.load(local / "outputs.npz") as stored:
            found = {name: stored[name] for name in stored.files}
    return [
        [found[f"{number}.{position}"] for position in range(len(graph.outputs))]
        for number in range(len(calls))
    ]
