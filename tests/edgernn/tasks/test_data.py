"""The user's own sequences are read, or refused with the row that is wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks import load
from edgernn.tasks.npz import write_npz
from edgernn.tasks.samples import Baselines, Samples

X = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


def refused(spec, *, saying: str) -> None:
    with pytest.raises(DataError) as error:
        load(str(spec))
    assert re.search(saying, str(error.value))
    assert "\n" not in str(error.value)


def npz(tmp_path, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return path


def test_an_npz_of_features_needs_no_more_than_x(tmp_path):
    samples = load(str(npz(tmp_path, x=X)))
    assert samples.name == "mine.npz"
    assert np.array_equal(samples.x, X)
    assert (samples.y, samples.lengths, samples.labels) == (None, None, ())


def test_names_without_an_order_are_told_apart_from_those_whose_numbers_were_chosen(tmp_path):
    names, numbers, labels = np.array(list("bab")), np.array([1, 0, 1]), np.array(["a", "b"])
    for y, more, named in (
        (names, {}, True),
        (names, {"labels": labels}, False),
        (numbers, {"labels": labels}, False),
    ):
        assert load(str(npz(tmp_path, x=X[:3], y=y, **more))).named is named
    lines = "sequence,label,a\nu,x,1\nv,y,2\n"
    assert load(str(csv(tmp_path, lines))).named


def test_texts_in_y_become_numbered_labels(tmp_path):
    samples = load(str(npz(tmp_path, x=X, y=np.array(["run", "walk", "run", "sit"]))))
    assert samples.labels == ("run", "sit", "walk")
    assert samples.y is not None
    assert samples.y.tolist() == [0, 2, 0, 1]


def test_texts_that_are_all_numbers_are_numbers(tmp_path):
    written = np.array(["10", "2", "0", "10"])
    lines = "".join(f"{row},{label},1\n" for row, label in enumerate(written))
    for path in (npz(tmp_path, x=X, y=written), csv(tmp_path, f"sequence,label,a\n{lines}")):
        samples = load(str(path))
        assert samples.y is not None
        assert (samples.y.tolist(), samples.labels) == ([10, 2, 0, 10], ())
    for names in (["1", "x", "1", "1"], ["2019", "2020", "2019", "1"], ["01", "1", "1", "1"]):
        assert load(str(npz(tmp_path, x=X, y=np.array(names)))).labels == tuple(sorted({*names}))


def test_labels_may_be_bytes_and_spaces_around_them_do_not_count(tmp_path):
    y = np.array([b"yes ", b" no", b"yes", b"no"])
    for labels in (np.array([b"yes", b"no"]), np.array([" yes", "no "])):
        samples = load(str(npz(tmp_path, x=X, y=y, labels=labels)))
        assert samples.labels == ("yes", "no")
        assert samples.y is not None
        assert samples.y.tolist() == [0, 1, 0, 1]
    assert load(str(npz(tmp_path, x=X, y=y))).labels == ("no", "yes")
    assert load(str(csv(tmp_path, "sequence,label,a\nu, x,1\nu,x ,1\n"))).labels == ("x",)
    refused(
        npz(tmp_path, x=X, y=np.array([b"\xff"] * 4)), saying="y contains bytes that are no text"
    )


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (X.astype(np.float64), np.float32),
        (X.astype(np.float16), np.float32),
        (X.astype(np.uint8), np.float32),
        (X[:, :, 0].astype(np.uint8), np.int32),
        (X[:, :, 0].astype(np.int64), np.int32),
    ],
    ids=["float64", "float16", "bytes as features", "bytes as tokens", "tokens"],
)
def test_x_takes_the_type_that_models_take(tmp_path, x, dtype):
    samples = load(str(npz(tmp_path, x=x)))
    assert samples.x.dtype == dtype
    assert np.array_equal(samples.x, x)


def test_what_training_writes_is_read_back_whole(tmp_path):
    written = Samples(
        name="mine.test.npz",
        x=X,
        y=np.array([0, 1, 1, 0]),
        lengths=np.array([3, 2, 1, 3]),
        labels=("no", "yes"),
        origins=("a", "b", "c", "d"),
        features="two axes of a gyroscope",
        baselines=Baselines(trivial=0.5, linear=0.75),
    )
    write_npz(tmp_path / "mine.test.npz", written)
    read = load(str(tmp_path / "mine.test.npz"))
    for name in ("name", "labels", "origins", "features", "baselines"):
        assert getattr(read, name) == getattr(written, name)
    for name in ("x", "y", "lengths"):
        assert np.array_equal(getattr(read, name), getattr(written, name))


def with_value(value, row):
    x = X.copy()
    x[row, 1, 0] = value
    return x


@pytest.mark.parametrize(
    ("arrays", "saying"),
    [
        ({"x": with_value(np.nan, 2)}, r"row 2 of x has nan \(at 1, 0\)"),
        ({"x": with_value(-np.inf, 3)}, r"row 3 of x has -inf \(at 1, 0\)"),
        ({"x": X.astype(np.float64) * 1e300}, r"row 0 of x has inf"),
        ({"X": X}, r"has no array x; it has X \[4, 3, 2\] float32"),
        ({"x": X[0, 0]}, r"x has shape \(2,\)"),
        ({"x": X[:0]}, r"x has shape \(0, 3, 2\)"),
        ({"x": X.astype(complex)}, r"x has the type complex128"),
        ({"x": np.array([["a", "b"]])}, r"x is text"),
        ({"x": X, "y": np.zeros(3, int)}, r"y has shape \(3,\), x has 4 rows"),
        ({"x": X, "y": np.full((4, 2), 7)}, r"y has shape \[4, 2\] and type int64"),
        ({"x": X, "y": np.array([0.5, np.nan, 1, 1])}, r"row 1 of y contains NaN or infinity"),
        ({"x": X, "y": np.array([0.5, 0, 1, 1e300])}, r"row 3 of y contains NaN or infinity"),
        ({"x": X, "y": np.array([1j, 0, 1, 1])}, r"y has the type complex128"),
        ({"x": X, "y": np.ones((3, 2))}, r"y has shape \(3, 2\), x has 4 rows"),
        ({"x": X, "y": np.ones((4, 2, 2), int)}, r"y has shape \[4, 2, 2\] and type int64"),
        ({"x": X, "y": np.array([0, 1, -1, 1])}, r"y of row 2 is -1"),
        ({"x": X, "labels": np.array(["a", "b", "a"])}, r"labels contain 'a' more than once"),
        ({"x": X, "y": np.arange(4), "labels": np.array(["a", "b"])}, r"y of row 2 is 2, not 0..1"),
        ({"x": X, "y": np.array(["a", "b"] * 2), "labels": np.array(["a"])}, r"y holds 'b'"),
        ({"x": X, "lengths": np.array([3, 4, 1, 1])}, r"lengths of row 1 is 4, not 1..3"),
        ({"x": X, "lengths": np.array([3, 0, 1, 1])}, r"lengths of row 1 is 0, not 1..3"),
        ({"x": X[:, :, 0].astype(np.int64) + 2**40}, r"x has numbers beyond 32 bits"),
        ({"x": X, "origins": np.array(["a"])}, r"1 origins for 4 rows"),
        ({"x": X, "baselines": np.array([1, 2, 3])}, r"baselines must be two numbers"),
        ({"x": np.array([None, 1], dtype=object)}, r"not a valid \.npz.*pickles\) are not read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_npz_that_makes_no_sense_is_refused(tmp_path, arrays, saying):
    refused(npz(tmp_path, **arrays), saying=saying)


@pytest.mark.parametrize("kept", [0, 10, 200, -1])
def test_a_truncated_npz_is_refused(tmp_path, kept):
    path = npz(tmp_path, x=X)
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, saying="is not a valid .npz")


def test_a_damaged_npz_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(50, 3, 2)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    refused(path, saying="is not a valid .npz")


def test_a_bare_array_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    refused(tmp_path / "x.npz", saying="single array, not an .npz")


CSV = """sequence,label,ax,ay
one,walk,0.5,1
one,walk,1.5,-1e-3
two,run,2,3
"""


def csv(tmp_path, content: str):
    path = tmp_path / "mine.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_csv_holds_a_step_a_line(tmp_path):
    samples = load(str(csv(tmp_path, CSV)))
    assert samples.x.tolist() == [
        [[0.5, 1.0], [1.5, np.float32(-1e-3)]],
        [[0.0, 0.0], [2.0, 3.0]],
    ]
    assert samples.y is not None
    assert samples.labels == ("run", "walk")
    assert samples.y.tolist() == [1, 0]
    assert samples.origins == ("one", "two")


def test_a_csv_without_labels_is_data_without_y(tmp_path):
    samples = load(str(csv(tmp_path, "ax,sequence\n1,a\n2,a\n3,b\n")))
    assert samples.y is None
    assert samples.x[:, :, 0].tolist() == [[1.0, 2.0], [0.0, 3.0]]


@pytest.mark.parametrize(
    ("content", "saying"),
    [
        ("", "has no column 'sequence'"),
        ("a,b\n1,2\n", "has no column 'sequence'"),
        ("sequence,ax\n", "has no lines"),
        ("sequence,label\na,walk\n", "has no columns of features"),
        ("sequence,ax\na,one\n", "line 2: 'one' in column 'ax' is no number"),
        ("sequence,ax\na,1\na,nan\n", "line 3: 'nan' in column 'ax' is not a finite number"),
        ("sequence,ax\na,1\na,1e300\n", "line 3: '1e300' in column 'ax' is not a finite number"),
        ("sequence,ax\na,1\na,1,2\n", "line 3: 3 columns, not 2"),
        ("sequence,ax\na,1\nb,1\na,2\n", "line 4: sequence 'a' begins a second time"),
        ("sequence,label,ax\na,walk,1\na,run,1\n", "lines 2..3: one sequence with the labels run"),
        ('sequence,ax\n"a,1\n', "is not a CSV file"),
    ],
)
def test_a_csv_that_makes_no_sense_is_refused_by_its_line(tmp_path, content, saying):
    refused(csv(tmp_path, content), saying=re.escape(saying))


@pytest.mark.parametrize(
    ("spec", "saying"),
    [
        ("digits", r"'digits' does not name a part\. The parts are digits:train, "),
        ("digits:", r"does not name a part"),
        ("digits:tests", r"digits has no part 'tests'\. Did you mean digits:test\?"),
        ("digit:test", r"there are no data named 'digit:test'\. Did you mean digits:test\?"),
        ("nowhere.npz", r"there are no data named 'nowhere.npz'\. Give a task's part"),
    ],
)
def test_a_name_that_is_nothing_is_refused_with_the_nearest(tmp_path, monkeypatch, spec, saying):
    monkeypatch.chdir(tmp_path)
    refused(spec, saying=saying)


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "data.parquet").write_bytes(b"PAR1")
    refused(tmp_path / "data.parquet", saying="not a kind of file that contains samples")


def test_sequences_are_cut_or_filled_up_at_their_beginning():
    samples = Samples(name="mine", x=X)
    longer, shorter = samples.with_steps(5), samples.with_steps(2)
    assert longer.x.shape == (4, 5, 2)
    assert not longer.x[:, :2].any()
    assert np.array_equal(longer.x[:, 2:], X)
    assert np.array_equal(shorter.x, X[:, 1:])


def test_sequences_with_lengths_are_cut_or_filled_up_at_their_end():
    samples = Samples(name="mine", x=X, lengths=np.array([3, 2, 1, 3]))
    longer, shorter = samples.with_steps(5), samples.with_steps(2)
    assert not longer.x[:, 3:].any()
    assert np.array_equal(longer.x[:, :3], X)
    assert longer.lengths is not None
    assert longer.lengths.tolist() == [3, 2, 1, 3]
    assert np.array_equal(shorter.x, X[:, :2])
    assert shorter.lengths is not None
    assert shorter.lengths.tolist() == [2, 2, 1, 2]


def test_padding_is_what_lengths_leave_over_or_else_the_zeros_around():
    x = np.ones((4, 5, 2), dtype=np.float32)
    x[0, :2] = 0
    x[1, 4:] = 0
    x[2, 1:4] = 0  # silence inside a sequence is part of it
    x[3] = 0
    first, last = Samples(name="zeros", x=x).real_steps()
    assert first.tolist() == [2, 0, 0, 0]
    assert last.tolist() == [4, 3, 4, 4]
    first, last = Samples(name="lengths", x=x, lengths=np.array([5, 4, 3, 1])).real_steps()
    assert first.tolist() == [0, 0, 0, 0]
    assert last.tolist() == [4, 3, 2, 0]


@pytest.mark.parametrize("y", [np.array([0.5, -1.5, 2, 1]), np.ones((4, 2))], ids=["one", "two"])
def test_floats_in_y_are_numbers_to_predict_and_no_classes(tmp_path, y):
    path = tmp_path / "rows.npz"
    np.savez(path, x=X, y=y)
    samples = load(str(path))
    assert samples.y is not None
    assert samples.y.dtype == np.float32
    np.testing.assert_array_equal(samples.y, y)
    assert samples.classes == 0
    with pytest.raises(DataError, match="y has the type float32, which means numbers, not classes"):
        _ = samples.classified
