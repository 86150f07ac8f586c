"""Columns of a .csv as targets, and a .csv that is one series."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks.data import load
from edgernn.tasks.reading import Reading
from edgernn.tasks.target import Target

SEQUENCES = """\
sequence,origin,a,quality,phase,load
s1,ann,1,0.5,up,1
s1,ann,2,0.5,up,2
s2,bob,3,1.25,down,3
s2,bob,4,1.25,up,4
"""


def table(tmp_path, text, **reading):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return load(str(path), reading=Reading(**reading))


def test_a_column_that_is_constant_in_a_sequence_is_its_answer(tmp_path):
    text = "\n".join(line.rsplit(",", 2)[0] for line in SEQUENCES.splitlines())
    samples = table(tmp_path, text, target=("quality",))
    assert samples.target is Target.NUMBERS
    np.testing.assert_array_equal(samples.y, [[0.5], [1.25]])
    assert samples.origins == ("ann", "bob")


def test_a_column_that_changes_is_an_answer_for_each_step(tmp_path):
    text = "\n".join(line.rpartition(",")[0] for line in SEQUENCES.splitlines())
    samples = table(tmp_path, text, target=("phase",))
    assert (samples.target, samples.labels) == (Target.STEPS, ("down", "up"))
    assert samples.y is not None
    assert samples.y.tolist() == [[1, 1], [0, 1]]
    assert samples.x.shape == (2, 2, 2)  # a and quality; the target is no feature


def test_numbers_for_each_step_need_sequences_of_one_length(tmp_path):
    text = "sequence,a,load\ns,1,0.5\ns,2,1.5\nt,3,2.5\nt,4,3.25\n"
    samples = table(tmp_path, text, target=("load",))
    np.testing.assert_array_equal(samples.y, [[[0.5], [1.5]], [[2.5], [3.25]]])
    with pytest.raises(DataError, match="sequences of 2 to 3 steps"):
        table(tmp_path, text + "t,5,4\n", target=("load",))


HOURS = 2400


def series(*, clock=False, state=False):
    header = [*(["time"] if clock else []), "load", "wind", *(["state"] if state else [])]
    lines = [",".join(header)]
    for hour in range(HOURS):
        fields = [f"2024-{1 + hour // 720:02d}-{1 + hour // 24 % 30:02d}T{hour % 24:02d}:00"][
            : int(clock)
        ]
        fields += [str(hour), str(hour % 7 + 0.5)]
        lines.append(",".join([*fields, *([("low", "high")[hour % 2]] if state else [])]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("clock", [False, True], ids=["numbers only", "with a column of times"])
def test_past_lines_of_a_series_predict_the_next_ones(tmp_path, clock):
    samples = table(tmp_path, series(clock=clock), target=("load",), window=10, horizon=2)
    assert samples.target is Target.NUMBERS
    assert samples.x.shape[1:] == (10, 2)  # the past of the target is a feature; times are none
    assert samples.y is not None
    np.testing.assert_array_equal(samples.x[:, -1, 0] + 1, samples.y[:, 0])
    np.testing.assert_array_equal(samples.y[:, 1], samples.y[:, 0] + 1)
    assert "the last 10 lines of load, wind" in samples.features


def test_no_line_of_a_series_is_in_two_parts(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(series())
    reading = Reading(target=("load",), window=10)
    lines = []
    for name in ("train", "validation", "test"):
        part = load(f"{path}:{name}", reading=reading)
        assert part.y is not None
        lines.append({*part.x[:, :, 0].ravel().tolist(), *part.y.ravel().tolist()})
    assert sum(map(len, lines)) == len(set().union(*lines))


def test_a_class_of_the_next_line_is_no_feature(tmp_path):
    samples = table(tmp_path, series(state=True), target=("state",), window=10)
    assert (samples.target, samples.labels) == (Target.CLASS, ("high", "low"))
    np.testing.assert_array_equal(samples.classified, samples.x[:, -1, 0] % 2)  # odd, then low
    assert samples.x.shape[2] == 2


@pytest.mark.parametrize(
    ("text", "reading", "saying"),
    [
        (SEQUENCES, {"target": ("laod",)}, r"no column 'laod'. Did you mean 'load'\? Its columns"),
        (series(), {}, r"no column 'sequence'.*--target"),
        (series(), {"target": ("load",), "window": 100}, "2400 lines, too few for windows of 100"),
        (
            series(state=True),
            {"target": ("load",)},
            r"line 2: 'low' in column 'state' is no number.*remove the column",
        ),
        (
            series(state=True),
            {"target": ("state",), "horizon": 2},
            "the columns state hold classes.*leave --horizon out",
        ),
        (
            "sequence,a,y\ns,1,nan\nt,2,1.5\n",
            {"target": ("y",)},
            "line 2: 'nan' in column 'y' is not a finite number",
        ),
        ("sequence,a,y\ns,1,\nt,2,b\n", {"target": ("y",)}, "line 2: no y"),
        ("sequence,a,label\ns,1,x\ns,2,y\n", {}, r"labels x, y.*--target label"),
        ("sequence,a,y\ns,1\n", {"target": ("y",)}, "line 2: 2 columns, not 3"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, text, reading, saying):
    with pytest.raises(DataError, match=saying):
        table(tmp_path, text, **reading)


def test_an_npz_has_no_columns(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.zeros((3, 2, 1), np.float32))
    with pytest.raises(DataError, match=r"has no columns, so --target cannot name one"):
        load(str(tmp_path / "rows.npz"), reading=Reading(target=("load",)))
