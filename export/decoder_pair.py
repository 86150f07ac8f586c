"""A model that writes sequences, as two files: its encoder, and one step of its decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgernn import reference
from edgernn.artefact import Artefact, Port, Verification, VerificationStatus
from edgernn.devices.runners.payload.greedy import written
from edgernn.errors import DataError, WrongOption
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.graph import (
    TOKENS,
    AnyArray,
    DecoderStep,
    Decoding,
    DType,
    Graph,
    Input,
    TensorSpec,
)
from edgernn.streaming import halved
from edgernn.tasks.samples import Samples
from edgernn.tasks.sequences import tokens_before
from edgernn.tasks.target import Target

ENCODER = "encoder"
DECODER = "decoder"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """What becomes one file: the graph, the float graph that it is compared with, the request."""

    original: Graph
    graph: Graph
    request: Request


def decoder_parts(original: Graph, graph: Graph, request: Request) -> tuple[Part, Part]:
    """The encoder and the step of the decoder; `graph` is `original` in the scheme requested.

    Rows to check the decoder on begin from what the encoder makes of them.
    Raises UnsupportedLayer where the model cannot be split.
    """
    decoding = _decoding_of(request)
    floats, wanted = halved(original, decoding), halved(graph, decoding)
    encoder = replace(request, part=ENCODER, limit=None)  # what both lose is measured together
    decoder = replace(request, part=DECODER, limit=None, streaming=True)
    if request.examples is not None:
        rows = request.examples.few()
        read = {entry.name: rows.inputs[entry.name] for entry in floats.encoder.inputs}
        (begun,) = reference.run_calls(floats.encoder, [read])
        fed = {**begun, decoding.input: rows.inputs[decoding.input]}
        encoder = replace(encoder, examples=replace(rows, inputs=read))
        decoder = replace(decoder, examples=replace(rows, inputs=fed))
    return (
        Part(original=floats.encoder, graph=wanted.encoder, request=encoder),
        Part(original=floats.decoder, graph=wanted.decoder, request=decoder),
    )


def joined(encoder: Artefact, decoder: Artefact, request: Request) -> Artefact:
    """Both files as one artefact, whose output are the tokens."""
    decoding = _decoding_of(request)
    states = {state.output for state in decoder.states}
    scores = next(port.name for port in decoder.outputs if port.name not in states)
    batch = encoder.inputs[0].spec.shape[0]
    tokens = TensorSpec(shape=(batch, decoding.longest), dtype=DType.INT32)
    step = DecoderStep(
        file=decoder.name,
        input=decoding.input,
        output=scores,
        start=decoding.start,
        stop=decoding.stop,
        longest=decoding.longest,
        states=decoder.states,
    )
    return replace(
        encoder,
        files=(*encoder.files, *decoder.files),
        outputs=(Port(name=TOKENS, spec=tokens),),
        decoder=step,
        details={**decoder.details, **encoder.details},
        verification=_worse(encoder.verification, decoder.verification),
    )


def _worse(one: Verification, other: Verification) -> Verification:
    """What holds for both: one that did not pass, else the one with the larger error."""
    for verification in (one, other):
        if verification.status is not VerificationStatus.PASSED:
            return verification
    worst = max(one, other, key=lambda each: each.mean_error or each.max_error or 0.0)
    return replace(worst, cases=one.cases + other.cases)


def checked_decoding(decoding: Decoding, graph: Graph) -> Decoding:
    """Raises WrongOption where the model has no such input, or its numbers make no loop."""
    names = [entry.name for entry in graph.inputs]
    spec = next((entry.spec for entry in graph.inputs if entry.name == decoding.input), None)
    if spec is None or len(names) != 2:
        raise WrongOption(
            f"--decode (decode) names the input '{decoding.input}', and the inputs of the model "
            f"are {', '.join(names)}",
            remedy="A model that is split takes a sequence and the tokens before: name the latter",
        )
    if spec.rank != 2 or spec.dtype is not DType.INT32:
        raise WrongOption(
            f"the input '{decoding.input}' of --decode (decode) does not take tokens [B, steps]",
            remedy="Name the input that takes the tokens before",
        )
    output = graph.outputs[0]
    scores = graph.specs[output.edge]
    tokens = scores.shape[-1] if scores.rank == 3 else None
    if tokens is None or len(graph.outputs) != 1:
        raise WrongOption(
            f"--decode (decode) needs a model whose only output scores the tokens of each step; "
            f"'{output.name}' has {scores.rank} axes",
            remedy="Export it without --decode",
        )
    if not (0 <= decoding.start < tokens and 0 <= decoding.stop < tokens and decoding.longest > 0):
        raise WrongOption(
            f"--decode (decode) has start {decoding.start}, stop {decoding.stop}, at most "
            f"{decoding.longest} tokens; the model knows the tokens 0 to {tokens - 1}",
            remedy="Give INPUT,START,STOP,LONGEST: previous,0,0,30",
        )
    return decoding


def examples_for(samples: Samples, graph: Graph, decoding: Decoding) -> Examples:
    """The arguments of the model that was taught: x, and the tokens of y before each step.

    Raises DataError where the answers are no sequences.
    """
    read, fed = _inputs(graph, decoding)
    if samples.target is not Target.SEQUENCE:
        raise DataError(
            f"{samples.name} has no sequences for answers, which the decoder is calibrated with",
            remedy="Give data with y [rows, tokens], -1 behind the last, and its kind 'sequence'",
        )
    shape = read.spec.shape
    if shape[1] is not None and len(shape) == samples.x.ndim:
        samples = samples.with_steps(shape[1])
    before = tokens_before(
        np.asarray(samples.y),
        fed.spec.shape[1] or decoding.longest,
        start=decoding.start,
        stop=decoding.stop,
    )
    return Examples(inputs={read.name: samples.x, fed.name: before})


def decoded(
    graph: Graph, x: AnyArray, decoding: Decoding, run: Callable[..., dict[str, AnyArray]]
) -> AnyArray:
    """The tokens that the model writes by itself, int32 [B, longest]; `run` executes a graph."""
    halves = halved(graph, decoding)
    read, _ = _inputs(graph, decoding)
    (begun,) = reference.run_calls(halves.encoder, [{read.name: x}], run=run)
    rules = {
        "input": decoding.input,
        "output": _scores(halves.decoder),
        "start": decoding.start,
        "stop": decoding.stop,
        "longest": decoding.longest,
        "states": [(state.input, state.output) for state in halves.decoder.states],
    }

    def step(feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        return reference.run_calls(halves.decoder, [feeds], run=run)[0]

    return written(begun, step, rules)


def without_tokens(graph: Graph, decoding: Decoding) -> Graph:
    """The graph as its user sees it: one input, the sequence that is read."""
    return halved(graph, decoding).encoder


def _scores(decoder: Graph) -> str:
    carried = {state.output for state in decoder.states}
    return next(output.name for output in decoder.outputs if output.name not in carried)


def _inputs(graph: Graph, decoding: Decoding) -> tuple[Input, Input]:
    """(what is read, the tokens before)"""
    fed = next(entry for entry in graph.inputs if entry.name == decoding.input)
    return next(entry for entry in graph.inputs if entry is not fed), fed


def _decoding_of(request: Request) -> Decoding:
    if request.decoding is None:
        raise ValueError("the request has no decoding")
    return request.decoding
