"""Random integer graphs over rows and columns; see models.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgernn.graph import (
    LINEAR,
    RELU,
    SIGMOID,
    TANH,
    Conv2D,
    FoldTime,
    Graph,
    Input,
    Layer,
    Output,
    Padding,
    Pool2D,
    PoolKind,
    TensorSpec,
    Transpose,
    UnfoldTime,
    ZeroPad1D,
)
from tests.edgernn.runtime.models import numbers, random_linear_plan, with_plans


def random_integer_image(seed: int) -> tuple[Graph, dict[str, Any]]:
    """A Conv2D of any option and size with a random plan between layers that move; and inputs.

    Half of the graphs take one image of any height, the others a sequence of images.
    """
    rng = np.random.default_rng(seed)
    channels, outputs = int(rng.integers(1, 40)), int(rng.integers(1, 50))
    # tests/c makes sessions for 256 steps: three images of 9 x 9 are 243
    rows, columns = int(rng.integers(5, 10)), int(rng.integers(5, 10))
    video = bool(rng.random() < 0.5)
    conv = _random_conv(rng, channels, outputs)
    paddings = [Padding.VALID, Padding.SAME]
    pool = Pool2D(
        name="pool",
        input="padded",
        output="pooled",
        kind=list(PoolKind)[int(rng.integers(2))],
        window=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        strides=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        paddings=(paddings[int(rng.integers(2))], paddings[int(rng.integers(2))]),
    )
    axis = int(rng.integers(1, 4))
    pad = ZeroPad1D(name="pad", input="image", output="padded", left=2, right=3, axis=axis)
    if axis == 3:
        conv = _random_conv(rng, channels + 5, outputs)
    layers: list[Layer] = [pad, pool, conv]
    if not video:
        graph_layers = [*layers]
        shape: tuple[int | None, ...] = (None, None, columns, channels)
        x = numbers(rng, 2, rows, columns, channels, gain=3)
        source, result = "image", "convolved"
    else:
        order = [(0, 2, 1, 3), (0, 3, 1, 2), (0, 1, 3, 2), (0, 3, 2, 1)][int(rng.integers(4))]
        turn = Transpose(name="turn", input="convolved", output="turned", permutation=order)
        graph_layers = [
            FoldTime(name="fold", input="video", output="image"),
            *layers,
            turn,
            UnfoldTime(name="unfold", input="turned", like="video", output="each"),
        ]
        shape = (None, None, rows, columns, channels)
        x = numbers(rng, 2, int(rng.integers(1, 4)), rows, columns, channels, gain=3)
        source, result = "video", "each"
    graph = Graph(
        name="images",
        inputs=(Input(name=source, spec=TensorSpec(shape=shape)),),
        layers=tuple(graph_layers),
        outputs=(Output(name="y", edge=result),),
    )
    plan = random_linear_plan(conv, rng, bits=int(rng.choice([8, 16])))
    return with_plans(graph, conv=plan), {source: x}


def _random_conv(rng: np.random.Generator, channels: int, outputs: int) -> Conv2D:
    window = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilations = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    groups = int(rng.choice([g for g in (1, 2, channels) if channels % g == 0]))
    columns = channels if groups == channels else -(-outputs // groups) * groups
    is_dilated = dilations != (1, 1)
    return Conv2D(
        name="conv",
        input="pooled",
        output="convolved",
        kernel=numbers(rng, *window, channels // groups, columns),
        bias=None,
        groups=groups,
        strides=(1, 1) if is_dilated else (int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        dilations=dilations,
        # A window that does not fit is refused: see the tests of shapes.
        paddings=(Padding.SAME, list(Padding)[int(rng.integers(1, 3))]),
        activation=[LINEAR, RELU, TANH, SIGMOID][int(rng.integers(4))],
    )
