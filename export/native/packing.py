"""Weights in the order in which the kernels read them.  See docs/native-format.md, "Panels"."""

from __future__ import annotations

import dataclasses
from typing import Final, TypeVar

import numpy as np

from edgernn.export.native.records import TILE, Constant, ConstantType, Packing
from edgernn.graph import AnyArray, FloatArray, QTensor, Weight, as_float32
from edgernn.graph.quantized import OF_ALL_COLUMNS, Accumulation, Product

AnyProduct = TypeVar("AnyProduct", bound=Product | Accumulation)

#: Tiles of a full panel without gates: 64 columns keep the sums of a vector unit busy.
DENSE_TILES: Final = 4

#: Weights of so many bits lie two in a byte.
NIBBLE_BITS: Final = 4

#: Columns of a tile in the order of 32-bit lanes.  AVX2 packs pairs of vectors within 128-bit
#: halves, so that sums in this order become 16-bit numbers in the natural one.
LANES: Final = np.array([0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15])


def padded(size: int) -> int:
    return -(-size // TILE) * TILE


def by_tile(array: AnyArray, gates: int) -> AnyArray:
    """Columns [gate][unit] reordered to [tile of 16 units][gate][16], units padded with zeros."""
    *lead, columns = array.shape
    units = columns // gates
    split = array.reshape(*lead, gates, units)
    widened = np.zeros((*lead, gates, padded(units)), array.dtype)
    widened[..., :units] = split
    tiled = widened.reshape(*lead, gates, padded(units) // TILE, TILE)
    return np.swapaxes(tiled, -3, -2).reshape(*lead, gates * padded(units))


def vector(values: AnyArray) -> Constant:
    row = np.ascontiguousarray(values, "<f4").reshape(-1)
    return Constant(
        type=ConstantType.VECTOR_F32, rows=1, columns=row.size, tiles=0, data=row.tobytes()
    )


def matrix(weight: Weight, *, gates: int = 1) -> Constant:
    """[K, gates * units] as panels, in the element type of the weight."""
    tiles = DENSE_TILES if gates == 1 else gates
    if isinstance(weight, QTensor) and weight.axis not in (None, 1):
        weight = as_float32(weight)  # a scale for each row does not factor out of the sum
    scales = b""
    if isinstance(weight, QTensor):
        kind, values = ConstantType.MATRIX_S8, weight.values
        by_column = np.broadcast_to(weight.scale, weight.shape[1]).astype(np.float32)
        scales = by_tile(by_column, gates).astype("<f4").tobytes()
    elif weight.dtype == np.float16:
        kind, values = ConstantType.MATRIX_F16, weight.astype("<f2")
    else:
        kind, values = ConstantType.MATRIX_F32, weight.astype("<f4")
    tiled = by_tile(values, gates)
    return Constant(
        type=kind,
        rows=tiled.shape[0],
        columns=tiled.shape[1],
        tiles=tiles,
        data=b"".join(np.ascontiguousarray(panel).tobytes() for panel in _panels(tiled, tiles)),
        scales=scales,
    )


def is_dynamic(weight: Weight) -> bool:
    """Whether `dynamic` can store it: bytes with one scale for each column."""
    return isinstance(weight, QTensor) and weight.axis in (None, 1)


def dynamic(weight: QTensor, *, gates: int = 1) -> Constant:
    """[K, gates * units] as bytes that are multiplied in integers; scales apply to the sums."""
    columns = weight.shape[1]
    sums = Accumulation(
        weights=weight.values,
        bias=np.zeros(columns, np.int32),
        output_scale=np.broadcast_to(weight.scale, columns).astype(np.float32),
        pairs_safe=pairs_are_safe(weight.values),
        bits=weight.bits,
    )
    return product(sums, gates=gates)


def table(weight: Weight) -> Constant:
    """[vocabulary, E], row by row."""
    scales = b""
    if isinstance(weight, QTensor) and weight.axis == 1:
        weight = as_float32(weight)  # the format has a scale for each row
    if isinstance(weight, QTensor):
        kind, data = ConstantType.TABLE_S8, weight.values.tobytes()
        scales = np.broadcast_to(weight.scale, weight.shape[0]).astype("<f4").tobytes()
    elif weight.dtype == np.float16:
        kind, data = ConstantType.TABLE_F16, weight.astype("<f2").tobytes()
    else:
        kind, data = ConstantType.TABLE_F32, weight.astype("<f4").tobytes()
    rows, columns = weight.shape
    return Constant(type=kind, rows=rows, columns=columns, tiles=0, data=data, scales=scales)


def product(given: Product | Accumulation, *, gates: int = 1) -> Constant:
    """An integer product: weights as panels of k quads, then the parameters that rescale the sums.

    Sums of unsigned bytes u = q + 128 start at bias - 128 * (sum of the column's weights); both
    start values are stored, so that a kernel may use either sign.
    """
    tiles = DENSE_TILES if gates == 1 else gates
    weights = by_tile(given.weights, gates)
    bias = by_tile(given.bias, gates).astype(np.int64)
    column_sums = weights.astype(np.int64).sum(axis=0)
    unsigned_bias = (bias - 128 * column_sums).astype("<u4", casting="unsafe")  # wraps like sums
    parts = [by_lane(bias.astype("<i4")), by_lane(unsigned_bias)]
    if isinstance(given, Product):
        kind = ConstantType.PRODUCT
        multiplier = by_tile(given.multiplier, gates).astype("<i2")
        parts += [by_lane(by_tile(given.shift, gates).astype("<i4")), multiplier]
    else:
        kind = ConstantType.ACCUMULATION
        parts.append(by_lane(by_tile(given.output_scale, gates).astype("<f4")))
    of_panel = nibbles if given.bits == NIBBLE_BITS else _quads
    return Constant(
        type=kind,
        rows=weights.shape[0],
        columns=weights.shape[1],
        tiles=tiles,
        data=b"".join(of_panel(panel).tobytes() for panel in _panels(weights, tiles)),
        scales=b"".join(part.tobytes() for part in parts),
        packing=Packing.NIBBLES if given.bits == NIBBLE_BITS else Packing.NONE,
    )


def product_columns(given: AnyProduct, columns: slice) -> AnyProduct:
    """The part of a product that computes these columns of its result."""
    per_column = {
        entry.name: getattr(given, entry.name)[..., columns]
        for entry in dataclasses.fields(given)
        if entry.name not in OF_ALL_COLUMNS
    }
    return dataclasses.replace(given, **per_column)


def pairs_are_safe(weights: AnyArray) -> bool:
    """Whether unsigned bytes times two rows at a time fit 16 bits: |w[2k] + w[2k+1]| <= 128."""
    even = np.pad(weights.astype(np.int16), ((0, len(weights) % 2), (0, 0)))
    return bool((np.abs(even[::2] + even[1::2]) <= 128).all())


def cell(exponent: AnyArray) -> Constant:
    """What an LSTM's cells need for each tile: exponents by lane, limits and factors (5. LSTM)."""
    widened = np.full(padded(exponent.size), 3, np.int32)
    widened[: exponent.size] = exponent
    tiles = widened.reshape(-1, TILE)
    data = b""
    for tile in tiles:
        limit, factor = 24575 >> (tile - 3), 1 << (tile - 3)
        data += tile[LANES].astype("<i4").tobytes()
        data += limit.astype("<i2").tobytes() + factor.astype("<i2").tobytes()
    return Constant(type=ConstantType.CELL, rows=1, columns=widened.size, tiles=0, data=data)


def by_lane(row: AnyArray) -> AnyArray:
    """Columns of each tile in the order of 32-bit lanes."""
    return np.ascontiguousarray(row.reshape(-1, TILE)[:, LANES].reshape(-1))


def expanded_groups(kernel: FloatArray | AnyArray, groups: int) -> AnyArray:
    """A grouped convolution's kernel [window, C / groups, out] as that of an ungrouped one."""
    window, inner, outputs = kernel.shape
    whole = np.zeros((window, inner * groups, outputs), kernel.dtype)
    per_group = outputs // groups
    for group in range(groups):
        channels = slice(group * inner, (group + 1) * inner)
        columns = slice(group * per_group, (group + 1) * per_group)
        whole[:, channels, columns] = kernel[:, :, columns]
    return whole


def _panels(tiled: AnyArray, tiles: int) -> list[AnyArray]:
    width = tiles * TILE
    return [tiled[:, start : start + width] for start in range(0, tiled.shape[1], width)]


def _quads(panel: AnyArray) -> AnyArray:
    """[K, tiles * 16] -> [K / 4][tile][2][8 columns][4 k], K padded with zeros."""
    rows, columns = panel.shape
    widened = np.zeros((-(-rows // 4) * 4, columns), np.int8)
    widened[:rows] = panel
    quads = widened.reshape(-1, 4, columns // TILE, TILE)[..., LANES]
    return np.ascontiguousarray(quads.transpose(0, 2, 3, 1))


def nibbles(panel: AnyArray) -> AnyArray:
    """[K, tiles * 16] -> [K / 8][tile][2][8 columns][4 k] bytes: a quad, and the next one above it.

    Each nibble is n + 8 for a weight of 16 n.

    Raises ValueError for weights that are not of 4 bits.
    """
    quads = _quads(panel)
    widened = np.zeros((-(-len(quads) // 2) * 2, *quads.shape[1:]), np.int8)
    widened[: len(quads)] = quads
    numbers = widened // 16
    if (widened != numbers * np.int8(16)).any():
        raise ValueError("weights of 4 bits are multiples of 16")
    stored = (numbers + 8).astype(np.uint8)
    return np.ascontiguousarray(stored[0::2] | stored[1::2] << 4)
