"""Many calls' arguments or results as one npz, and back.  Used on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


def pack(cases: Sequence[Mapping[str, Array]]) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of many calls as few npz members, and the index that `unpack` needs.

    Calls of one shape are stacked: thousands of zip members are slow on a small device.
    """
    kinds = {tuple((name, x.shape, x.dtype.str) for name, x in case.items()) for case in cases}
    if len(cases) > 1 and len(kinds) == 1:
        keys = {name: f"a{i}" for i, name in enumerate(cases[0])}
        stacked = {key: np.stack([case[name] for case in cases]) for name, key in keys.items()}
        return stacked, {"stack": keys, "count": len(cases)}
    arrays: Arrays = {}
    index: list[dict[str, str]] = []
    for case in cases:
        index.append({name: f"a{len(arrays) + i}" for i, name in enumerate(case)})
        arrays.update({index[-1][name]: x for name, x in case.items()})
    return arrays, {"cases": index}


def unpack(arrays: Mapping[str, Array], index: Mapping[str, Any]) -> Iterator[Arrays]:
    """The calls that `pack` packed, in order."""
    if "stack" in index:
        whole = {name: arrays[key] for name, key in index["stack"].items()}
        for i in range(index["count"]):
            yield {name: x[i] for name, x in whole.items()}
    else:
        for case in index["cases"]:
            yield {name: arrays[key] for name, key in case.items()}
