"""compare with int8 and int4: a narrower int8 model of as many bytes stands beside int4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn.report.compared_bits import TITLE

pytest.importorskip("tensorflow")


@pytest.mark.long
def test_int4_stands_beside_int8_and_a_narrower_model(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(160, 6, 2)).astype(np.float32)
    found = edgernn.compare(
        (x, (x.sum(axis=(1, 2)) > 0).astype(np.int64)),
        models="gru,lstm",
        out=tmp_path / "cmp",
        scheme="int8,int4",
        units=64,
        epochs=1,
        seeds=2,
        shares=(),
    )
    gru, lstm = found.values.int4_verdicts
    assert (gru.contender.name, lstm.contender.name) == ("gru-64", "lstm-64")
    assert gru.bytes < gru.whole.bytes
    assert gru.narrow is not None
    assert gru.narrow.contender.architecture == "gru"
    assert gru.narrow.contender.units < 64
    assert abs(gru.narrow.bytes - gru.bytes) < gru.whole.bytes - gru.bytes
    assert lstm.narrow is None
    said = str(found).partition(f"## {TITLE}")[2].partition("\n## ")[0]
    assert f"{gru.narrow.contender.name} in int8 has " in said
    assert "lstm-64" in said
