"""Ranges as a JSON file, so that one calibration serves several exports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgernn import atomic
from edgernn.errors import CalibrationError
from edgernn.export.quantization.moments_json import moments_as_json, moments_from_json
from edgernn.graph import CalibrationMethod, Features, FloatArray, Graph, Range, Ranges, fingerprint
from edgernn.regular_file import DAMAGE, read_json

# History of the format:
#   1  first version
RANGES_VERSION: Final = 1

_FORMAT: Final = "edgernn-ranges"
_AGAIN: Final = "Calibrate again, with --calibrate"


def write_ranges(path: Path, ranges: Ranges) -> None:
    """Raises OutputError if the file cannot be written."""
    content = {
        "format": _FORMAT,
        "version": RANGES_VERSION,
        "graph": ranges.graph_fingerprint,
        "method": ranges.method.value,
        "samples": ranges.samples,
        "warnings": list(ranges.warnings),
        "edges": _as_json(ranges.edges),
        "cells": {name: _as_json(taps) for name, taps in ranges.cells.items()},
        "inputs": {
            name: {part.name: getattr(features, part.name).tolist() for part in fields(Features)}
            for name, features in ranges.inputs.items()
        },
        "moments": moments_as_json(ranges.moments),
        "candidates": moments_as_json(ranges.candidates),
    }
    atomic.write_bytes(path, json.dumps(content, separators=(",", ":")).encode() + b"\n")


def read_ranges(path: Path, graph: Graph) -> Ranges:
    """The ranges in the file `path`, for `graph`.

    Raises CalibrationError if there is no such file, if it is damaged, or if it is for another
    graph: other weights, options or names.
    """
    try:
        content = read_json(path)
        ranges = _ranges(content, graph)
    except OSError as error:
        raise CalibrationError(f"{path} cannot be read ({error.strerror})") from error
    except DAMAGE as error:
        raise CalibrationError(
            f"{path} is not a file of ranges ({error})", remedy=_AGAIN
        ) from error
    if ranges.graph_fingerprint != fingerprint(graph):
        raise CalibrationError(
            f"{path} contains the ranges of another model than '{graph.name}'", remedy=_AGAIN
        )
    return ranges


def _as_json(ranges: Mapping[str, Range]) -> dict[str, Any]:
    return {
        name: {
            "low": entry.low,
            "high": entry.high,
            "channel_low": entry.channel_low.tolist(),
            "channel_high": entry.channel_high.tolist(),
            "mean": entry.mean,
        }
        for name, entry in ranges.items()
    }


def _ranges(content: dict[str, Any], graph: Graph) -> Ranges:
    if content["format"] != _FORMAT:
        raise ValueError(f"its format is {content['format']}")
    if content["version"] > RANGES_VERSION:
        raise ValueError(f"version {content['version']} is newer than {RANGES_VERSION}")
    is_own = content["graph"] == fingerprint(graph)  # else it is refused as another model's
    return Ranges(
        graph_fingerprint=str(content["graph"]),
        method=CalibrationMethod(content["method"]),
        samples=int(content["samples"]),
        edges=_range_map(content["edges"]),
        cells={name: _range_map(taps) for name, taps in content["cells"].items()},
        inputs={  # ranges of an earlier version have none
            name: Features(**{part.name: _channels(entry[part.name]) for part in fields(Features)})
            for name, entry in content.get("inputs", {}).items()
        },
        moments=moments_from_json(content.get("moments", {}), graph) if is_own else {},
        candidates=moments_from_json(content.get("candidates", {}), graph) if is_own else {},
        warnings=tuple(content["warnings"]),
    )


def _range_map(entries: dict[str, Any]) -> dict[str, Range]:
    return {
        name: Range(
            low=float(entry["low"]),
            high=float(entry["high"]),
            channel_low=_channels(entry["channel_low"]),
            channel_high=_channels(entry["channel_high"]),
            mean=None if entry.get("mean") is None else float(entry["mean"]),
        )
        for name, entry in entries.items()
    }


def _channels(numbers: list[float]) -> FloatArray:
    channels = np.array(numbers, np.float32)
    if channels.ndim != 1 or not np.isfinite(channels).all():
        raise ValueError("a channel's extreme is not a finite number")
    return channels
