"""One row for each operator of ATen that edgernn reads: how ONNX spells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from edgernn.export.torch_file import cells, dense, elementwise, recurrent, shaping, windows
from edgernn.export.torch_file.program import Call
from edgernn.export.torch_file.spelling import Spelling

#: Adds the ONNX operators of one call; their results get the names of the call's.
Speller: TypeAlias = Callable[[Spelling, Call], None]

OPERATORS: Final[dict[str, Speller]] = {
    cells.LOOP.partition(".")[2]: cells.loop,
    **dict.fromkeys(recurrent.KINDS, recurrent.recurrent),
    "linear": dense.linear,
    "addmm": dense.addmm,
    **dict.fromkeys(("matmul", "mm", "bmm"), dense.matmul),
    "embedding": dense.embedding,
    **dict.fromkeys(("conv1d", "conv2d", "convolution"), windows.convolution),
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"), windows.pool
    ),
    **dict.fromkeys(
        ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d"), windows.global_pool
    ),
    **dict.fromkeys(("mean", "sum", "amax", "max"), windows.reduced),
    **dict.fromkeys(
        ("batch_norm", "_native_batch_norm_legit_no_training"), windows.batch_norm
    ),
    "rms_norm": windows.rms_norm,
    **dict.fromkeys(("layer_norm", "native_layer_norm"), windows.layer_norm),
    **dict.fromkeys(("pad", "constant_pad_nd"), windows.pad),
    **dict.fromkeys(elementwise.FUNCTIONS, elementwise.function),
    **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax"), elementwise.softmax),
    **dict.fromkeys(("hardtanh", "relu6", "clamp"), elementwise.clip),
    **dict.fromkeys(elementwise.BINARY, elementwise.binary),
    "rsub": elementwise.reversed_difference,
    "glu": elementwise.gated,
    **dict.fromkeys(shaping.SAME, shaping.same),
    **dict.fromkeys(("transpose", "permute", "t", "mT"), shaping.transposed),
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), shaping.reshaped),
    **dict.fromkeys(("flatten", "unflatten"), shaping.flattened),
    "squeeze": shaping.squeezed,
    "unsqueeze": shaping.unsqueezed,
    "select": shaping.selected,
    "slice": shaping.sliced,
    "cat": shaping.joined,
    "stack": shaping.stacked,
    **dict.fromkeys(("split", "split_with_sizes", "chunk"), shaping.split),
    "unbind": shaping.unbound,
    "flip": shaping.flipped,
    "expand": shaping.expanded,
    "repeat": shaping.repeated,
    "sym_size": shaping.size,
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros"), shaping.zeros),
    **dict.fromkeys(("full", "full_like", "new_full", "ones", "ones_like"), shaping.filled),
}  # fmt: skip

#: Calls that check something while the model runs, and compute nothing.
CHECKS: Final = ("_assert", "sym_constrain", "_guards")

#: What else people meet, and what to do then.
REMEDIES: Final = {
    "cond": "Leave out branches that depend on data, and export the model again",
    "while_loop": "Use torch.nn.GRU or LSTM instead of a loop, and export it again",
    "scan": "Use torch.nn.GRU or LSTM instead of a loop, and export it again",
    "einsum": "Use torch.bmm or torch.nn.Linear, and export it again",
    **dict.fromkeys(
        ("where", "masked_fill", "eq", "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and"),
        "Leave masks out of the model, or apply them outside",
    ),
    "scaled_dot_product_attention": "Use attention of one head, written with torch.bmm",
    "quantize_per_tensor": "Give the float32 model: edgernn quantizes it with --scheme int8",
    "_pack_padded_sequence": "Export the model without pack_padded_sequence and lengths",
    "conv_transpose1d": "Use Conv1d, or upsample outside of the model",
}
OTHERWISE: Final = "Leave it out of the model, or write it with other layers"
