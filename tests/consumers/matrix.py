"""Every model in every scheme and profile, and what each runtime makes of its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgernn import reference
from edgernn.export.consumers import Record, Tried
from edgernn.export.keras.object import from_keras
from edgernn.export.onnx.model import lower
from edgernn.export.pipeline import float_graph, quantized
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.verify import relative_error
from edgernn.formats import format_named
from edgernn.scheme import Numbers, Scheme
from tests.consumers.models import BATCHES, Model, built, models
from tests.consumers.runtimes import Answer, Arrays, Runtime
from tests.zoo.runtimes import open_file

PROFILES: Final = ("default", "portable")
#: Those that .onnx files can store.
SCHEMES: Final = tuple(one for one in Scheme if one in format_named("onnx").schemes)

#: Largest difference from ONNX Runtime's answer, by the scale of the output.  Integers
#: that are made while a file runs are not the same in every runtime.
TOLERANCE: Final = 1e-4
OF_INTEGERS: Final = 0.02
#: Largest difference of ONNX Runtime from Keras: float32 and float16, and schemes of integers.
FROM_KERAS: Final = {Scheme.FLOAT32: 1e-5, Scheme.FLOAT16: 2e-3}
FROM_KERAS_OF_INTEGERS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An exported file, its calls, and what ONNX Runtime answers to them."""

    model: str
    scheme: Scheme
    profile: str
    content: bytes
    calls: tuple[Arrays, ...]
    expected: tuple[Arrays, ...]
    off_keras: float  # by the scale of the output

    @property
    def tolerance(self) -> float:
        is_stored = self.profile == "portable" or self.scheme.weights is not Numbers.INT8
        return TOLERANCE if is_stored else OF_INTEGERS


def files(
    *,
    schemes: Sequence[Scheme] = SCHEMES,
    profiles: Sequence[str] = PROFILES,
    only: Sequence[str] = (),
) -> Iterator[File]:
    """.onnx files.  `only`: models by name; all if none are named."""
    for model in models():
        if not only or model.name in only:
            for scheme in schemes:
                for profile in profiles:
                    yield _file(model, scheme, profile)


def _file(model: Model, scheme: Scheme, profile: str) -> File:
    keras_model = built(model)
    graph = float_graph(from_keras(keras_model).graph)
    ranges = calibrate(graph, model.inputs(16)) if scheme is Scheme.INT8 else None
    written = quantized(graph, Request(scheme=scheme, ranges=ranges))
    content = lower(written, metadata={}, profile=profile).content
    calls = tuple(model.inputs(batch) for batch in BATCHES)
    opened = open_file("onnx", content)
    expected = tuple(opened(arrays) for arrays in calls)
    off = 0.0
    for arrays, answer in zip(calls, expected, strict=True):
        given = [arrays[entry.name] for entry in keras_model.inputs]
        wanted = keras_model(given[0] if len(given) == 1 else given)
        results = wanted if isinstance(wanted, list) else [wanted]
        # The order of the results is the model's; reference.run names them.
        named = dict(zip(reference.run(graph, arrays), map(np.asarray, results), strict=True))
        off = max(off, difference(answer, named))
    return File(
        model=model.name,
        scheme=scheme,
        profile=profile,
        content=content,
        calls=calls,
        expected=expected,
        off_keras=off,
    )


def difference(actual: Arrays, expected: Arrays) -> float:
    """The largest, by the scale of the output; infinite for another name or shape."""
    return max(
        (
            relative_error(actual[name], wanted) if name in actual else float("inf")
            for name, wanted in expected.items()
        ),
        default=0.0,
    )


def verdicts(runtime: Runtime, made: Sequence[File]) -> list[str]:
    """For each file "" where the runtime is right in every call, or what is wrong."""
    answers = runtime.run([(file.content, file.calls) for file in made])
    return [_verdict(file, found) for file, found in zip(made, answers, strict=True)]


def _verdict(file: File, answers: Sequence[Answer]) -> str:
    worst = 0.0
    for answer, expected in zip(answers, file.expected, strict=True):
        if isinstance(answer, str):
            return answer
        worst = max(worst, difference(answer, expected))
    return "" if worst <= file.tolerance else "answers wrongly"


def measured(made: Sequence[File], runtimes: Sequence[Runtime]) -> Record:
    """What `make consumers` writes into export/consumers.json."""
    found = {runtime.name: verdicts(runtime, made) for runtime in runtimes}
    return Record(
        versions={runtime.name: runtime.version() for runtime in runtimes},
        answers=tuple(
            Tried(
                model=file.model,
                scheme=file.scheme,
                profile=file.profile,
                reasons={name: answers[number] for name, answers in found.items()},
            )
            for number, file in enumerate(made)
        ),
    )
