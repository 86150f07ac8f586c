"""Runs a TFLite file the way an application does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgernn.graph import AnyArray


def run_litert(
    content: bytes, inputs: Mapping[str, AnyArray], *, xnnpack: bool = True
) -> dict[str, AnyArray]:
    """Outputs by name, through the default signature, which resizes the inputs as needed."""
    resolver = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=resolver
    )
    runner: Any = interpreter.get_signature_runner("serving_default")
    return dict(runner(**inputs))
