"""A module of PyTorch in memory: torch.export writes its program, and the reader takes that.

The only module that imports torch; only a caller that has a torch.nn.Module gets here.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgernn.artefact import OBJECT
from edgernn.errors import ModelFileError, WrongOption
from edgernn.export.source_model import SourceModel
from edgernn.export.torch_file.file import read_pt2_bytes
from edgernn.graph.tensor import AnyArray

_EXAMPLE = "Give an example of its inputs: edgernn.load(module, example=x)"


def is_module(model: Any) -> bool:
    """Whether `model` is a torch.nn.Module; imports nothing."""
    return any(
        base.__name__ == "Module" and base.__module__ == "torch.nn.modules.module"
        for base in type(model).__mro__
    )


def from_module(module: Any, example: Any, *, free_time: bool = False) -> SourceModel:
    """The graph of a torch.nn.Module.

    example: what forward() takes: an array or tensor [N, ...], a tuple of them, or a dict by
    argument.  Two rows or more leave the batch free, all other sizes are those of the example.
    Raises WrongOption without an example or for a module in training, ModelFileError where
    torch.export cannot write it, UnsupportedLayer as read_pt2 does.

    >>> from_module(module, np.zeros((2, 40, 13), np.float32)).graph.parameters
    """
    import torch

    if example is None:
        raise WrongOption("a torch.nn.Module does not say what it takes", remedy=_EXAMPLE)
    if module.training:
        raise WrongOption(
            "the module is in training mode: dropout and BatchNorm would be exported as they train",
            remedy="Call module.eval() before edgernn.load",
        )
    arguments, named = _arguments(torch, example)
    auto = torch.export.Dim.AUTO
    first = (arguments or tuple(named.values()))[0]

    def free(tensor: Any) -> dict[int, Any]:
        """The batch: the first axis of the first input; states have it after their layers.

        Where both are as long as the batch, torch.export fixes the layers again.
        """
        axes = range(min(tensor.ndim, 1 if tensor is first else 2))
        return {axis: auto for axis in axes if tensor.shape[axis : axis + 1] == first.shape[:1]}

    try:
        with torch.no_grad():
            program = torch.export.export(
                module, arguments, named,
                dynamic_shapes=(
                    {name: free(one) for name, one in named.items()}
                    if named
                    else tuple(free(one) for one in arguments)
                ),
            )  # fmt: skip
    except Exception as error:  # torch raises dozens of types for what it cannot trace
        lines = str(error).strip().splitlines() or [""]
        raise ModelFileError(
            f"torch.export cannot write the module ({type(error).__name__}: {lines[0][:200]})",
            remedy="Make torch.export.export(module, example) work, then load the module again",
        ) from error
    file = io.BytesIO()
    torch.export.save(program, file)
    model = read_pt2_bytes(file.getvalue(), Path(OBJECT), free_time=free_time)

    def run(inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in inputs.items()}
        given = [
            tensors[spec.arg.name]
            for spec in program.graph_signature.input_specs
            if spec.arg.name in tensors
        ]
        with torch.no_grad():
            results = module(**dict(zip(named, given, strict=True))) if named else module(*given)
        return {str(at): tensor.numpy() for at, tensor in enumerate(_flat(results))}

    return replace(model, runs=run)


def _arguments(torch: Any, example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example, Mapping | tuple | list) and not example:
        raise WrongOption("the example is empty", remedy=_EXAMPLE)
    if isinstance(example, Mapping):
        return (), {name: _tensor(torch, one) for name, one in example.items()}
    several = example if isinstance(example, tuple | list) else (example,)
    tensors = tuple(_tensor(torch, one) for one in several)
    if len(tensors) == 1 and tensors[0].ndim and tensors[0].shape[0] == 1:
        # torch.export fixes sizes of 1: two equal rows leave the batch free.
        tensors = (torch.cat([tensors[0], tensors[0]]),)
    return tensors, {}


def _tensor(torch: Any, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach()
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.kind != "f":
        raise WrongOption(f"the example is of type {array.dtype}", remedy=_EXAMPLE)
    return torch.from_numpy(array.astype(np.float32))


def _flat(results: Any) -> Sequence[Any]:
    if isinstance(results, Mapping):
        results = list(results.values())
    if not isinstance(results, tuple | list):
        return [results]
    return [tensor for part in results if part is not None for tensor in _flat(part)]
