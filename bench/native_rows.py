"""What is compared with what, and what each ratio must reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.native_models import KWS, LANGUAGE, STACK, STEP, WIDE, Shape
from bench.record import has_amx

FLOAT, HALF = "native float32", "native float16"
DYNAMIC, INT8 = "native dynamic", "native int8"
FROM_C, OPERATOR = "native int8 from C", "operator in ORT"
FLOAT_FROM_C, RTNEURAL = "native float32 from C", "RTNeural float32"
LITERT_FLOAT = "LiteRT, our float32"
LITERT_DYNAMIC, LITERT_INT8 = "LiteRT, our dynamic", "LiteRT, our int8"
STOCK, ORT, ORT_INT8 = "LiteRT, stock dynamic", "ORT float32", "ORT int8"
OPENVINO = "OpenVINO float32"

BATCHES: Final = (1, 8, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`ours` against `peer`; a target of 0 shows the figure only."""

    ours: str
    peer: str
    target: float = 0.0


def rows_of(shape: Shape, batch: int) -> Iterator[Row]:
    """All rows of one shape at one batch size."""
    if batch > 1:
        yield Row(ours=INT8, peer=LITERT_INT8, target=1.0 if has_amx() else 1.5)
        if shape in (*KWS, *LANGUAGE):
            yield Row(ours=FLOAT, peer=ORT)
            yield Row(ours=DYNAMIC, peer=LITERT_DYNAMIC)
        return
    yield Row(ours=INT8, peer=LITERT_INT8, target=_OUR_FILE.get(shape, 1.3))
    yield Row(ours=INT8, peer=STOCK, target=_STOCK.get(shape, 1.6))
    yield Row(ours=INT8, peer=ORT, target=3.0)
    yield Row(ours=INT8, peer=OPENVINO)
    if shape.cell == "lstm":
        yield Row(ours=INT8, peer=ORT_INT8, target=1.0 if shape in LANGUAGE else 1.4)
    yield Row(ours=DYNAMIC, peer=LITERT_DYNAMIC, target=1.5)
    yield Row(ours=DYNAMIC, peer=INT8, target=0.8)
    yield Row(ours=DYNAMIC, peer=FLOAT, target=1.0)
    if shape not in KWS:  # whose weights a float32 model reads from the second cache or beyond
        yield Row(ours=HALF, peer=FLOAT, target=1.0)
    yield Row(ours=FLOAT, peer=ORT, target=1.5 if shape in KWS else 0.0)
    if shape in KWS:
        yield Row(ours=FLOAT_FROM_C, peer=RTNEURAL, target=1.5)
    if shape == KWS[0]:
        yield Row(ours=OPERATOR, peer=ORT, target=2.3)


#: LiteRT running our own int8 file.
_OUR_FILE: Final = {KWS[0]: 3.2, KWS[1]: 3.2, STEP[0]: 1.8, STEP[1]: 1.8}
#: LiteRT running the stock converter's file.
_STOCK: Final = {
    **dict.fromkeys(KWS, 3.3),
    **dict.fromkeys(STACK, 3.8),
    **dict.fromkeys((*STEP, *WIDE), 1.6),
}
