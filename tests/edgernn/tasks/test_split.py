"""Parts of any data set: the same every time, and never one origin in two of them."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks.given import as_samples
from edgernn.tasks.samples import Split

PARTS = [split.value for split in Split]


def rows_file(tmp_path, rows=200, **more):
    x = np.arange(rows * 6, dtype=np.float32).reshape(rows, 3, 2)
    path = tmp_path / "rows.npz"
    np.savez(path, x=x, y=np.arange(rows) % 2, **more)
    return path


def keys(samples):
    return {float(row) for row in samples.x[:, 0, 0]}


def test_each_part_of_a_file_is_the_same_every_time_and_shares_no_row(tmp_path):
    path = rows_file(tmp_path)
    parts = {name: as_samples(f"{path}:{name}") for name in PARTS}
    for name, part in parts.items():
        assert part.name == f"rows.npz:{name}"
        assert np.array_equal(part.x, as_samples(f"{path}:{name}").x)
    seen = [keys(parts[name]) for name in ("train", "validation", "test")]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 200
    assert keys(parts["calibration"]) <= seen[0]
    assert len(parts["test"]) == 40


def test_rows_of_one_origin_are_in_one_part(tmp_path):
    origins = np.repeat([f"speaker {number}" for number in range(20)], 10)
    path = rows_file(tmp_path, origins=origins)
    parts = [as_samples(f"{path}:{name}") for name in ("train", "validation", "test")]
    found = [set(part.origins) for part in parts]
    assert sum(map(len, found)) == len(set().union(*found)) == 20
    assert [len(part) for part in parts] == [140, 20, 40]


def test_data_without_labels_have_parts_too(tmp_path):
    np.savez(tmp_path / "bare.npz", x=np.zeros((100, 3, 2), np.float32))
    part = as_samples(f"{tmp_path}/bare.npz:test")
    assert (len(part), part.y, part.baselines) == (20, None, None)


@pytest.mark.parametrize(
    ("part", "saying"),
    [("tset", r"has no part 'tset'.*Did you mean .*rows\.npz:test"), ("", "does not name a part")],
)
def test_a_part_that_is_none_is_refused(tmp_path, part, saying):
    with pytest.raises(DataError, match=saying):
        as_samples(f"{rows_file(tmp_path)}:{part}")


def test_too_few_rows_for_a_split_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"rows to train on and 6 to test.*at least 20"):
        as_samples(f"{rows_file(tmp_path, rows=30)}:test")
