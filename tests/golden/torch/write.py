# mypy: disable-error-code="misc,attr-defined,operator"
"""Writes the golden files beside it with PyTorch, which the tests do not need.

    python -m tests.golden.torch.write [--only KIND] [NAME ...]

Each model becomes NAME.legacy.onnx (the TorchScript exporter, free batch and time),
NAME.fixed.onnx (the same, all sizes frozen), NAME.dynamo.onnx (the newer exporter, free batch),
NAME.dynamo_fixed.onnx (the same, all sizes frozen), NAME.free.pt2 (torch.export, free batch) and
NAME.npz: inputs as "in.NAME" and what PyTorch computed as "out.0", "out.1", ...
Needs torch, onnx and onnxscript.  Weights come from a seed.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch

from tests.golden.torch.cells import LOOPS
from tests.golden.torch.layers import FAINT, MODELS

HERE = Path(__file__).parent


def flat(result):
    if isinstance(result, torch.Tensor):
        return [result]
    return [tensor for part in result for tensor in flat(part)]


def free_axes(name, inputs):
    axes = {}
    for key, tensor in inputs.items():
        state = key in ("h", "c")
        batch = 1 if (state and tensor.ndim == 3) or name == "time_first" else 0
        axes[key] = {batch: "batch"}
        if not state and name != "one_step":
            axes[key][2 if name == "causal" else 1 - batch] = "time"
    return axes


def strip(path):
    """Leaves out what names the machine: the exporter stores its stack traces."""
    model = onnx.load(path)
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (model.graph, model, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(model, path)


def strip_program(content, name):
    """The same archive without example inputs and stack traces, which name the machine."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for info in sorted(old.infolist(), key=lambda one: one.filename):
            inner = info.filename.partition("/")[2]
            if "sample_inputs" in inner or inner.startswith(".data"):
                continue
            data = old.read(info)
            if inner.endswith("model.json"):
                program = json.loads(data)
                program["graph_module"]["metadata"] = {}
                program["guards_code"] = []
                for node in program["graph_module"]["graph"]["nodes"]:
                    stack = node["metadata"].get("nn_module_stack", "")
                    node["metadata"] = {"nn_module_stack": stack}
                data = json.dumps(program, separators=(",", ":")).encode()
            new.writestr(zipfile.ZipInfo(f"{name}/{inner}"), data)
    return made.getvalue()


def dynamic(free):
    """Free batches for torch.export, which fixes the time axis of every recurrent layer."""
    return tuple(
        {axis: torch.export.Dim(label) for axis, label in axes.items() if label == "batch"}
        for axes in free.values()
    )


def write(name, only):
    torch.manual_seed(sum(map(ord, name)))
    model, inputs = {**MODELS, **LOOPS}[name]()
    if name in FAINT:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(FAINT[name])
    model.eval()
    arguments = tuple(inputs.values())
    with torch.no_grad():
        results = flat(model(*arguments))
    if only is None or not (HERE / f"{name}.npz").exists():
        np.savez(
            HERE / f"{name}.npz",
            **{f"in.{key}": tensor.numpy() for key, tensor in inputs.items()},
            **{f"out.{at}": tensor.numpy() for at, tensor in enumerate(results)},
        )
    free = free_axes(name, inputs)
    if only in (None, "free"):
        file = io.BytesIO()
        torch.export.save(torch.export.export(model, arguments, dynamic_shapes=dynamic(free)), file)
        path = HERE / f"{name}.free.pt2"
        path.write_bytes(strip_program(file.getvalue(), name))
        print(path.name, path.stat().st_size, flush=True)
    if name in LOOPS:
        return
    common = {"input_names": list(inputs)}
    legacy = {**common, "opset_version": 17, "dynamo": False}
    newer = {**common, "dynamo": True, "external_data": False}
    for kind, options in {
        "legacy": {"dynamic_axes": free, **legacy},
        "fixed": legacy,
        "dynamo": {"dynamic_shapes": dynamic(free), **newer},
        "dynamo_fixed": newer,
    }.items():
        if only not in (None, kind):
            continue
        path = HERE / f"{name}.{kind}.onnx"
        torch.onnx.export(model, arguments, str(path), **options)
        strip(path)
        print(path.name, path.stat().st_size, flush=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    kind = given[1] if given[:1] == ["--only"] else None
    for name in given[2 if kind else 0 :] or {**MODELS, **LOOPS}:
        write(name, kind)
